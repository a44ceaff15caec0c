package collector

import (
	"context"
	"errors"
	"regexp"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// perfCounters are the counters of an instance of the performance class. Windows
// resets them to 0 when the service vmms restarts.
var perfCounters = [...]struct {
	metric *Metric
	value  func(msvm.ReplicaPerformance) (value float64, known bool)
}{
	{
		counter("network_sent_bytes_total",
			"Bytes that replication of the VM sent over the network, after compression (NetworkBytesSent).", perVM()...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return toFloat(p.NetworkBytesSent) },
	},
	{
		counter("network_received_bytes_total",
			"Bytes that replication of the VM received over the network, before decompression "+
				"(NetworkBytesRecv).", perVM()...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return toFloat(p.NetworkBytesRecv) },
	},
	{
		counter("resynchronized_bytes_total", "Bytes sent to resynchronize the VM (ResynchronizedBytes).", perVM()...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return toFloat(p.ResynchronizedBytes) },
	},
	{
		counter("replications_total", "Replication cycles of the VM (ReplicationCount).", perVM()...),
		func(p msvm.ReplicaPerformance) (float64, bool) { return toFloat(p.ReplicationCount) },
	},
}

// perfCollector exposes the performance counters of Windows, whose key is the
// display name of the VM. The label vm_id is empty if not exactly one VM has that
// name. Counters of VMs that share a name are omitted.
func perfCollector() Collector {
	var metrics []*Metric
	for _, c := range perfCounters {
		metrics = append(metrics, c.metric)
	}
	return Collector{
		Name:    "perf",
		Help:    "Windows performance counters of replication: bytes sent and received over the network.",
		Reads:   instancesOf(msvm.ReplicaPerformance{}, msvm.ComputerSystem{}),
		Metrics: metrics,
		collect: func(ctx context.Context, v *view, out *output) error {
			counters, counterErr := read[msvm.ReplicaPerformance](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if counterErr != nil || vmErr != nil {
				return errors.Join(counterErr, vmErr)
			}
			ids := idsByName(vms)
			instances := map[string]int{}
			for _, r := range counters.rows {
				instances[vmNameOf(r, ids)]++
			}
			for _, r := range counters.rows {
				name := vmNameOf(r, ids)
				if name == "_Total" { // the total would double every sum over vm
					continue
				}
				if instances[name] > 1 {
					out.warn("duplicate "+name,
						"performance counters omitted because several VMs have the same name", "vm", name)
					continue
				}
				id := ""
				if len(ids[name]) == 1 {
					id = ids[name][0]
				}
				collectPerf(r, newLabels("vm", name, "vm_id", id), out)
			}
			return errors.Join(checkShown(v, isVM, "Name", "ElementName"),
				checkShown(v, func(p msvm.ReplicaPerformance) bool { return p.Name != "_Total" }))
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

// idsByName returns the GUIDs of the VMs by display name.
func idsByName(vms vmsByID) map[string][]string {
	ids := make(map[string][]string, len(vms))
	for id := range vms {
		ids[vms.name(id)] = append(ids[vms.name(id)], id)
	}
	return ids
}

// numberedName matches an instance name to which Windows has added a number
// because several VMs have the same name.
var numberedName = regexp.MustCompile(`(?s)^(.+)#\d+$`)

// vmNameOf returns the display name of the VM that a performance instance belongs
// to. That is the name of the instance without the number that Windows may have
// added, unless a VM has the name with the number.
func vmNameOf(r msvm.ReplicaPerformance, ids map[string][]string) string {
	m := numberedName.FindStringSubmatch(r.Name)
	if m == nil || len(ids[r.Name]) > 0 || len(ids[m[1]]) == 0 {
		return r.Name
	}
	return m[1]
}
