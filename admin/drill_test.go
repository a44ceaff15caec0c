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
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	env.want("prepare while it runs", env.act("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil), http.StatusConflict, "invalid-state")
	if err := env.world.SetPower(vm, "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.finish("prepare", "HV01", env.act("HV01", "fred", vmReplicating, "primary", "prepare-failover", object{"expected_state": "replicating", "expected_mode": "primary"}), "succeeded")
	env.want("the same state as before", env.act("HV01", "fred", vmReplicating, "primary", "prepare-failover", object{"expected_state": "replicating"}), http.StatusPreconditionFailed, "precondition-failed")
	env.finish("failover", "HV02", env.confirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	if s := env.get("HV02", "vic", env.replica(vmReplicating, "primary")).json; s["state"] != "recovered" || s["failed_over_replication_type"] != "planned" {
		t.Errorf("after the failover: %v, %v", s["state"], s["failed_over_replication_type"])
	}
	env.finish("reverse", "HV02", env.confirmed("HV02", "fred", vmReplicating, "reverse", nil), "succeeded")
	if one, two := env.get("HV01", "vic", env.replica(vmReplicating, "primary")).json, env.get("HV02", "vic", env.replica(vmReplicating, "primary")).json; one["mode"] != "replica" || two["mode"] != "primary" || two["state"] != "replicating" {
		t.Errorf("after the reverse: %v and %v %v", one["mode"], two["mode"], two["state"])
	}
}

// An unplanned failover, back, to an older recovery point, and for good.
func TestUnplannedFailover(t *testing.T) {
	const vm = vmWithRecoveryPoints
	env := newTestEnv(t)
	points := func() []any {
		all, _ := env.get("HV02", "vic", env.replica(vm, "primary")).json["recovery_points"].([]any)
		return all
	}
	env.want("a point that is not there", env.act("HV02", "fred", vm, "primary", "failover", object{"parameters": object{"SnapshotSettingData": "Microsoft:x"}}), http.StatusNotFound, "not-found")
	env.finish("failover", "HV02", env.confirmed("HV02", "fred", vm, "failover", nil), "succeeded")
	env.finish("cancel", "HV02", env.confirmed("HV02", "fred", vm, "cancel-failover", nil), "succeeded")
	before := points()
	if len(before) < 2 {
		t.Fatalf("there are %d recovery points, of which none is older than the latest", len(before))
	}
	oldest, _ := before[0].(object)["InstanceID"].(string)
	calls := env.hosts["HV02"].pool.callCount()
	env.finish("failover", "HV02", env.confirmed("HV02", "fred", vm, "failover", object{"parameters": object{"SnapshotSettingData": oldest}}), "succeeded")
	want := wmiquery.Param{Name: "SnapshotSettingData", Value: msvm.VirtualSystemSettingData{InstanceID: oldest}.Ref()}
	if made := env.hosts["HV02"].pool.calls[calls:]; len(made) != 1 || !slices.Contains(made[0].In, want) {
		t.Errorf("calls are %+v, want one with %v", made, want)
	}
	env.finish("commit", "HV02", env.confirmed("HV02", "fred", vm, "commit-failover", nil), "succeeded")
	if after := points(); len(after) > 0 {
		t.Errorf("after the commit there are %d recovery points", len(after))
	}
	env.want("commit again", env.act("HV02", "fred", vm, "primary", "commit-failover", nil), http.StatusConflict, "invalid-state")
	env.finish("remove", "HV02", env.confirmed("HV02", "omar", vm, "remove", nil), "succeeded")
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
			env := newTestEnv(t)
			state := func() any { return env.get(tt.host, "vic", env.replica(tt.vm, "primary")).json["state"] }
			if got := state(); got != tt.state {
				t.Fatalf("the replica is %v", got)
			}
			env.want("failover", env.act(tt.host, "fred", tt.vm, "primary", "failover", nil), http.StatusConflict, "invalid-state")
			env.finish("resume", tt.host, env.act(tt.host, "fred", tt.vm, "primary", "resume", nil), "succeeded")
			env.finish("failover", tt.host, env.confirmed(tt.host, "fred", tt.vm, "failover", nil), "succeeded")
			if got := state(); got != "recovered" {
				t.Errorf("after the failover it is %v", got)
			}
		})
	}
}

// A test failover, and that nothing but its VM is deleted.
func TestTestFailover(t *testing.T) {
	env := newTestEnv(t)
	env.want("nothing to clean up", env.act("HV02", "olga", vmReplicating, "primary", "cleanup-test-failover", nil), http.StatusConflict, "invalid-state")
	done := env.finish("test", "HV02", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), "succeeded")
	test, _ := done.json["test_vm_id"].(string)
	if !msvm.IsGUID(test) || test == env.vms[vmReplicating] {
		t.Fatalf("the test VM is %q", test)
	}
	env.want("a second test", env.act("HV02", "olga", vmReplicating, "primary", "test-failover", nil), http.StatusConflict, "invalid-state")
	for what, victim := range map[string]string{"the replica": env.vms[vmReplicating], "another VM": env.vms[vmInbound]} {
		r := env.do("HV02", "omar", http.MethodPost, "/api/v1/methods/DestroySystem", object{"parameters": object{"AffectedSystem": victim}})
		env.want("delete "+what, r, http.StatusConflict, "invalid-state")
		if modes, _ := r.json["works_in_modes"].([]any); !slices.Equal(modes, []any{"test_replica"}) {
			t.Errorf("delete %s: works in %v", what, modes)
		}
	}
	calls := env.hosts["HV02"].pool.callCount()
	env.finish("clean up", "HV02", env.confirmed("HV02", "olga", vmReplicating, "cleanup-test-failover", nil), "succeeded")
	made := env.hosts["HV02"].pool.calls[calls:]
	if len(made) != 1 || made[0].In[0].Value != msvm.VMRef(test) {
		t.Errorf("calls are %+v", made)
	}
}

// Initial replication, pause, resume, resynchronization, statistics, connection.
func TestVerbs(t *testing.T) {
	env := newTestEnv(t)
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("suspend again", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), http.StatusConflict, "invalid-state")
	env.finish("resume", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	env.finish("reset", "HV01", env.confirmed("HV01", "olga", vmReplicating, "reset-statistics", nil), "succeeded")
	env.finish("connection", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "test-connection", nil), "succeeded")
	env.finish("start", "HV01", env.act("HV01", "tim", vmNotStarted, "primary", "start-initial-replication", nil), "succeeded")
	env.finish("cancel", "HV01", env.act("HV01", "tim", vmNotStarted, "primary", "cancel-initial-replication", nil), "succeeded")
	env.want("an export takes a folder, which the action does not", env.act("HV01", "omar", vmNotStarted, "primary", "start-initial-replication", object{"parameters": object{"InitialReplicationType": 2}}), http.StatusBadRequest, "invalid-parameter")
}

// A resynchronization can be paused, goes on, and can be cancelled while it runs;
// no second one begins beside it.
func TestResynchronize(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // those of the world have ended
	env.finish("suspend", "HV01", env.act("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.confirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	if started.code != http.StatusAccepted {
		t.Fatal(started)
	}
	env.want("beside it", env.act("HV01", "tim", vmResyncPaused, "primary", "resume", nil), http.StatusConflict, "resynchronization-running")
	env.want("another action", env.act("HV01", "olga", vmReplicating, "primary", "reset-statistics", nil), http.StatusConflict, "busy")
	env.clock.Advance(10 * time.Second)
	stopped := env.act("HV01", "olga", vmReplicating, "primary", "cancel-resynchronize", nil)
	env.finish("cancel", "HV01", stopped, "succeeded")
	env.finish("the resynchronization", "HV01", started, "cancelled")
}

// A replica that is replicated on becomes the primary of that.
func TestContinueExtended(t *testing.T) {
	env := newTestEnv(t)
	vm := vmExtended
	env.want("too early", env.act("HV01", "fred", vm, "primary", "continue-extended", nil), http.StatusConflict, "invalid-state")
	env.want("the primary relationship first", env.act("HV01", "omar", vm, "primary", "remove", nil), http.StatusConflict, "invalid-state")
	env.want("not the extended one", env.act("HV01", "fred", vm, "extended", "failover", nil), http.StatusConflict, "invalid-state")
	env.finish("failover", "HV01", env.confirmed("HV01", "fred", vm, "failover", nil), "succeeded")
	env.want("reverse", env.act("HV01", "fred", vm, "primary", "reverse", nil), http.StatusConflict, "invalid-state")
	env.finish("commit", "HV01", env.confirmed("HV01", "fred", vm, "commit-failover", nil), "succeeded")
	env.finish("continue", "HV01", env.confirmed("HV01", "fred", vm, "continue-extended", nil), "succeeded")
	if got := env.get("HV01", "vic", env.replica(vm, "primary")).json["mode"]; got != "primary" {
		t.Errorf("the mode is %v", got)
	}
}
