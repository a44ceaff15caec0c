package admin

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A planned failover from end to end, over HTTP and on both hosts.
func TestPlannedFailover(t *testing.T) {
	l := newLab(t)
	vm := l.vms[healthy]
	l.want("prepare while it runs", l.act("HV01", "fred", healthy, "primary", "prepare-failover", nil), http.StatusConflict, "invalid-state")
	if err := l.world.SetPower(vm, "HV01", false); err != nil {
		t.Fatal(err)
	}
	l.finish("prepare", "HV01", l.act("HV01", "fred", healthy, "primary", "prepare-failover", m{"expected_state": "replicating", "expected_mode": "primary"}), "succeeded")
	l.want("the same state as before", l.act("HV01", "fred", healthy, "primary", "prepare-failover", m{"expected_state": "replicating"}), http.StatusPreconditionFailed, "precondition-failed")
	l.finish("failover", "HV02", l.confirmed("HV02", "fred", healthy, "failover", nil), "succeeded")
	if s := l.get("HV02", "vic", l.replica(healthy, "primary")).json; s["state"] != "recovered" || s["failed_over_replication_type"] != "planned" {
		t.Errorf("after the failover: %v, %v", s["state"], s["failed_over_replication_type"])
	}
	l.finish("reverse", "HV02", l.confirmed("HV02", "fred", healthy, "reverse", nil), "succeeded")
	if one, two := l.get("HV01", "vic", l.replica(healthy, "primary")).json, l.get("HV02", "vic", l.replica(healthy, "primary")).json; one["mode"] != "replica" || two["mode"] != "primary" || two["state"] != "replicating" {
		t.Errorf("after the reverse: %v and %v %v", one["mode"], two["mode"], two["state"])
	}
}

// An unplanned failover, back, to an older recovery point, and for good.
func TestUnplannedFailover(t *testing.T) {
	const vm = withPoints
	l := newLab(t)
	points := func() []any {
		all, _ := l.get("HV02", "vic", l.replica(vm, "primary")).json["recovery_points"].([]any)
		return all
	}
	l.want("a point that is not there", l.act("HV02", "fred", vm, "primary", "failover", m{"parameters": m{"SnapshotSettingData": "Microsoft:x"}}), http.StatusNotFound, "not-found")
	l.finish("failover", "HV02", l.confirmed("HV02", "fred", vm, "failover", nil), "succeeded")
	l.finish("cancel", "HV02", l.confirmed("HV02", "fred", vm, "cancel-failover", nil), "succeeded")
	before := points()
	if len(before) < 2 {
		t.Fatalf("there are %d recovery points, of which none is older than the latest", len(before))
	}
	oldest, _ := before[0].(m)["InstanceID"].(string)
	calls := l.hosts["HV02"].pool.called()
	l.finish("failover", "HV02", l.confirmed("HV02", "fred", vm, "failover", m{"parameters": m{"SnapshotSettingData": oldest}}), "succeeded")
	want := wmiquery.Param{Name: "SnapshotSettingData", Value: msvm.VirtualSystemSettingData{InstanceID: oldest}.Ref()}
	if made := l.hosts["HV02"].pool.calls[calls:]; len(made) != 1 || !slices.Contains(made[0].In, want) {
		t.Errorf("calls are %+v, want one with %v", made, want)
	}
	l.finish("commit", "HV02", l.confirmed("HV02", "fred", vm, "commit-failover", nil), "succeeded")
	if after := points(); len(after) > 0 {
		t.Errorf("after the commit there are %d recovery points", len(after))
	}
	l.want("commit again", l.act("HV02", "fred", vm, "primary", "commit-failover", nil), http.StatusConflict, "invalid-state")
	l.finish("remove", "HV02", l.confirmed("HV02", "omar", vm, "remove", nil), "succeeded")
}

// What is not replicating when its primary is lost fails over after a resume.
func TestFailoverAfterResume(t *testing.T) {
	for _, tt := range []struct {
		state, host string
		vm          int
	}{
		{"suspended", "HV01", 11},
		{"critical", "HV02", 9},
		{"resynchronizing", "HV02", 12},
	} {
		t.Run(tt.state, func(t *testing.T) {
			l := newLab(t)
			state := func() any { return l.get(tt.host, "vic", l.replica(tt.vm, "primary")).json["state"] }
			if got := state(); got != tt.state {
				t.Fatalf("the replica is %v", got)
			}
			l.want("failover", l.act(tt.host, "fred", tt.vm, "primary", "failover", nil), http.StatusConflict, "invalid-state")
			l.finish("resume", tt.host, l.act(tt.host, "fred", tt.vm, "primary", "resume", nil), "succeeded")
			l.finish("failover", tt.host, l.confirmed(tt.host, "fred", tt.vm, "failover", nil), "succeeded")
			if got := state(); got != "recovered" {
				t.Errorf("after the failover it is %v", got)
			}
		})
	}
}

// A test failover, and that nothing but its VM is deleted.
func TestTestFailover(t *testing.T) {
	l := newLab(t)
	l.want("nothing to clean up", l.act("HV02", "olga", healthy, "primary", "cleanup-test-failover", nil), http.StatusConflict, "invalid-state")
	done := l.finish("test", "HV02", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), "succeeded")
	test, _ := done.json["test_vm_id"].(string)
	if !msvm.IsGUID(test) || test == l.vms[healthy] {
		t.Fatalf("the test VM is %q", test)
	}
	l.want("a second test", l.act("HV02", "olga", healthy, "primary", "test-failover", nil), http.StatusConflict, "invalid-state")
	for what, victim := range map[string]string{"the replica": l.vms[healthy], "another VM": l.vms[inboundVM]} {
		r := l.do("HV02", "omar", http.MethodPost, "/api/v1/methods/DestroySystem", m{"parameters": m{"AffectedSystem": victim}})
		l.want("delete "+what, r, http.StatusConflict, "invalid-state")
		if modes, _ := r.json["works_in_modes"].([]any); !slices.Equal(modes, []any{"test_replica"}) {
			t.Errorf("delete %s: works in %v", what, modes)
		}
	}
	calls := l.hosts["HV02"].pool.called()
	l.finish("clean up", "HV02", l.confirmed("HV02", "olga", healthy, "cleanup-test-failover", nil), "succeeded")
	made := l.hosts["HV02"].pool.calls[calls:]
	if len(made) != 1 || made[0].In[0].Value != msvm.VMRef(test) {
		t.Errorf("calls are %+v", made)
	}
}

// Initial replication, pause, resume, resynchronization, statistics, connection.
func TestVerbs(t *testing.T) {
	l := newLab(t)
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	l.want("suspend again", l.act("HV01", "tim", healthy, "primary", "suspend", nil), http.StatusConflict, "invalid-state")
	l.finish("resume", "HV01", l.act("HV01", "tim", healthy, "primary", "resume", nil), "succeeded")
	l.finish("reset", "HV01", l.confirmed("HV01", "olga", healthy, "reset-statistics", nil), "succeeded")
	l.finish("connection", "HV01", l.act("HV01", "tim", healthy, "primary", "test-connection", nil), "succeeded")
	l.finish("start", "HV01", l.act("HV01", "tim", freshVM, "primary", "start-initial-replication", nil), "succeeded")
	l.finish("cancel", "HV01", l.act("HV01", "tim", freshVM, "primary", "cancel-initial-replication", nil), "succeeded")
	l.want("an export takes a folder, which the action does not", l.act("HV01", "omar", freshVM, "primary", "start-initial-replication", m{"parameters": m{"InitialReplicationType": 2}}), http.StatusBadRequest, "invalid-parameter")
}

// A resynchronization can be paused, goes on, and can be cancelled while it runs;
// no second one begins beside it.
func TestResynchronize(t *testing.T) {
	l := newLab(t)
	l.clock.Advance(2 * time.Hour) // those of the world have ended
	l.finish("suspend", "HV01", l.act("HV01", "olga", healthy, "primary", "suspend", nil), "succeeded")
	started := l.confirmed("HV01", "olga", healthy, "resynchronize", nil)
	if started.code != http.StatusAccepted {
		t.Fatal(started)
	}
	l.want("beside it", l.act("HV01", "tim", resyncPaused, "primary", "resume", nil), http.StatusConflict, "resynchronization-running")
	l.want("another action", l.act("HV01", "olga", healthy, "primary", "reset-statistics", nil), http.StatusConflict, "busy")
	l.clock.Advance(10 * time.Second)
	stopped := l.act("HV01", "olga", healthy, "primary", "cancel-resynchronize", nil)
	l.finish("cancel", "HV01", stopped, "succeeded")
	l.finish("the resynchronization", "HV01", started, "cancelled")
}

// A replica that is replicated on becomes the primary of that.
func TestContinueExtended(t *testing.T) {
	l := newLab(t)
	vm := withExtension
	l.want("too early", l.act("HV01", "fred", vm, "primary", "continue-extended", nil), http.StatusConflict, "invalid-state")
	l.want("the primary relationship first", l.act("HV01", "omar", vm, "primary", "remove", nil), http.StatusConflict, "invalid-state")
	l.want("not the extended one", l.act("HV01", "fred", vm, "extended", "failover", nil), http.StatusConflict, "invalid-state")
	l.finish("failover", "HV01", l.confirmed("HV01", "fred", vm, "failover", nil), "succeeded")
	l.want("reverse", l.act("HV01", "fred", vm, "primary", "reverse", nil), http.StatusConflict, "invalid-state")
	l.finish("commit", "HV01", l.confirmed("HV01", "fred", vm, "commit-failover", nil), "succeeded")
	l.finish("continue", "HV01", l.confirmed("HV01", "fred", vm, "continue-extended", nil), "succeeded")
	if got := l.get("HV01", "vic", l.replica(vm, "primary")).json["mode"]; got != "primary" {
		t.Errorf("the mode is %v", got)
	}
}
