package operation

import (
	"context"
	"slices"
	"sync"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func (s *Snapshot) readTestVMs(ctx context.Context, r wmiquery.Reader) error {
	rows, err := readRows[msvm.ReplicaSystemDependency](ctx, r)
	if len(rows.invalid) > 0 {
		s.errTestVMs = invalidError(rows.invalid[0])
	}
	for _, d := range rows.all {
		if replica, test := msvm.VMOf(d.Antecedent), msvm.VMOf(d.Dependent); replica != "" && test != "" {
			s.testVMs[replica] = append(s.testVMs[replica], test)
		}
	}
	return err
}

// TestVMs returns the GUIDs of the test VMs of a replica.
func (s *Snapshot) TestVMs(replica string) []string { return s.testVMs[replica] }

// SetStartedTests sets what returns the test VMs of the test failovers that this program started: their GUIDs, with the
// GUID of the replica. It is called once, when the policy has to decide on the clean-up of a test failover.
func (s *Snapshot) SetStartedTests(started func() map[string]string) {
	once := sync.OnceValue(started)
	for replica, tests := range s.testVMs {
		if r := s.link(replica, msvm.Primary); r != nil && len(tests) == 1 {
			r.startedTest = func() bool { return once()[tests[0]] == replica }
		}
	}
}

// deletes notes that the call deletes a test VM that can be deleted.
func (p *Plan) deletes(s *Snapshot, test string) {
	p.deletesTestVM = true
	p.Destroys = "the test VM " + s.nameAndGUID(test)
}

// nameAndGUID returns the name and the GUID of a VM, only the GUID if the host shows no name.
func (s *Snapshot) nameAndGUID(vm string) string {
	if name := nameOr(msvm.StringOrEmpty(s.vms[vm].ElementName), ""); name != "" {
		return name + " (" + vm + ")"
	}
	return vm
}

// replicaOf returns the GUID of the replica that a test VM belongs to, "" if there is none.
func (s *Snapshot) replicaOf(test string) string {
	for replica, tests := range s.testVMs {
		if slices.Contains(tests, test) {
			return replica
		}
	}
	return ""
}

// testVM returns the test VM of a replica if it can be deleted. The host must report exactly one test VM for the
// replica, and the mode of that VM must say the same.
func (s *Snapshot) testVM(replica string) (string, *problem.Problem) {
	tests := s.testVMs[replica]
	if p, ok := problem.FromError(s.errTestVMs); ok {
		return "", p
	}
	if len(tests) != 1 {
		return "", problem.New(problem.InvalidState, "the VM has %d test VMs; requires exactly one", len(tests))
	}
	return tests[0], s.checkDeletable(tests[0])
}

// checkDeletable returns nil only for a test VM that is turned off.
func (s *Snapshot) checkDeletable(vm string) *problem.Problem {
	c, _ := preconditionsOf(methodNamed(msvm.MethodDestroySystem), 0, nil)
	system, ok := s.vms[vm]
	if !ok {
		return problem.New(problem.NotFound, "vm %s: not found on this host", vm)
	}
	if mode, known := system.Mode(); !known || mode != msvm.ModeTestReplica {
		return c.describe(problem.New(problem.InvalidState,
			"vm %s: the mode is %s; only a VM of mode test_replica can be deleted", s.nameAndGUID(vm), mode))
	}
	return c.check(&Relationship{Key: msvm.Key{VM: vm, Link: msvm.Primary}, VM: system})
}
