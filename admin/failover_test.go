package admin

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A planned failover on both hosts: prepare, fail over, reverse.
func TestPlannedFailover(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	env.want("prepare while the VM runs",
		env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil), http.StatusConflict,
		"invalid-state")
	if err := env.world.SetPower(vm, "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("prepare", "HV01",
		env.postAction("HV01", "fred", vmReplicating,
			"primary", "prepare-failover", object{"expected_state": "replicating", "expected_mode": "primary"}), "succeeded")
	env.want("prepare again with the old state expected",
		env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", object{"expected_state": "replicating"}),
		http.StatusPreconditionFailed, "precondition-failed")
	env.waitForJob("failover", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "failover", nil), "succeeded")
	if s := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json; s["state"] != "recovered" ||
		s["failed_over_replication_type"] != "planned" {
		t.Errorf("after the failover: state %v, type %v", s["state"], s["failed_over_replication_type"])
	}
	env.waitForJob("reverse", "HV02", env.postConfirmed("HV02", "fred", vmReplicating, "reverse", nil), "succeeded")
	if one, two := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json,
		env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json; one["mode"] != "replica" ||
		two["mode"] != "primary" || two["state"] != "replicating" {
		t.Errorf("after the reverse: modes %v and %v, state %v", one["mode"], two["mode"], two["state"])
	}
}

// An unplanned failover is cancelled, repeated to an older recovery point, and committed.
func TestUnplannedFailover(t *testing.T) {
	const vm = vmWithRecoveryPoints
	env := newTestEnv(t)
	points := func() []any {
		all, _ := env.get("HV02", "vic", env.replicaPath(vm, "primary")).json["recovery_points"].([]any)
		return all
	}
	env.want("failover to an unknown recovery point",
		env.postAction("HV02", "fred", vm, "primary", "failover",
			object{"parameters": object{"SnapshotSettingData": "Microsoft:x"}}), http.StatusNotFound, "not-found")
	env.waitForJob("failover", "HV02", env.postConfirmed("HV02", "fred", vm, "failover", nil), "succeeded")
	env.waitForJob("cancel failover", "HV02", env.postConfirmed("HV02", "fred", vm, "cancel-failover", nil), "succeeded")
	before := points()
	if len(before) < 2 {
		t.Fatalf("there are %d recovery points, want at least 2", len(before))
	}
	oldest, _ := before[0].(object)["InstanceID"].(string)
	calls := env.hosts["HV02"].pool.callCount()
	env.waitForJob("failover", "HV02",
		env.postConfirmed("HV02", "fred", vm, "failover", object{"parameters": object{"SnapshotSettingData": oldest}}),
		"succeeded")
	want := wmiquery.Param{Name: "SnapshotSettingData", Value: msvm.VirtualSystemSettingData{InstanceID: oldest}.Ref()}
	if made := env.hosts["HV02"].pool.calls[calls:]; len(made) != 1 || !slices.Contains(made[0].In, want) {
		t.Errorf("the calls are %+v, want one with %v", made, want)
	}
	env.waitForJob("commit", "HV02", env.postConfirmed("HV02", "fred", vm, "commit-failover", nil), "succeeded")
	if after := points(); len(after) > 0 {
		t.Errorf("%d recovery points after the commit, want 0", len(after))
	}
	env.want("commit again", env.postAction("HV02", "fred", vm, "primary", "commit-failover", nil),
		http.StatusConflict, "invalid-state")
	env.waitForJob("remove", "HV02", env.postConfirmed("HV02", "omar", vm, "remove", nil), "succeeded")
}

// A replica that does not replicate when its primary is lost can fail over after a resume.
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
			state := func() any { return env.get(tt.host, "vic", env.replicaPath(tt.vm, "primary")).json["state"] }
			if got := state(); got != tt.state {
				t.Fatalf("the state is %v", got)
			}
			env.want("failover", env.postAction(tt.host, "fred", tt.vm, "primary", "failover", nil),
				http.StatusConflict, "invalid-state")
			env.waitForJob("resume", tt.host, env.postAction(tt.host, "fred", tt.vm, "primary", "resume", nil), "succeeded")
			env.waitForJob("failover", tt.host, env.postConfirmed(tt.host, "fred", tt.vm, "failover", nil), "succeeded")
			if got := state(); got != "recovered" {
				t.Errorf("after the failover the state is %v", got)
			}
		})
	}
}

// Initial replication, suspend, resume, statistics and connection.
func TestActions(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("suspend again", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil),
		http.StatusConflict, "invalid-state")
	env.waitForJob("resume", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "resume", nil), "succeeded")
	env.waitForJob("reset statistics",
		"HV01", env.postConfirmed("HV01", "olga", vmReplicating, "reset-statistics", nil), "succeeded")
	env.waitForJob("test connection",
		"HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), "succeeded")
	env.waitForJob("start initial replication",
		"HV01", env.postAction("HV01", "tim", vmNotStarted, "primary", "start-initial-replication", nil), "succeeded")
	env.waitForJob("cancel initial replication",
		"HV01", env.postAction("HV01", "tim", vmNotStarted, "primary", "cancel-initial-replication", nil), "succeeded")
	env.want("initial replication by export",
		env.postAction("HV01", "omar", vmNotStarted, "primary", "start-initial-replication",
			object{"parameters": object{"InitialReplicationType": 2}}), http.StatusBadRequest, "invalid-parameter")
}

// A resynchronization can be cancelled while it runs. Meanwhile other actions on the VM and another resynchronization
// are refused.
func TestCancelResynchronization(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	started := env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	if started.code != http.StatusAccepted {
		t.Fatal(started)
	}
	env.want("resume that resynchronizes another VM",
		env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil), http.StatusConflict,
		"resynchronization-running")
	env.want("another action on the VM",
		env.postAction("HV01", "olga", vmReplicating, "primary", "reset-statistics", nil), http.StatusConflict, "busy")
	env.clock.Advance(10 * time.Second)
	stopped := env.postAction("HV01", "olga", vmReplicating, "primary", "cancel-resynchronize", nil)
	env.waitForJob("cancel", "HV01", stopped, "succeeded")
	env.waitForJob("resynchronization", "HV01", started, "cancelled")
}

// A replica with an extended relationship becomes the primary of that relationship.
func TestContinueExtended(t *testing.T) {
	env := newTestEnv(t)
	vm := vmExtended
	env.want("continue before a failover",
		env.postAction("HV01", "fred", vm, "primary", "continue-extended", nil), http.StatusConflict, "invalid-state")
	env.want("remove the primary relationship first",
		env.postAction("HV01", "omar", vm, "primary", "remove", nil), http.StatusConflict, "invalid-state")
	env.want("failover of the extended relationship",
		env.postAction("HV01", "fred", vm, "extended", "failover", nil), http.StatusConflict, "invalid-state")
	env.waitForJob("failover", "HV01", env.postConfirmed("HV01", "fred", vm, "failover", nil), "succeeded")
	env.want("reverse", env.postAction("HV01", "fred", vm, "primary", "reverse", nil),
		http.StatusConflict, "invalid-state")
	env.waitForJob("commit", "HV01", env.postConfirmed("HV01", "fred", vm, "commit-failover", nil), "succeeded")
	env.waitForJob("continue", "HV01", env.postConfirmed("HV01", "fred", vm, "continue-extended", nil), "succeeded")
	if got := env.get("HV01", "vic", env.replicaPath(vm, "primary")).json["mode"]; got != "primary" {
		t.Errorf("the mode is %v", got)
	}
}

// A caller who can prepare a failover can also cancel it, without a confirmation. Otherwise the VM would stay locked.
func TestCancelPreparedFailover(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy("rules: [{users: [vic], role: viewer, vms: all, host: true}, {users: [fred], role: failover, vms: all, host: true}, {users: [omar], role: owner, vms: all, host: true}]")
	env.want("reload", env.request("HV01", "omar", http.MethodPost, "/-/reload", nil), 200, "")
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("prepare", "HV01",
		env.postAction("HV01", "fred", vmReplicating, "primary", "prepare-failover", nil), "succeeded")
	env.waitForJob("cancel", "HV01",
		env.postAction("HV01", "fred", vmReplicating, "primary", "cancel-failover", nil), "succeeded")
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", true); err != nil {
		t.Error(err)
	}
	env.waitForJob("prepare", "HV01", env.prepareFailover(vmReplicating), "succeeded")
	r := env.request("HV01", "fred", http.MethodPost, "/api/v1/methods/RevertFailover",
		object{"parameters": object{"ComputerSystem": env.vms[vmReplicating]}})
	env.waitForJob("cancel by the method", "HV01", r, "succeeded")
}

// prepareFailover turns the VM off and prepares a planned failover.
func (env *testEnv) prepareFailover(vm int) response {
	env.Helper()
	if err := env.world.SetPower(env.vms[vm], "HV01", false); err != nil {
		env.Fatal(err)
	}
	return env.postAction("HV01", "fred", vm, "primary", "prepare-failover", nil)
}
