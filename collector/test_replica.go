package collector

import (
	"context"
	"errors"
	"fmt"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var testReplicaPresent = gauge("test_replica_present",
	"A test VM that a test failover of the replica has left (Msvm_ReplicaSystemDependency), test_vm_id being its GUID; always 1, absent when it is gone.",
	perVM("test_vm_id")...)

// testReplicaCollector tells which replicas have a test VM. On a cluster a
// replica may have two: each dependency is a series.
func testReplicaCollector() Collector {
	return Collector{
		Name:    "test_replica",
		Help:    "Test VMs that test failovers have left.",
		Default: true,
		Reads:   rowsOf(msvm.ReplicaSystemDependency{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{testReplicaPresent},
		collect: func(ctx context.Context, v *view, out *output) error {
			dependencies, depErr := read[msvm.ReplicaSystemDependency](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			if depErr != nil || sysErr != nil {
				return errors.Join(depErr, sysErr)
			}
			type pair struct{ replica, test string }
			seen := map[pair]bool{}
			var errs []error
			for _, d := range dependencies.rows {
				p := pair{msvm.VMOf(d.Antecedent), msvm.VMOf(d.Dependent)}
				if p.replica == "" || p.test == "" {
					errs = append(errs, fmt.Errorf("a test replica's dependency is not of two VMs: %s, %s", d.Antecedent, d.Dependent))
					continue
				}
				if seen[p] {
					continue
				}
				seen[p] = true
				out.add(testReplicaPresent, 1, systems.labels(p.replica).with(label("test_vm_id", p.test)))
			}
			return errors.Join(errs...)
		},
	}
}
