package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// newTest is a test replica of the machine, turned off.
func (m *machine) newTest(id string, at time.Time) *machine {
	m.test = &machine{
		guest: m.guest, index: m.index, id: id, name: m.name + " - Test",
		installed: at.Truncate(time.Second), mode: msvm.ModeTestReplica, tests: m,
	}
	return m.test
}

// testReplica is Msvm_ReplicationService.TestReplicaSystem: a test VM of a
// recovery point, of which a replica has one at most. Replication goes on. The
// test VM is known when the job is done, by Msvm_AffectedJobElement.
func testReplica(r *request) wmiquery.Reply {
	m, s := r.machine, r.side
	if m.test != nil {
		return refuse(wmiquery.CodeInvalidState)
	}
	if _, code := r.point(); code != wmiquery.CodeCompleted {
		return refuse(code)
	}
	j := &job{kind: msvm.JobInitiateTestReplica, length: r.between(10, 30)}
	j.onEnd = func(at time.Time) *failure {
		j.result = m.newTest(drawGUID(m.guest.rand()), at)
		j.result.came = at
		m.host.add(j.result)
		s.lastTest = at
		return nil
	}
	return started(r.post(j))
}

// destroy is Msvm_VirtualSystemManagementService.DestroySystem, of test replicas
// only: package msvm says so, and the table of methods checks it.
func destroy(r *request) wmiquery.Reply {
	m := r.machine
	return started(r.post(&job{
		kind: msvm.JobRemoveTestReplica, length: r.between(2, 8),
		onEnd: func(time.Time) *failure {
			m.host.remove(m)
			m.tests.test = nil
			return nil
		},
	}))
}
