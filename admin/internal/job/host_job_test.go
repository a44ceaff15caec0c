package job

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The test VM of a test failover is the VM that its job affects besides the replica. If the host does not show that, it
// is the test VM of the replica. The test VMs of other replicas and jobs do not matter.
func TestFindTestVM(t *testing.T) {
	affects := func(job, vm string) msvm.AffectedJobElement {
		return msvm.AffectedJobElement{AffectedElement: msvm.VMRef(vm), AffectingElement: msvm.JobRef(job)}
	}
	testOf := func(replica, test string) msvm.ReplicaSystemDependency {
		return msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(replica), Dependent: msvm.VMRef(test)}
	}
	const otherTest = "C0FFEE00-0002-4000-8000-000000000002"
	for _, tt := range []struct {
		name     string
		affected []msvm.AffectedJobElement
		tests    []msvm.ReplicaSystemDependency
		want     string
	}{
		{
			"affected by the job",
			[]msvm.AffectedJobElement{affects(jobB, otherTest), affects(jobA, vmA), affects(jobA, testVM)},
			[]msvm.ReplicaSystemDependency{testOf(vmA, otherTest)},
			testVM,
		},
		{"affected, in lower case", []msvm.AffectedJobElement{affects(strings.ToLower(jobA), testVM)}, nil, testVM},
		{
			"only the replica is affected",
			[]msvm.AffectedJobElement{affects(jobA, vmA), affects(jobB, otherTest)},
			[]msvm.ReplicaSystemDependency{testOf(vmB, otherTest), testOf(vmA, testVM)},
			testVM,
		},
		{
			"no VM is affected",
			[]msvm.AffectedJobElement{{AffectedElement: "Msvm_X", AffectingElement: msvm.JobRef(jobA)}},
			[]msvm.ReplicaSystemDependency{testOf(vmA, testVM)},
			testVM,
		},
		{"nothing is shown", nil, nil, ""},
		{"test VM of another replica", nil, []msvm.ReplicaSystemDependency{testOf(vmB, otherTest)}, ""},
	} {
		for _, method := range []string{"TestReplicaSystem", "InitiateFailover"} {
			tr := newTestTracker(t)
			if err := tr.Begin(Record{
				ID: "a", State: Running, VMID: vmA, Method: method, Path: path(jobA), Created: startTime,
			}); err != nil {
				t.Fatal(err)
			}
			tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
			tr.host.affected, tr.host.tests = tt.affected, tt.tests
			tr.refresh()
			want := tt.want
			if method != "TestReplicaSystem" {
				want = ""
			}
			if got := tr.get("a").TestVM; got != want {
				t.Errorf("%s, %s: got %q, want %q", tt.name, method, got, want)
			}
		}
	}
}

// The errors of a failed job, and of a job with warnings, are in its record.
func TestErrorsOfAJobAreInItsRecord(t *testing.T) {
	for state, want := range map[uint16]int{10: 2, 32768: 2, 7: 0, 8: 0} {
		tr := newTestTracker(t)
		tr.begin("a", vmA, path(jobA))
		tr.host.jobs = []msvm.ConcreteJob{row(jobA, state)}
		const text = `<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="Message" TYPE="string"><VALUE>no space</VALUE></PROPERTY>` +
			`<PROPERTY NAME="PerceivedSeverity" TYPE="uint16"><VALUE>6</VALUE></PROPERTY></INSTANCE>`
		tr.host.errors = func() (wmiquery.Reply, error) {
			return wmiquery.Reply{Out: map[string]any{"Errors": []string{text, "not an instance", text}}}, nil
		}
		tr.refresh()
		r := tr.get("a")
		if len(r.Errors) != want || want > 0 && (r.Errors[0].Message != "no space" || r.Errors[0].Severity != "critical") {
			t.Errorf("state %d: the errors are %+v, want %d", state, r.Errors, want)
		}
	}
}
