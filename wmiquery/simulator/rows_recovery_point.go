package simulator

import (
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// eachPoint calls each for every recovery point on the host.
func (v view) eachPoint(each func(vm *hostVM, e *endpoint, p recoveryPoint)) {
	for _, vm := range v.host.vms {
		vm.logical.advance(v.at)
		if e := vm.endpoints[msvm.Primary]; e != nil {
			for _, p := range e.recoveryPoints {
				each(vm, e, p)
			}
		}
	}
}

// virtualSystemSettings has a row for each VM and for each recovery point.
func (v view) virtualSystemSettings() []msvm.VirtualSystemSettingData {
	rows := make([]msvm.VirtualSystemSettingData, 0, len(v.host.vms))
	for _, vm := range v.host.vms {
		rows = append(rows, msvm.VirtualSystemSettingData{
			InstanceID:              "Microsoft:" + vm.id,
			ElementName:             new(v.faults.displayName(vm)),
			VirtualSystemIdentifier: &vm.id,
			VirtualSystemType:       new("Microsoft:Hyper-V:System:Realized"),
			CreationTime:            new(vm.installed),
		})
	}
	types := msvm.RecoveryPointTypes()
	v.eachPoint(func(vm *hostVM, e *endpoint, p recoveryPoint) {
		at := time.Unix(p.at, 0).UTC()
		name := fmt.Sprintf("%s - %s - (%s)", v.faults.displayName(vm), p.kind, at.Format("1/2/2006 - 3:04:05 PM"))
		rows = append(rows, msvm.VirtualSystemSettingData{
			InstanceID:              e.pointID(p),
			ElementName:             &name,
			VirtualSystemIdentifier: &vm.id,
			VirtualSystemType:       new(types[p.kind].VirtualSystemType()),
			CreationTime:            &at,
		})
	})
	return rows
}

// snapshotsOfVirtualSystems refers each recovery point to its VM.
func (v view) snapshotsOfVirtualSystems() []msvm.SnapshotOfVirtualSystem {
	var rows []msvm.SnapshotOfVirtualSystem
	v.eachPoint(func(vm *hostVM, e *endpoint, p recoveryPoint) {
		rows = append(rows, msvm.SnapshotOfVirtualSystem{
			Antecedent: msvm.VMRef(vm.id),
			Dependent:  msvm.VirtualSystemSettingData{InstanceID: e.pointID(p)}.Ref(),
		})
	})
	return rows
}

// replicaSystemDependencies refers replicas to their test replicas.
func (v view) replicaSystemDependencies() []msvm.ReplicaSystemDependency {
	var rows []msvm.ReplicaSystemDependency
	for _, vm := range v.host.vms {
		if vm.testReplica != nil {
			rows = append(rows, msvm.ReplicaSystemDependency{
				Antecedent: msvm.VMRef(vm.id), Dependent: msvm.VMRef(vm.testReplica.id),
			})
		}
	}
	return rows
}
