package collector

import (
	"context"
	"errors"
	"regexp"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// perfCounters are the counters of a row. Windows counts on for as long as the
// service vmms runs, and from 0 again.
var perfCounters = [...]struct {
	metric *Metric
	value  func(msvm.ReplicaPerformance) (float64, bool)
}{
	{
		counter("network_sent_bytes_total", "Bytes that replication of the VM has sent over the network (NetworkBytesSent), after compression.", vmLabels...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return number(p.NetworkBytesSent) },
	},
	{
		counter("network_received_bytes_total", "Bytes that replication of the VM has received over the network (NetworkBytesRecv), before decompression.", vmLabels...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return number(p.NetworkBytesRecv) },
	},
	{
		counter("resynchronized_bytes_total", "Bytes that were sent to resynchronize the VM (ResynchronizedBytes).", vmLabels...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return number(p.ResynchronizedBytes) },
	},
	{
		counter("replications_total", "Replication cycles of the VM (ReplicationCount).", vmLabels...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return number(p.ReplicationCount) },
	},
}

// perfCollector gives Windows' performance counters. Windows keys them by the
// VM's display name: vm_id is empty where that is not the name of exactly one VM,
// and counters that share a name are left out.
func perfCollector() Collector {
	var metrics []*Metric
	for _, c := range perfCounters {
		metrics = append(metrics, c.metric)
	}
	return Collector{
		Name:    "perf",
		Help:    "Windows' performance counters of replication: bytes on the wire.",
		Reads:   rowsOf(msvm.ReplicaPerformance{}, msvm.ComputerSystem{}),
		Metrics: metrics,
		collect: func(ctx context.Context, v *view, out *output) error {
			rows, perfErr := read[msvm.ReplicaPerformance](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			if perfErr != nil || sysErr != nil {
				return errors.Join(perfErr, sysErr)
			}
			ids := idsByName(systems)
			instances := map[string]int{}
			for _, r := range rows.rows {
				instances[perfName(r, ids)]++
			}
			for _, r := range rows.rows {
				name := perfName(r, ids)
				if name == "" || name == "_Total" { // a sum would count in every sum over vm again
					continue
				}
				if instances[name] > 1 {
					out.note("duplicate "+name, "performance counters of VMs that share a name are left out: rename them", "vm", name)
					continue
				}
				id := ""
				if len(ids[name]) == 1 {
					id = ids[name][0]
				}
				collectPerf(r, newLabels("vm", name, "vm_id", id), out)
			}
			return nil
		},
	}
}

func collectPerf(r msvm.ReplicaPerformance, l labels, out *output) {
	for _, c := range perfCounters {
		if v, ok := c.value(r); ok {
			out.add(c.metric, v, l)
		}
	}
}

// idsByName are the VMs that have each name.
func idsByName(systems machines) map[string][]string {
	ids := make(map[string][]string, len(systems))
	for id := range systems {
		ids[systems.name(id)] = append(ids[systems.name(id)], id)
	}
	return ids
}

// numbered is the name of an instance that is not the first of its name.
var numbered = regexp.MustCompile(`^(.+)#\d+$`)

// perfName is the name of the VM that the row is about: without the number that
// Windows adds to a name that several have, unless a VM is really called so.
func perfName(r msvm.ReplicaPerformance, ids map[string][]string) string {
	m := numbered.FindStringSubmatch(r.Name)
	if m == nil || len(ids[r.Name]) > 0 || len(ids[m[1]]) == 0 {
		return r.Name
	}
	return m[1]
}
