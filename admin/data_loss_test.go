package admin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The data loss of a failover to an older recovery point is the age of that point, however small the lag is.
func TestDataLossOfOlderRecoveryPoint(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(26 * time.Hour)
	points, _ := env.get("HV02", "vic", env.replicaPath(vmWithRecoveryPoints, "primary")).json["recovery_points"].([]any)
	oldest, age := "", 0.0
	for _, p := range points {
		at, err := time.Parse(time.RFC3339, p.(object)["created"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if a := env.clock.Now().Sub(at).Seconds(); a > age {
			oldest, age = p.(object)["InstanceID"].(string), a
		}
	}
	if age < 20*3600 {
		t.Fatalf("the oldest of %d recovery points is %.0f s old, want 20 h", len(points), age)
	}
	payload := object{"parameters": object{"SnapshotSettingData": oldest}}
	r := env.postAction("HV02", "fred",
		vmWithRecoveryPoints, "primary", "test-failover", object{"parameters": payload["parameters"], "dry_run": true})
	if loss := r.json["estimated_loss"]; r.code != 200 || loss != nil {
		t.Errorf("the estimated loss of a test failover, which loses nothing, is %v: %s", loss, r)
	}
	first := env.postAction("HV02", "fred", vmWithRecoveryPoints, "primary", "failover", payload)
	env.want("first request", first, 409, "confirmation-required")
	wantDetail(t, "known loss", first, ", and max_data_loss_seconds (at least lag_seconds of estimated_loss)")
	if lag := first.json["estimated_loss"].(object)["lag_seconds"].(float64); lag < age-1 || lag > age+1 {
		t.Errorf("the estimated loss is %.0f s, want %.0f", lag, age)
	}
	for _, c := range []struct {
		accepted float64
		code     int
		slug     string
	}{{age - 60, 412, "data-loss-exceeded"}, {age + 60, 202, ""}} {
		second := env.confirmation("HV02", vmWithRecoveryPoints, first, payload)
		second["max_data_loss_seconds"] = c.accepted
		env.want("confirmation", env.postAction("HV02", "fred", vmWithRecoveryPoints, "primary", "failover", second),
			c.code, c.slug)
	}
}

// A data loss that is unknown needs accept_unknown_loss. No limit covers it.
func TestUnknownDataLossNeedsConsent(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV02"].pool
	for what, at := range map[string]*time.Time{"null": nil, "in the future": new(env.clock.Now().Add(2 * time.Hour))} {
		spy.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].LastReplicationTime = at
				}
			}
		}
		if lag := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json["lag_seconds"]; lag != nil {
			t.Errorf("time %s: the lag is %v, want null", what, lag)
		}
		first := env.postAction("HV02", "omar", vmReplicating, "primary", "remove", nil)
		wantDetail(t, what, first, ", max_data_loss_seconds, and accept_unknown_loss because the lag is unknown")
		second := env.confirmation("HV02", vmReplicating, first, object{"accept_unknown_loss": false})
		env.want(what, env.postAction("HV02", "omar", vmReplicating, "primary", "remove", second), 412, "data-loss-exceeded")
	}
	env.waitForJob("removal with consent",
		"HV02", env.postConfirmed("HV02", "omar", vmReplicating, "remove", nil), "succeeded")
	intents := 0
	for _, line := range env.auditRecords("HV02") {
		if line.Event != audit.Intent {
			continue
		}
		intents++
		if a := line.Accepted; a == nil || !a.Confirmed || !a.UnknownLoss || a.MaxLossSeconds == nil {
			t.Errorf("the audit record of the intent has accepted %+v", a)
		}
	}
	if intents != 1 {
		t.Errorf("the audit log has %d intents, want 1", intents)
	}
}

// An old primary VM that becomes a replica VM loses what it has not sent, so the loss must be accepted. A dry run shows
// that, and a VM that runs or that is prepared for a planned failover is refused.
func TestMakeReplicaNeedsLossLimit(t *testing.T) {
	env := newTestEnv(t)
	const action = "make-replica"
	post := func(payload object) response {
		return env.postAction("HV01", "fred", vmReplicating, "primary", action, payload)
	}
	refused := post(object{})
	env.want("VM that runs", refused, 409, "invalid-state")
	wantDetail(t, "VM that runs", refused, "the VM must be turned off")
	if err := env.world.SetPower(env.vms[vmReplicating], "HV01", false); err != nil {
		t.Fatal(err)
	}
	dry := post(object{"dry_run": true})
	if plan := dry.json["plan"].(object); dry.json["requires_confirmation"] != true || dry.json["estimated_loss"] == nil ||
		plan["destroys"] == nil || plan["expected_state_after"] != "waiting_to_complete_initial_replication" {
		t.Errorf("dry run: %s", dry)
	}
	env.want("operator", env.postAction("HV01", "olga", vmReplicating, "primary", action, nil), 403, "forbidden")
	first := post(object{})
	wantDetail(t, "first request", first, ", and max_data_loss_seconds (at least lag_seconds of estimated_loss)")
	small := env.confirmation("HV01", vmReplicating, first, object{"max_data_loss_seconds": 0})
	env.want("no loss accepted", post(small), 412, "data-loss-exceeded")
	if calls := env.hosts["HV01"].pool.callCount(); calls != 0 {
		t.Errorf("%d calls before the confirmation, want 0", calls)
	}
	env.waitForJob(action, "HV01", post(env.confirmation("HV01", vmReplicating, first, nil)), "succeeded")
	shown := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json
	if shown["mode"] != "replica" || shown["state"] != "waiting_to_complete_initial_replication" {
		t.Errorf("afterwards the mode is %v and the state %v", shown["mode"], shown["state"])
	}
}

// A reset of the statistics loses no data of the VM, so it needs no limit of the data loss.
func TestResetStatisticsNeedsNoLossLimit(t *testing.T) {
	env := newTestEnv(t)
	first := env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil)
	second := env.confirmation("HV02", vmReplicating, first, nil)
	delete(second, "max_data_loss_seconds")
	env.waitForJob("reset", "HV02",
		env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", second), "succeeded")
}

// Changes of settings that destroy something must be confirmed.
func TestDestructiveSettingsNeedConfirmation(t *testing.T) {
	env := newTestEnv(t)
	settings := func(change object) object {
		return object{"parameters": object{"ComputerSystem": env.vms[vmWithRecoveryPoints], "ReplicationSettingData": change}}
	}
	for _, c := range []struct {
		what, method string
		payload      object
		code         int
		slug, names  string
	}{
		{"disable the replica server", "ModifyServiceSettings", object{"parameters": object{"SettingData": object{"RecoveryServerEnabled": false}}}, 409, "confirmation-required", "the name of this host"},
		{"change the monitoring interval", "ModifyServiceSettings", object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}}, 202, "", ""},
		{"reduce the recovery points", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 0}), 409, "confirmation-required", "the name of the VM"},
		{"remove all disks", "ModifyReplicationSettings", settings(object{"IncludedDisks": []string{}}), 409, "confirmation-required", "the name of the VM"},
		{"add recovery points", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 24}), 202, "", ""},
		{"remove an authorization entry", "RemoveAuthorizationEntry", object{"parameters": object{"AllowedPrimaryHostSystem": "HV02.contoso.com"}}, 409, "confirmation-required", "the name of this host"},
	} {
		r := env.request("HV01", "omar", http.MethodPost, "/api/v1/methods/"+c.method, c.payload)
		env.want(c.what, r, c.code, c.slug)
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, c.names) {
			t.Errorf("%s: %s", c.what, detail)
		}
		if c.code == 202 {
			env.waitForJob(c.what, "HV01", r, "succeeded")
		}
	}
	payload := object{"parameters": object{"SettingData": object{"RecoveryServerEnabled": false}}}
	const path = "/api/v1/methods/ModifyServiceSettings"
	first := env.request("HV01", "omar", http.MethodPost, path, payload)
	second := env.confirmation("HV01", vmReplicating, first, payload)
	second["vm_name"] = ""
	env.want("confirmation without the host name",
		env.request("HV01", "omar", http.MethodPost, path, second), 409, "confirmation-invalid")
	second["vm_name"] = "HV01"
	env.waitForJob("disable the replica server",
		"HV01", env.request("HV01", "omar", http.MethodPost, path, second), "succeeded")
}
