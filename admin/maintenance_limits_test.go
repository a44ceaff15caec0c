package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/store"
)

const noHostMaintenance = "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n"

// Maintenance ends at most 31 days ahead, and not now or in the past. The texts have at most 1000 bytes.
func TestLimitsOfMaintenance(t *testing.T) {
	env := newTestEnv(t)
	now := env.clock.Now()
	const days = 24 * time.Hour
	for _, tt := range []struct {
		name          string
		until         any
		owner, reason string
		code          int
	}{
		{"a second ahead", now.Add(time.Second), "Ada", "x", 201},
		{"a nanosecond ahead", now.Add(1), "Ada", "x", 201},
		{"now", now, "Ada", "x", 400},
		{"a second ago", now.Add(-time.Second), "Ada", "x", 400},
		{"31 days", now.Add(31 * days), "Ada", "x", 201},
		{"31 days and a nanosecond", now.Add(31*days + 1), "Ada", "x", 400},
		{"31 days in another zone", now.Add(31 * days).In(time.FixedZone("", -5*3600)), "Ada", "x", 201},
		{"an hour ago in a zone ahead", "2026-11-22T13:00:00+02:00", "Ada", "x", 400},
		{"an hour ahead in a zone ahead", "2026-11-22T15:00:00+02:00", "Ada", "x", 201},
		{"without a zone", "2026-11-22T15:00:00", "Ada", "x", 400},
		{"null", nil, "Ada", "x", 400},
		{"longest texts", now.Add(days), strings.Repeat("o", 1000), strings.Repeat("r", 1000), 201},
		{"owner too long", now.Add(days), strings.Repeat("o", 1001), "x", 400},
		{"reason too long", now.Add(days), "Ada", strings.Repeat("r", 1001), 400},
	} {
		r := env.postMaintenance("tim", object{"owner": tt.owner, "reason": tt.reason, "until": tt.until})
		if r.code != tt.code {
			t.Errorf("%s: got %s, want %d", tt.name, r, tt.code)
		}
	}
}

// At most 1000 announcements are active. Those that have ended do not count.
func TestActiveMaintenanceIsLimited(t *testing.T) {
	env := newTestEnv(t)
	now := env.clock.Now()
	var entries []store.Entry
	for i := range 1500 {
		m := maintenance{ID: fmt.Sprint(i), Scope: scopeHost, Until: now.Add(time.Hour)}
		if i >= 999 {
			m.Ended = &now
		}
		entries = append(entries, store.Entry{Bucket: bucketMaintenance, Key: m.ID, Value: m})
	}
	if err := env.hosts["HV01"].server.store.PutAll(entries...); err != nil {
		t.Fatal(err)
	}
	env.restartEndpoint("HV01")
	announcement := object{"owner": "Ada", "reason": "x", "until": now.Add(time.Minute)}
	env.want("announcement 1000", env.postMaintenance("tim", announcement), 201, "")
	env.want("announcement 1001", env.postMaintenance("tim", announcement), 503, "too-many-actions")
	env.clock.Advance(time.Minute)
	announcement["until"] = now.Add(time.Hour)
	env.want("announcement after the end of another one", env.postMaintenance("tim", announcement), 201, "")
}

// Maintenance is active until its end, and not at its end. After that it cannot be ended early.
func TestEndOfMaintenance(t *testing.T) {
	env := newTestEnv(t)
	r := env.postMaintenance("tim", object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)})
	env.want("announcement", r, 201, "")
	active := func() any {
		all := env.get("HV01", "vic", apiMaintenance).json["maintenance"].([]any)
		return all[0].(object)["active"]
	}
	env.clock.Advance(time.Hour - time.Nanosecond)
	env.wantMetric("before the end", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n")
	if active() != true {
		t.Error("before the end it is not active")
	}
	env.clock.Advance(time.Nanosecond)
	env.wantMetric("at the end", noHostMaintenance)
	if active() != false {
		t.Error("at the end it is active")
	}
	env.want("end at the end",
		env.request("HV01", "tim", "POST", apiMaintenance+"/"+r.json["id"].(string)+"/end", nil), 409, "invalid-state")
	// The clock goes back: maintenance that is not over by the clock is active again.
	env.clock.Advance(-time.Minute)
	env.wantMetric("after the clock went back", "test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 1\n")
	env.want("end early",
		env.request("HV01", "tim", "POST", apiMaintenance+"/"+r.json["id"].(string)+"/end", nil), 200, "")
	env.wantMetric("after an early end", noHostMaintenance)
	env.clock.Advance(-time.Hour)
	env.wantMetric("after an early end, and the clock went back", noHostMaintenance)
}

// Maintenance is kept for seven days after its end, or after its early end.
func TestRetentionOfMaintenance(t *testing.T) {
	const week = 7 * 24 * time.Hour
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	value := func(key string, until time.Duration, ended ...time.Duration) store.Value {
		m := &maintenance{ID: key, Until: now.Add(until)}
		if ended != nil {
			m.Ended = new(now.Add(ended[0]))
		}
		return store.Value{Key: key, Value: m}
	}
	got := maintenanceBucket().Expired([]store.Value{
		value("active", time.Hour),
		value("below", -week+time.Second),
		value("at", -week),
		value("above", -week-time.Second),
		value("ended early, below", time.Hour, -week+time.Second),
		value("ended early, at", time.Hour, -week),
		value("ended early, above", time.Hour, -week-time.Second),
	}, now)
	if want := []string{"above", "ended early, above"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A VM has one series, with the name of the newest announcement. Two VMs have two series.
func TestMaintenanceOfSeveralVMs(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	until := env.clock.Now().Add(time.Hour)
	for _, m := range []maintenance{
		{ID: "1", Scope: scopeVM, VMID: "A", VM: "old", From: env.clock.Now().Add(-time.Hour), Until: until},
		{ID: "2", Scope: scopeVM, VMID: "A", VM: "new", From: env.clock.Now().Add(-time.Minute), Until: until},
		{ID: "3", Scope: scopeVM, VMID: "B", VM: "web01", From: env.clock.Now(), Until: until},
		{ID: "4", Scope: scopeVM, VMID: "C", VM: "ended", From: env.clock.Now(), Until: until, Ended: new(env.clock.Now())},
		{ID: "5", Scope: scopeVM, VMID: "D", VM: "over", From: env.clock.Now(), Until: env.clock.Now()},
	} {
		if err := s.store.Put(bucketMaintenance, m.ID, m); err != nil {
			t.Fatal(err)
		}
	}
	env.restartEndpoint("HV01")
	env.wantMetric("several VMs", noHostMaintenance+
		`test_maintenance_active{scope="vm",vm="new",vm_id="A"} 1`+"\n"+
		`test_maintenance_active{scope="vm",vm="web01",vm_id="B"} 1`+"\n")
}

// A caller who has rules for some VMs only sees and changes the maintenance of those, and sees that of the host.
func TestMaintenanceIsAuthorizedByVM(t *testing.T) {
	env := newTestEnv(t)
	mine, others := env.vms[vmReplicating], env.vms[vmSuspended]
	env.writePolicy("rules:\n  - {users: [tim], role: operator, vms: \"" + mine + "\"}\n" +
		"  - {users: [omar], role: owner, destructive: true, vms: all, host: true}\n")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	announce := func(user, vm string) response {
		payload := object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}
		if vm != "" {
			payload["vm_id"] = vm
		}
		return env.postMaintenance(user, payload)
	}
	end := func(user string, r response) response {
		return env.request("HV01", user, "POST", apiMaintenance+"/"+r.json["id"].(string)+"/end", nil)
	}
	env.want("own VM, in lower case", announce("tim", strings.ToLower(mine)), 201, "")
	env.want("VM of others", announce("tim", others), 403, "forbidden")
	env.want("unknown VM", announce("tim", "00000000-0000-0000-0000-000000000001"), 403, "forbidden")
	env.want("host", announce("tim", ""), 403, "forbidden")
	ofOthers, ofHost := announce("omar", others), announce("omar", "")
	var scopes []string
	for _, m := range env.get("HV01", "tim", apiMaintenance).json["maintenance"].([]any) {
		scopes = append(scopes, m.(object)["scope"].(string))
	}
	slices.Sort(scopes)
	if want := []string{"host", "vm"}; !slices.Equal(scopes, want) {
		t.Errorf("the visible maintenance is %q, want %q", scopes, want)
	}
	env.want("end for the VM of others", end("tim", ofOthers), 404, "not-found")
	env.want("end for the host", end("tim", ofHost), 403, "forbidden")
	env.want("end by the owner", end("omar", ofOthers), 200, "")
}
