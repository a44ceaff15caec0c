package admin

import (
	"net/http"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// recoveryPoints returns the InstanceIDs of the recovery points of a VM.
func (env *testEnv) recoveryPoints(host string, vm int) (ids []string) {
	env.Helper()
	points, _ := env.get(host, "vic", env.replicaPath(vm, "primary")).json["recovery_points"].([]any)
	for _, p := range points {
		ids = append(ids, p.(object)["InstanceID"].(string))
	}
	return ids
}

// A token for a failover to one recovery point does not confirm a failover to another one or to the latest.
func TestTokenConfirmsOnlyTheSameRecoveryPoint(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(26 * time.Hour)
	points := env.recoveryPoints("HV02", vmWithRecoveryPoints)
	if len(points) < 2 {
		t.Fatalf("the VM has %d recovery points", len(points))
	}
	to := func(point string) object {
		if point == "" {
			return object{}
		}
		return object{"parameters": object{"SnapshotSettingData": point}}
	}
	failover := func(payload object) response {
		return env.postAction("HV02", "fred", vmWithRecoveryPoints, "primary", "failover", payload)
	}
	for _, tt := range []struct{ name, asked, sent string }{
		{"another recovery point", points[0], points[1]},
		{"the latest instead of a recovery point", points[0], ""},
		{"a recovery point instead of the latest", "", points[0]},
	} {
		first := failover(to(tt.asked))
		env.want(tt.name, first, 409, "confirmation-required")
		env.want(tt.name, failover(env.confirmation("HV02", vmWithRecoveryPoints, first, to(tt.sent))),
			409, "confirmation-invalid")
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	first := failover(to(points[1]))
	env.want("the same recovery point", failover(env.confirmation("HV02", vmWithRecoveryPoints, first, to(points[1]))),
		202, "")
}

// A token for one change of the settings does not confirm another one.
func TestTokenConfirmsOnlyTheSameSettings(t *testing.T) {
	env := newTestEnv(t)
	settings := func(change object) object {
		return object{"parameters": object{"ComputerSystem": env.vms[vmWithRecoveryPoints], "ReplicationSettingData": change}}
	}
	modify := func(payload object) response {
		return env.postMethod("HV01", "omar", "ModifyReplicationSettings", payload)
	}
	asked := settings(object{"RecoveryHistory": 1})
	for _, change := range []object{
		{"RecoveryHistory": 0}, {"IncludedDisks": []string{}}, {"RecoveryHistory": 1, "IncludedDisks": []string{}},
	} {
		first := modify(asked)
		env.want("first request", first, 409, "confirmation-required")
		env.want("token for other settings",
			modify(env.confirmation("HV01", vmWithRecoveryPoints, first, settings(change))), 409, "confirmation-invalid")
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	env.want("token for the same settings",
		modify(env.confirmation("HV01", vmWithRecoveryPoints, modify(asked), asked)), 202, "")
}

// A token does not confirm the same action on the other relationship of the VM.
func TestTokenConfirmsOnlyTheSameRelationship(t *testing.T) {
	env := newTestEnv(t)
	reset := func(link string, payload any) response {
		return env.postAction("HV01", "olga", vmExtended, link, "reset-statistics", payload)
	}
	for link, other := range map[string]string{"primary": "extended", "extended": "primary"} {
		first := reset(link, nil)
		env.want(link, first, 409, "confirmation-required")
		env.want("token for "+link+" used for "+other,
			reset(other, env.confirmation("HV01", vmExtended, first, nil)), 409, "confirmation-invalid")
	}
	env.want("token for the same relationship",
		reset("extended", env.confirmation("HV01", vmExtended, reset("extended", nil), nil)), 202, "")
}

// A token does not confirm the action after the mode of the VM has changed.
func TestTokenConfirmsOnlyTheSameMode(t *testing.T) {
	env := newTestEnv(t)
	first := env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil)
	env.want("first request", first, 409, "confirmation-required")
	second := env.confirmation("HV02", vmReplicating, first, nil)
	env.hosts["HV02"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ComputerSystem); ok {
			for i := range *rows {
				if (*rows)[i].Name == env.vms[vmReplicating] {
					(*rows)[i].ReplicationMode = new(msvm.ModeExtendedReplica)
				}
			}
		}
	}
	env.want("token for another mode",
		env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", second), 409, "confirmation-invalid")
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// A token belongs to the user and the client certificate that it was issued to.
func TestTokenBelongsToItsCaller(t *testing.T) {
	env := newTestEnv(t)
	reset := func(user, certificate string, payload any) response {
		return env.postAction("HV02", user, vmReplicating, "primary", "reset-statistics", payload, headerSubject, certificate)
	}
	for _, tt := range []struct{ name, user, certificate, otherUser, otherCertificate string }{
		{"another user", "olga", "", "fred", ""},
		{"another user with the same certificate", "olga", "ops", "fred", "ops"},
		{"another certificate", "olga", "ops", "olga", "dev"},
		{"no certificate any more", "olga", "ops", "olga", ""},
		{"a certificate now", "olga", "", "olga", "ops"},
	} {
		first := reset(tt.user, tt.certificate, nil)
		env.want(tt.name, first, 409, "confirmation-required")
		env.want(tt.name, reset(tt.otherUser, tt.otherCertificate, env.confirmation("HV02", vmReplicating, first, nil)),
			409, "confirmation-invalid")
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	first := reset("olga", "ops", nil)
	env.want("the same caller", reset("olga", "ops", env.confirmation("HV02", vmReplicating, first, nil)), 202, "")
}

// Each part of a plan is part of what its token confirms. What changes from minute to minute is not.
func TestTokenIsBoundToEveryPartOfThePlan(t *testing.T) {
	type request struct {
		caller authz.Principal
		plan   operation.Plan
		target *operation.TargetState
		change uint64
	}
	original := func() request {
		return request{
			authz.Principal{User: "fred", Subject: "CN=ops", Remote: "192.0.2.1"},
			operation.Plan{
				Action: "failover", Method: msvm.Method{Class: "Msvm_ReplicationService", Name: "InitiateFailover"},
				VM: "VM1", Object: wmiquery.Ref("object 1"), Parameters: map[string]any{"a": "1", "b": []string{"2"}},
				Target: &operation.Relationship{Key: msvm.Key{VM: "VM1", Link: msvm.Primary}},
			},
			&operation.TargetState{State: "replicating", Mode: "replica", Health: "ok"}, 7,
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*request)
		valid  bool
	}{
		{"nothing", func(*request) {}, true},
		{"address of the caller", func(r *request) { r.caller.Remote = "192.0.2.2" }, true},
		{"lag and health", func(r *request) { r.target.LagSeconds, r.target.Health = new(7.0), "critical" }, true},
		{"user", func(r *request) { r.caller.User = "omar" }, false},
		{"subject", func(r *request) { r.caller.Subject = "CN=dev" }, false},
		{"user as subject", func(r *request) { r.caller.User, r.caller.Subject = "CN=ops", "fred" }, false},
		{"action", func(r *request) { r.plan.Action = "remove" }, false},
		{"class of the method", func(r *request) { r.plan.Method.Class = "Msvm_ConcreteJob" }, false},
		{"method", func(r *request) { r.plan.Method.Name = "CommitFailover" }, false},
		{"VM", func(r *request) { r.plan.VM = "VM2" }, false},
		{"object", func(r *request) { r.plan.Object = "object 2" }, false},
		{"value of a parameter", func(r *request) { r.plan.Parameters["a"] = "2" }, false},
		{"type of a parameter", func(r *request) { r.plan.Parameters["a"] = 1 }, false},
		{"value in an array", func(r *request) { r.plan.Parameters["b"] = []string{"2", "3"} }, false},
		{"one more parameter", func(r *request) { r.plan.Parameters["c"] = "3" }, false},
		{"one less parameter", func(r *request) { delete(r.plan.Parameters, "a") }, false},
		{"no parameters", func(r *request) { r.plan.Parameters = nil }, false},
		{"VM of the relationship", func(r *request) { r.plan.Target.Key.VM = "VM2" }, false},
		{"relationship", func(r *request) { r.plan.Target.Key.Link = msvm.Extended }, false},
		{"no relationship", func(r *request) { r.plan.Target = nil }, false},
		{"state", func(r *request) { r.target.State = "recovered" }, false},
		{"mode", func(r *request) { r.target.Mode = "primary" }, false},
		{"change of the VM", func(r *request) { r.change++ }, false},
		{"state as mode", func(r *request) { r.target.State, r.target.Mode = "replica", "replicating" }, false},
		{"parameter that cannot be encoded", func(r *request) { r.plan.Parameters["a"] = func() {} }, false},
	} {
		c := newConfirmations(func() time.Time { return time.Time{} }, nil)
		asked, sent := original(), original()
		tt.change(&sent)
		token, _, _ := c.issue("fred", confirmationHash(asked.caller, &asked.plan, asked.target, asked.change), nil)
		if _, got := c.redeem(token, confirmationHash(sent.caller, &sent.plan, sent.target, sent.change)); got != tt.valid {
			t.Errorf("%s changed: the token is valid: %v, want %v", tt.name, got, tt.valid)
		}
	}
}

// A token is not valid after a restart of the exporter.
func TestTokenIsInvalidAfterRestart(t *testing.T) {
	env := newTestEnv(t)
	first := env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil)
	second := env.confirmation("HV02", vmReplicating, first, nil)
	env.restartEndpoint("HV02")
	env.want("token after a restart",
		env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", second),
		http.StatusConflict, "confirmation-invalid")
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}
