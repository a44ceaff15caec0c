package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// newTest is a test replica of the machine, turned off.
func (vm *hostVM) newTestReplica(id string, at time.Time) *hostVM {
	vm.testReplica = &hostVM{
		logical: vm.logical, index: vm.index, id: id, name: vm.name + " - Test",
		installed: at.Truncate(time.Second), mode: msvm.ModeTestReplica, testOf: vm,
	}
	return vm.testReplica
}

// testReplica is Msvm_ReplicationService.TestReplicaSystem: a test VM of a
// recovery point, of which a replica has one at most. Replication goes on. The
// test VM is known when the job is done, by Msvm_AffectedJobElement.
func testReplica(r *request) wmiquery.Reply {
	vm, e := r.vm, r.endpoint
	if vm.testReplica != nil {
		return errorReply(wmiquery.CodeInvalidState)
	}
	if _, code := r.givenPoint(); code != wmiquery.CodeCompleted {
		return errorReply(code)
	}
	j := &job{kind: msvm.JobInitiateTestReplica, duration: r.drawDuration(10, 30)}
	j.onEnd = func(at time.Time) *failure {
		j.createdVM = vm.newTestReplica(drawGUID(vm.logical.rand()), at)
		j.createdVM.added = at
		vm.host.add(j.createdVM)
		e.lastTest = at
		return nil
	}
	return jobReply(r.submitJob(j))
}

// destroy is Msvm_VirtualSystemManagementService.DestroySystem, of test replicas
// only: package msvm says so, and the table of methods checks it.
func destroySystem(r *request) wmiquery.Reply {
	vm := r.vm
	return jobReply(r.submitJob(&job{
		kind: msvm.JobRemoveTestReplica, duration: r.drawDuration(2, 8),
		onEnd: func(time.Time) *failure {
			vm.host.remove(vm)
			vm.testOf.testReplica = nil
			return nil
		},
	}))
}
