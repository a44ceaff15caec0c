package web_test

import (
	"net/http"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/web"
)

// replica01 is the replica of a VM of which nothing is wrong.
const replica01 = `
	hyperv_replica_mode{mode="replica",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1
	hyperv_replica_vm_running{vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 0
	hyperv_replica_recovery_points{type="standard",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 4
	hyperv_replica_recovery_points{type="application_consistent",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 0
	hyperv_replica_relationship_info{mode="replica",primary_server="HV02",replica_server="HV01",relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1
	hyperv_replica_state{state="replicating",relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1
	hyperv_replica_health{health="ok",relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1
	hyperv_replica_lag_seconds{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 600
	hyperv_replica_rpo_objective_seconds{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 600
	hyperv_replica_rpo_objective_set{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 0
	hyperv_replica_recovery_points_configured{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 4
	hyperv_replica_collector_success{collector="statistics"} 1
	hyperv_replica_snapshot_timestamp_seconds{collector="statistics"} 1795348788
`

// situation changes replica01.
type situation struct{ from, to string }

func in(state string) situation { return situation{`state="replicating"`, `state="` + state + `"`} }

var (
	lagUnknown = situation{"hyperv_replica_lag_seconds{", "hyperv_replica_other{"}
	late       = situation{"} 600\n	hyperv_replica_rpo_objective_seconds", "} 601\n	hyperv_replica_rpo_objective_seconds"}
	promised   = situation{
		`objective_set{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 0`,
		`objective_set{relationship="primary",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1`,
	}
	warning    = situation{`health="ok"`, `health="warning"`}
	critical   = situation{`health="ok"`, `health="critical"`}
	noPoints   = situation{"} 4\n	hyperv_replica_recovery_points{", "} 0\n	hyperv_replica_recovery_points{"}
	running    = situation{`running{vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 0`, `running{vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1`}
	asPrimary  = situation{`mode="replica"`, `mode="primary"`}
	testing01  = situation{"	hyperv_replica_mode", `	hyperv_replica_test_replica_present{test_vm_id="x",vm="sql01",vm_id="B0000000-0000-4000-8000-00000000000B"} 1` + "\n	hyperv_replica_mode"}
	oldReplies = situation{"1795348788", "1795348499"}
)

func apply(t *testing.T, situations []situation) string {
	t.Helper()
	s := replica01
	for _, x := range situations {
		changed := strings.ReplaceAll(s, x.from, x.to)
		if changed == s {
			t.Fatalf("no %q in the series", x.from)
		}
		s = changed
	}
	return s
}

// A VM has the first verdict of the list that applies. Each is shown with its state on the host.
func TestVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		situations []situation
		want       string
	}{
		"healthy":                 {nil, "ok"},
		"resynchronize":           {[]situation{in("waiting_to_start_resynchronization"), critical}, "critical Resynchronization required"},
		"error":                   {[]situation{in("critical"), critical, late}, "critical Replication fails"},
		"disk update":             {[]situation{in("disk_update_critical")}, "critical Replication fails"},
		"failed over":             {[]situation{in("recovered"), warning}, "warning Failed over"},
		"committed":               {[]situation{in("committed")}, "warning Failed over"},
		"failing over":            {[]situation{in("failover_in_progress")}, "warning Failed over"},
		"critical health":         {[]situation{critical, late}, "critical Health is critical"},
		"no initial copy":         {[]situation{in("ready_for_replication"), lagUnknown}, "warning Initial replication not complete"},
		"initial copy":            {[]situation{in("waiting_to_complete_initial_replication")}, "warning Initial replication not complete"},
		"resynchronizing":         {[]situation{in("resynchronizing"), late}, "warning Resynchronizing"},
		"paused":                  {[]situation{in("suspended"), late}, "warning Paused"},
		"paused resynchronizing":  {[]situation{in("resynchronization_suspended")}, "warning Paused"},
		"promise broken":          {[]situation{late, promised, warning}, "critical Objective missed"},
		"promise kept":            {[]situation{promised}, "ok"},
		"late":                    {[]situation{late, warning}, "warning Lag above two intervals"},
		"health warning":          {[]situation{warning, noPoints}, "warning Health is warning"},
		"lag unknown":             {[]situation{lagUnknown}, "unknown Lag unknown"},
		"no recovery points":      {[]situation{noPoints}, "warning No recovery points"},
		"no points on primary":    {[]situation{noPoints, asPrimary}, "ok"},
		"relationship is removed": {[]situation{in("disabled"), lagUnknown}, "none"},
	} {
		if got := newPages(t, apply(t, tt.situations)).rows(); len(got) != 1 || got[0][1] != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The most severe VMs come first, then those without replication, by name.
func TestOrderOfVMs(t *testing.T) {
	renamed := func(name string, situations ...situation) string {
		s := strings.ReplaceAll(apply(t, situations), "sql01", name)
		return strings.ReplaceAll(s, "00000000000B", "0000000"+name)
	}
	exposition := renamed("vmok1") + renamed("vmwar", in("suspended")) + renamed("vmcri", in("critical")) +
		renamed("vmok0") + `	hyperv_replica_mode{mode="none",vm="vmnon",vm_id="C"} 1`
	exposition = strings.ReplaceAll(exposition, "	hyperv_replica_collector_success{collector=\"statistics\"} 1\n", "")
	exposition = strings.ReplaceAll(exposition,
		"	hyperv_replica_snapshot_timestamp_seconds{collector=\"statistics\"} 1795348788\n", "")
	var names []string
	for _, row := range newPages(t, exposition).rows() {
		names = append(names, row[0])
	}
	if got := strings.Join(names, " "); got != "vmcri vmwar vmok0 vmok1 vmnon" {
		t.Errorf("order %s, want vmcri vmwar vmok0 vmok1 vmnon", got)
	}
}

// Health checks are 200, or 503 with the reason.
func TestHealthChecks(t *testing.T) {
	for name, tt := range map[string]struct {
		situations           []situation
		query, replica, test string // the bodies of /replica and /ready-for-failover
	}{
		"healthy":            {nil, "", "OK.", "OK."},
		"max_lag is kept":    {nil, "?max_lag=10m", "OK.", "OK."},
		"max_lag is missed":  {nil, "?max_lag=9m59s", "Lag exceeds max_lag.", "Lag exceeds max_lag."},
		"primary":            {[]situation{asPrimary}, "", "This host has no replica of the VM.", "This host has no replica of the VM."},
		"replication fails":  {[]situation{in("critical")}, "", "Replication fails.", "OK."},
		"resynchronize":      {[]situation{in("waiting_to_start_resynchronization")}, "", "Resynchronization required.", "OK."},
		"failed over":        {[]situation{in("recovered")}, "", "Failed over.", "Failed over."},
		"initial":            {[]situation{in("ready_for_replication")}, "", "Initial replication not complete.", "Initial replication not complete."},
		"lag unknown":        {[]situation{lagUnknown}, "", "Lag unknown.", "Lag unknown."},
		"paused":             {[]situation{in("suspended")}, "", "OK.", "OK."},
		"no recovery points": {[]situation{noPoints}, "", "OK.", "No recovery points."},
		"runs":               {[]situation{running}, "", "OK.", "The VM runs on this host."},
		"test failover":      {[]situation{testing01}, "", "OK.", "A test failover has not been cleaned up."},
		"old":                {[]situation{oldReplies}, "", "The last response of the host is too old.", "The last response of the host is too old."},
	} {
		p := newPages(t, apply(t, tt.situations))
		for path, want := range map[string]string{"/replica/": tt.replica, "/ready-for-failover/": tt.test} {
			status := http.StatusServiceUnavailable
			if want == "OK." {
				status = http.StatusOK
			}
			if got := p.body(path+"b0000000-0000-4000-8000-00000000000b"+tt.query, status); strings.TrimSpace(got) != want {
				t.Errorf("%s: %s: %q, want %q", name, path, got, want)
			}
		}
	}
	p := newPages(t, replica01, func(*web.Options) {})
	p.body("/replica/nonsense", http.StatusNotFound)
	for _, bad := range []string{"15", "-1m", "0s", "x"} {
		p.body("/replica/B0000000-0000-4000-8000-00000000000B?max_lag="+bad, http.StatusBadRequest)
	}
}
