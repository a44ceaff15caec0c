package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/store"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func (env *testEnv) postMaintenance(user string, payload object) response {
	env.Helper()
	return env.request("HV01", user, "POST", apiMaintenance, payload)
}

// wantMetric checks the maintenance metric of HV01.
func (env *testEnv) wantMetric(what, want string) {
	env.Helper()
	const head = "# HELP test_maintenance_active Whether maintenance is active (1), by scope. Without maintenance the host has the value 0, and a VM has no series.\n# TYPE test_maintenance_active gauge\n"
	if err := testutil.CollectAndCompare(env.hosts["HV01"].server.Metrics(), strings.NewReader(head+want),
		"test_maintenance_active"); err != nil {
		env.Errorf("%s: %v", what, err)
	}
}

// Maintenance is exported from its announcement to its end, survives a restart, and is in the audit log.
func TestMaintenance(t *testing.T) {
	env := newTestEnv(t)
	vm, name := env.vms[vmReplicating], env.vmName("HV01", vmReplicating)
	until := env.clock.Now().Add(2 * time.Hour)
	const noHost = "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n"
	aVM := `test_maintenance_active{scope="vm",vm="` + name + `",vm_id="` + vm + `"} 1` + "\n"
	env.wantMetric("before", noHost)
	first := env.postMaintenance("tim",
		object{"vm_id": strings.ToLower(vm), "owner": "Ada", "reason": "disks", "until": until})
	env.want("announce for a VM", first, 201, "")
	env.want("announce again for the VM",
		env.postMaintenance("olga", object{
			"vm_id": vm, "owner": "Bob", "reason": "more disks",
			"until": until.Add(time.Hour),
		}), 201, "")
	env.wantMetric("maintenance of a VM", noHost+aVM)
	env.restartEndpoint("HV01")
	env.wantMetric("after a restart", noHost+aVM)
	env.want("action during maintenance",
		env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
	host := env.postMaintenance("tim", object{"owner": "Ada", "reason": "firmware", "until": until})
	env.wantMetric("maintenance of the host and a VM",
		"test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n"+aVM)
	end := apiMaintenance + "/" + host.json["id"].(string) + "/end"
	env.want("end by a viewer", env.request("HV01", "vic", "POST", end, nil), 403, "forbidden")
	env.want("end", env.request("HV01", "olga", "POST", end, nil), 200, "")
	env.want("end again", env.request("HV01", "olga", "POST", end, nil), 409, "invalid-state")
	env.want("end unknown maintenance",
		env.request("HV01", "olga", "POST", apiMaintenance+"/nonsense/end", nil), 404, "not-found")
	env.wantMetric("after the end for the host", noHost+aVM)
	env.clock.Advance(2 * time.Hour)
	env.wantMetric("after the end of one of two", noHost+aVM)
	env.clock.Advance(time.Hour)
	env.wantMetric("after the end of all", noHost)
	all := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any)
	if len(all) != 3 || all[0].(object)["active"] != false {
		t.Errorf("the maintenance is %v, want 3, not active", all)
	}
	env.clock.Advance(keepMaintenance + time.Hour)
	env.restartEndpoint("HV01")
	if all := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any); len(all) != 0 {
		t.Errorf("expired maintenance is listed: %v", all)
	}
	var actions []string
	for _, line := range env.auditRecords("HV01") {
		if line.Event == audit.Maintenance {
			actions = append(actions, line.Action+" by "+line.User)
		}
	}
	want := []string{
		"announce-maintenance by tim", "announce-maintenance by olga", "announce-maintenance by tim", "end-maintenance by olga",
	}
	if !slices.Equal(actions, want) {
		t.Errorf("the actions in the audit log are %q, want %q", actions, want)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// Announcements that are not authorized, incomplete, or exceed a limit are refused.
func TestRefusedAnnouncements(t *testing.T) {
	env := newTestEnv(t)
	until := env.clock.Now().Add(time.Hour)
	for _, tt := range []struct {
		name, user string
		payload    object
		code       int
		slug       string
	}{
		{"announcement by a viewer", "vic", object{"owner": "Ada", "reason": "x", "until": until}, 403, "forbidden"},
		{"without an owner", "tim", object{"reason": "x", "until": until}, 400, "invalid-parameter"},
		{"without a reason", "tim", object{"owner": "Ada", "until": until}, 400, "invalid-parameter"},
		{"blank owner", "tim", object{"owner": " \t", "reason": "x", "until": until}, 400, "invalid-parameter"},
		{"owner without a visible character", "tim", object{"owner": "\u200b", "reason": "x", "until": until}, 400, "invalid-parameter"},
		{"blank reason", "tim", object{"owner": "Ada", "reason": "\u00a0", "until": until}, 400, "invalid-parameter"},
		{"field in another case", "tim", object{"Owner": "Ada", "reason": "x", "until": until}, 400, "bad-request"},
		{"without an end", "tim", object{"owner": "Ada", "reason": "x"}, 400, "invalid-parameter"},
		{"end in the past", "tim", object{"owner": "Ada", "reason": "x", "until": env.clock.Now()}, 400, "invalid-parameter"},
		{"end too far ahead", "tim", object{"owner": "Ada", "reason": "x", "until": until.AddDate(1, 0, 0)}, 400, "invalid-parameter"},
		{"name instead of a GUID", "tim", object{"vm_id": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "invalid-parameter"},
		{"unknown VM", "tim", object{"vm_id": "00000000-0000-0000-0000-000000000000", "owner": "Ada", "reason": "x", "until": until}, 404, "not-found"},
		{"unknown field", "tim", object{"vm": "mail01", "owner": "Ada", "reason": "x", "until": until}, 400, "bad-request"},
	} {
		env.want(tt.name, env.postMaintenance(tt.user, tt.payload), tt.code, tt.slug)
	}
	if err := env.hosts["HV01"].server.audit.Close(); err != nil {
		t.Fatal(err)
	}
	env.want("without an audit log",
		env.postMaintenance("tim", object{"owner": "Ada", "reason": "x", "until": until}), 503, "audit-unavailable")
	env.wantMetric("after refused announcements", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n")
	if err := env.hosts["HV01"].server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
}

// Expired records are deleted while the exporter runs. Maintenance that has ended does not count towards the maximum.
func TestExpiredRecordsAreDeleted(t *testing.T) {
	env := newTestEnv(t)
	var entries []store.Entry
	for i := range maxMaintenanceCount {
		m := maintenance{ID: fmt.Sprint(i), Scope: scopeHost, Until: env.clock.Now().Add(time.Minute)}
		entries = append(entries, store.Entry{Bucket: bucketMaintenance, Key: m.ID, Value: m})
	}
	if err := env.hosts["HV01"].server.store.PutAll(entries...); err != nil {
		t.Fatal(err)
	}
	env.restartEndpoint("HV01")
	s := env.hosts["HV01"].server
	announce := func(headers ...string) response {
		return env.request("HV01", "tim", http.MethodPost, apiMaintenance,
			object{"owner": "tim", "reason": "x", "until": env.clock.Now().Add(time.Hour)}, headers...)
	}
	env.want("announcement above the maximum", announce(), 503, "too-many-actions")
	env.clock.Advance(2 * time.Minute)
	env.want("announcement after the others have ended", announce(headerIdempotencyKey, "k"), 201, "")
	env.want("announcement with the same key", announce(headerIdempotencyKey, "k"), 201, "")
	if all, err := store.All[maintenance](s.store, bucketMaintenance); err != nil || len(all) != maxMaintenanceCount+1 {
		t.Errorf("%d announcements, %v", len(all), err)
	}
	env.clock.Advance(40 * 24 * time.Hour)
	s.prune()
	for _, bucket := range []string{bucketMaintenance, bucketResponses} {
		if all, err := store.All[any](s.store, bucket); err != nil || len(all) != 0 {
			t.Errorf("%d values are left in the bucket %s, %v", len(all), bucket, err)
		}
	}
}
