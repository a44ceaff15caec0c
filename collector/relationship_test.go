package collector_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The labels of the relationship of newHostWithVM, and those of its VM.
const (
	appRelationship = `{relationship="primary",vm="app01",vm_id="` + appID + `"}`
	appVM           = `{vm="app01",vm_id="` + appID + `"}`
)

// Lags are never negative, and are absent if the host does not know the times. Times that mean "never"
// are absent, too.
func TestLag(t *testing.T) {
	never := time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	for _, tt := range []struct {
		name                      string
		replicated, applied       *time.Time
		lag, applyLag             string
		hasReplicated, hasApplied bool
		consistent                *time.Time
		hasConsistent             bool
	}{
		{
			name: "normal", replicated: at(-5 * time.Minute), applied: at(-7 * time.Minute), consistent: at(-time.Hour),
			lag: "300", applyLag: "120", hasReplicated: true, hasApplied: true, hasConsistent: true,
		},
		{
			name: "less than a second", replicated: at(-500 * time.Millisecond), applied: at(-750 * time.Millisecond),
			lag: "0.5", applyLag: "0.25", hasReplicated: true, hasApplied: true,
		},
		{
			name: "all at the same time", replicated: at(0), applied: at(0), consistent: at(0),
			lag: "0", applyLag: "0", hasReplicated: true, hasApplied: true, hasConsistent: true,
		},
		{
			name: "the clock went back by a minute", replicated: at(time.Minute), applied: at(time.Minute),
			lag: "0", applyLag: "0", hasReplicated: true, hasApplied: true,
		},
		{
			name: "applied after the last replication", replicated: at(-time.Minute), applied: at(-time.Second),
			lag: "60", applyLag: "0", hasReplicated: true, hasApplied: true,
		},
		{
			name: "applied a minute after the last replication", replicated: at(-2 * time.Minute), applied: at(-time.Minute),
			lag: "120", applyLag: "0", hasReplicated: true, hasApplied: true,
		},
		{
			name:       "applied more than a minute after the last replication",
			replicated: at(-2*time.Minute - time.Millisecond), applied: at(-time.Minute),
			lag: "120.001", hasReplicated: true, hasApplied: true,
		},
		{
			name: "on a primary", replicated: at(-time.Minute), applied: &never,
			lag: "60", hasReplicated: true,
		},
		{name: "never replicated", replicated: &never, applied: &never, consistent: &never},
		{name: "applied but never replicated", replicated: &never, applied: at(-time.Minute), hasApplied: true},
		{name: "applied, last replication unknown", applied: at(-time.Minute), hasApplied: true},
		{
			name: "replicated, but not consistently", replicated: at(-time.Minute), consistent: &never,
			lag: "60", hasReplicated: true,
		},
		{name: "nothing is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostWithVM(newFakeClock())
			r := newRelationship(appID, "app01")
			r.LastReplicationTime, r.LastApplyTime = tt.replicated, tt.applied
			r.LastApplicationConsistentReplicationTime = tt.consistent
			setRows(h, r)
			got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "relationship"))
			checkSeries(t, got, map[string]string{
				"lag_seconds" + appRelationship: tt.lag, "apply_lag_seconds" + appRelationship: tt.applyLag,
			})
			for metric, want := range map[string]bool{
				"last_replication_timestamp_seconds":            tt.hasReplicated,
				"last_apply_timestamp_seconds":                  tt.hasApplied,
				"last_application_consistent_timestamp_seconds": tt.hasConsistent,
			} {
				if has := hasMetric(got, metric); has != want {
					t.Errorf("%s is exposed: %v, want %v", metric, has, want)
				}
			}
		})
	}
}

// The lag is measured at the time when the host was read. A response that is exposed again later has
// the same lag.
func TestLagIsThatOfTheResponse(t *testing.T) {
	clock := newFakeClock()
	h := newHostWithVM(clock)
	relationship := newRelationship(appID, "app01")
	relationship.LastReplicationTime = new(noon.Add(-time.Minute))
	setRows(h, relationship)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "relationship")
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrTimeout)
	clock.Advance(3 * time.Minute)
	got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
	checkSeries(t, got, map[string]string{"lag_seconds" + appRelationship: "60"})
}

// A VM is protected if one of its relationships is not disabled, in whatever order the host returns them.
func TestVMProtected(t *testing.T) {
	disabled, replicating := msvm.ReplicationState(0), msvm.ReplicationState(3)
	for _, tt := range []struct {
		name              string
		primary, extended *msvm.ReplicationState
		want              string
	}{
		{"none replicates", &disabled, &disabled, "0"},
		{"primary replicates", &replicating, &disabled, "1"},
		{"extended replicates", &disabled, &replicating, "1"},
		{"both replicate", &replicating, &replicating, "1"},
		{"state not known", nil, &disabled, ""},
		{"one replicates, the state of the other is not known", nil, &replicating, "1"},
	} {
		primary, extended := newRelationship(appID, "app01"), newRelationship(appID, "app01")
		primary.ReplicationState, extended.ReplicationState = tt.primary, tt.extended
		extended.InstanceID = `Microsoft:` + appID + `\HVR\1`
		for _, rows := range [][]msvm.ReplicationRelationship{{primary, extended}, {extended, primary}} {
			h := newHostWithVM(newFakeClock())
			setRows(h, rows...)
			got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "relationship"))
			if v := got["hyperv_replica_vm_protected"+appVM]; v != tt.want {
				t.Errorf("%s: vm_protected is %q, want %q", tt.name, v, tt.want)
			}
		}
	}
}

// If one of the two classes cannot be read, the series from the other one are still exposed.
func TestRelationshipsAndVMsFailIndependently(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	vm := newVM(appID, "app01", 1)
	vm.EnabledState = new(msvm.EnabledState(2))
	setRows(h, vm)
	r := newFakeHostRig(h)
	h.setError("Msvm_ComputerSystem", wmiquery.ErrInvalidState)
	got := parseSeries(r.gather(t, scrapeTimeout))
	checkSeries(t, got, map[string]string{
		`state{relationship="primary",state="replicating",vm="app01",vm_id="` + appID + `"}`: "1",
		"vm_protected" + appVM:                        "1",
		"vm_running" + appVM:                          "",
		"window_successful_cycles" + appRelationship:  "1",
		"interval_seconds" + appRelationship:          "300",
		`collector_success{collector="relationship"}`: "0",
		`collector_success{collector="statistics"}`:   "0",
		`collector_success{collector="settings"}`:     "0",
	})
	if mode := valuesOf(got, "relationship_info", "mode"); len(mode) > 0 { // an empty mode would be another series
		t.Errorf("modes of relationship_info: %v, want no series", mode)
	}
	h.setError("Msvm_ComputerSystem", nil)
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrInvalidState)
	got = parseSeries(r.gather(t, scrapeTimeout))
	checkSeries(t, got, map[string]string{
		"vm_running" + appVM:                          "1",
		"vm_protected" + appVM:                        "", // 0 would report a VM without protection
		`collector_success{collector="relationship"}`: "0",
	})
	if mode := currentState(t, got, "mode", "mode"); mode != "primary" {
		t.Errorf("mode %q, want primary", mode)
	}
}

// A GUID that the host writes in lower case is the same VM. Its series have the GUID in upper case.
func TestLowerCaseGUIDIsTheSameVM(t *testing.T) {
	clock := newFakeClock()
	upper, lower := newHostWithVM(clock), newHostWithVM(clock)
	vm := newVM(strings.ToLower(appID), "app01", 2)
	vm.EnabledState = new(msvm.EnabledState(3))
	setRows(lower, vm)
	vm.Name = appID
	setRows(upper, vm)
	setRows(lower, newRelationship(strings.ToLower(appID), "app01"))
	setRows(lower, newSettings(strings.ToLower(appID)))
	point := newRecoveryPoint("1", "Microsoft:Hyper-V:Snapshot:Replica:Standard", time.Hour)
	point.VirtualSystemIdentifier = new(appID)
	setRows(upper, point)
	point.VirtualSystemIdentifier = new(strings.ToLower(appID))
	setRows(lower, point)
	setRows(upper, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM1ID)})
	setRows(lower, msvm.ReplicaSystemDependency{
		Antecedent: msvm.VMRef(strings.ToLower(appID)), Dependent: msvm.VMRef(strings.ToLower(testVM1ID)),
	})
	want := withoutDurations(newFakeHostRig(upper).gather(t, scrapeTimeout))
	got := withoutDurations(newFakeHostRig(lower).gather(t, scrapeTimeout))
	if got != want {
		t.Errorf("exposition differs: %s", firstDifference(want, got))
	}
	checkSeries(t, parseSeries(got), map[string]string{
		"vm_protected" + appVM: "1", "vm_running" + appVM: "0",
		`recovery_points{type="standard",vm="app01",vm_id="` + appID + `"}`: "1",
	})
}

// A relationship that the host returns twice is exposed once and fails the collectors that read it.
func TestDuplicateRelationshipIsExposedOnce(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	relationship := newRelationship(appID, "app01")
	duplicate := newRelationship(strings.ToLower(appID), "app01")
	setRows(h, relationship, duplicate)
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout)) // fails if a series is exposed twice
	checkSeries(t, got, map[string]string{
		"window_successful_cycles" + appRelationship:  "1",
		"interval_seconds" + appRelationship:          "300",
		`collector_success{collector="relationship"}`: "0",
		`collector_success{collector="statistics"}`:   "0",
		`collector_success{collector="settings"}`:     "0",
	})
	if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, "duplicate") {
		t.Errorf("log does not name the cause: %s", log)
	}
}

// The label vm of a VM without a name is its GUID. The name of the VM precedes that of its
// relationship in series of the VM.
func TestNameOfVM(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"app01", "app01"}, {"", appID}, {" \t", appID}, {" app01 ", " app01 "}, {"app\xff01", "app\uFFFD01"},
	} {
		h := newHostWithVM(newFakeClock())
		setRows(h, newVM(appID, tt.name, 1))
		setRows(h, newRelationship(appID, "name when replication was enabled"))
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "relationship"))
		for _, metric := range []string{"vm_protected", "mode"} {
			if v := valuesOf(got, metric, "vm"); v[tt.want] == "" || len(v) != 1 {
				t.Errorf("%s of the VM named %q: %v, want the label %q", metric, tt.name, v, tt.want)
			}
		}
	}
}
