package collector

import (
	"context"
	"errors"
	"fmt"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var testReplicaPresent = gauge("test_replica_present",
	"Test VM that a test failover of the replica created (Msvm_ReplicaSystemDependency); test_vm_id is its GUID; "+
		"always 1, absent when the test VM is gone.",
	perVM("test_vm_id")...)

// testReplicaCollector exposes the replicas that have a test VM. On a cluster a
// replica may have two test VMs, each with its own series.
func testReplicaCollector() Collector {
	return Collector{
		Name:    "test_replica",
		Help:    "Test VMs that test failovers created.",
		Default: true,
		Reads:   instancesOf(msvm.ReplicaSystemDependency{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{testReplicaPresent},
		collect: func(ctx context.Context, v *view, out *output) error {
			dependencies, dependencyErr := read[msvm.ReplicaSystemDependency](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			if dependencyErr != nil || vmErr != nil {
				return errors.Join(dependencyErr, vmErr)
			}
			type pair struct{ replica, test string }
			seen, replicas := map[pair]bool{}, map[string]bool{}
			var errs []error
			for _, d := range dependencies.rows {
				p := pair{msvm.VMOf(d.Antecedent), msvm.VMOf(d.Dependent)}
				if p.replica == "" || p.test == "" {
					errs = append(errs,
						fmt.Errorf("dependency between %.200q and %.200q: not between two VMs", d.Antecedent, d.Dependent))
					continue
				}
				if seen[p] {
					continue
				}
				seen[p], replicas[p.replica] = true, true
				out.add(testReplicaPresent, 1, vms.labels(p.replica), label("test_vm_id", p.test))
			}
			errs = append(errs, checkShown(v, every[msvm.ReplicaSystemDependency]),
				checkShown(v, vmIn(func(id string) bool { return replicas[id] }), "Name", "ElementName"))
			return errors.Join(errs...)
		},
	}
}
