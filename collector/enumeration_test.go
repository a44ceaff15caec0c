package collector_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The numbers in this file are those of Microsoft's reference of each class, and not constants of
// msvm: a constant with a wrong number must not pass.

// numbered returns the names by number, from 0 on.
func numbered(names ...string) map[uint16]string {
	out := map[uint16]string{}
	for n, name := range names {
		out[uint16(n)] = name
	}
	return out
}

// Each documented number of an enumeration sets the series of its name to 1, and an undocumented
// number sets that of the name unknown.
func TestStatesByNumber(t *testing.T) {
	type relationshipRow = msvm.ReplicationRelationship
	relationship := func(set func(*relationshipRow, uint16)) func(*fakeHost, uint16) {
		return func(h *fakeHost, n uint16) {
			r := newRelationship(appID, "app01")
			set(&r, n)
			setRows(h, r)
		}
	}
	for _, tt := range []struct {
		metric, label string
		set           func(*fakeHost, uint16)
		want          map[uint16]string // empty if there must be no series
		undocumented  uint16
	}{
		{
			"state", "state",
			relationship(func(r *relationshipRow, n uint16) { r.ReplicationState = new(msvm.ReplicationState(n)) }),
			numbered("", "ready_for_replication", "waiting_to_complete_initial_replication", "replicating",
				"synced_replication_complete", "recovered", "committed", "suspended", "critical",
				"waiting_to_start_resynchronization", "resynchronizing", "resynchronization_suspended",
				"failover_in_progress", "failback_in_progress", "failback_complete", "disk_update_in_progress",
				"disk_update_critical", "unknown", "repurpose_replication_in_progress",
				"prepared_for_sync_replication", "prepared_for_group_reverse_replication", "firedrill_in_progress"),
			22,
		},
		{
			"health", "health",
			relationship(func(r *relationshipRow, n uint16) { r.ReplicationHealth = new(msvm.ReplicationHealth(n)) }),
			numbered("not_applicable", "ok", "warning", "critical"), 4,
		},
		{
			"last_replication_type", "type",
			relationship(func(r *relationshipRow, n uint16) { r.LastReplicationType = new(msvm.ReplicationType(n)) }),
			numbered("none", "regular", "application_consistent", "planned"), 4,
		},
		{
			"failover_type", "type",
			relationship(func(r *relationshipRow, n uint16) {
				r.FailedOverReplicationType = new(msvm.ReplicationType(n))
			}),
			numbered("none", "regular", "application_consistent", "planned"), 4,
		},
		{
			"mode", "mode",
			func(h *fakeHost, n uint16) {
				setRows(h, newVM(appID, "app01", msvm.ReplicationMode(n)))
				setRows(h, relationshipRow{InstanceID: `Microsoft:` + appID + `\HVR\0`, ReplicationState: new(msvm.Disabled)})
			},
			numbered("none", "primary", "replica", "test_replica", "extended_replica"), 5,
		},
	} {
		want := maps.Clone(tt.want)
		want[tt.undocumented], want[65535] = "unknown", "unknown"
		for n, name := range want {
			h := newHostWithVM(newFakeClock())
			tt.set(h, n)
			r := newFakeHostRig(h)
			got := currentState(t, parseSeries(r.gather(t, scrapeTimeout, "relationship")), tt.metric, tt.label)
			if got != name {
				t.Errorf("%s of number %d is %q, want %q", tt.metric, n, got, name)
			}
			// 17 is the documented number of the state unknown.
			if lines := r.logs.TakeLines(); (len(lines) > 0) != (name == "unknown") {
				t.Errorf("%s of number %d: log %q, want a warning if it is unknown", tt.metric, n, lines)
			}
		}
	}
}

// vm_running is 1 for a running VM (2; critical, 32781) and 0 for one that is off (3; critical, 32782) or saved (6,
// 32769; fast, 32779; critical, 32784 and 32791), which is not an outage. It is absent in states in which the VM is
// neither, such as paused (9, 32768, 32785) and starting (10), and for numbers without a documented meaning.
func TestVMRunningByNumber(t *testing.T) {
	absent := []msvm.EnabledState{
		0, 1, 4, 5, 7, 8, 9, 10, 11, 12, 32767, 32768, 32770, 32772, 32773, 32776, 32777, 32778, 32780, 32783, 32785, 32786,
		32787, 32788, 32789, 32790, 32792, 32793, 65535,
	}
	want := map[msvm.EnabledState]string{
		2: "1", 32781: "1", 3: "0", 32782: "0", 6: "0", 32769: "0", 32779: "0", 32784: "0", 32791: "0",
	}
	for _, n := range absent {
		want[n] = ""
	}
	for n, value := range want {
		h := newHostWithVM(newFakeClock())
		vm := newVM(appID, "app01", 1)
		vm.EnabledState = &n
		setRows(h, vm)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "relationship"))
		if v := valuesOf(got, "vm_running", "vm")["app01"]; v != value {
			t.Errorf("vm_running for EnabledState %d is %q, want %q", n, v, value)
		}
	}
}

// Authentication types are the labels of the relationship and of the replica server.
func TestAuthenticationByNumber(t *testing.T) {
	want := numbered("not_defined", "kerberos", "certificate", "both", "unknown")
	for n, name := range want {
		h := newHostWithVM(newFakeClock())
		s := newSettings(appID)
		s.AuthenticationType = new(msvm.Authentication(n))
		setRows(h, s)
		setRows(h, msvm.ReplicationServiceSettingData{
			AllowedAuthenticationType: new(msvm.Authentication(n)), HttpPort: new(uint16(80)), HttpsPort: new(uint16(443)),
		})
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "settings", "service"))
		for _, metric := range []string{"relationship_info", "server_info"} {
			if values := valuesOf(got, metric, "authentication"); !maps.Equal(values, map[string]string{name: "1"}) {
				t.Errorf("%s for authentication %d: %v, want %s", metric, n, values, name)
			}
		}
	}
}

// The first status of the replication service counts: 2 is OK, and 6 means that a listener is not running.
func TestServiceStatusByNumber(t *testing.T) {
	for _, tt := range []struct {
		numbers []uint16
		want    string
		warned  bool
	}{
		{nil, "", false},
		{[]uint16{}, "", false},
		{[]uint16{2}, "ok", false},
		{[]uint16{2, 6}, "ok", false},
		{[]uint16{6}, "error", true},
		{[]uint16{6, 2}, "error", true},
		{[]uint16{0}, "other", true},
		{[]uint16{3}, "other", true}, // degraded
		{[]uint16{10}, "other", true},
		{[]uint16{65535}, "other", true},
	} {
		h := newHostWithVM(newFakeClock())
		setRows(h, msvm.ReplicationService{Name: "replicasvc", OperationalStatus: tt.numbers})
		setRows(h, msvm.ReplicationServiceSettingData{})
		r := newFakeHostRig(h)
		got := parseSeries(r.gather(t, scrapeTimeout, "service"))
		if status := currentState(t, got, "service_status", "status"); status != tt.want {
			t.Errorf("status %v is %q, want %q", tt.numbers, status, tt.want)
		}
		checkSeries(t, got, map[string]string{"up": "1"})
		if lines := r.logs.TakeLines(); (len(lines) == 1) != tt.warned || len(lines) > 1 {
			t.Errorf("status %v: log %q, want a warning: %v", tt.numbers, lines, tt.warned)
		}
	}
}

// The severity of a health issue is that of Msvm_Error.PerceivedSeverity.
func TestHealthIssueSeverityByNumber(t *testing.T) {
	want := numbered("unknown", "other", "information", "degraded", "minor", "major", "critical", "fatal", "unknown")
	for n, name := range want {
		h := newHostWithVM(newFakeClock())
		h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
			severity := property("PerceivedSeverity", "uint16", fmt.Sprint(n))
			return statisticsReply("", property("MessageID", "string", "99006")+severity), nil
		}
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "statistics"))
		if values := valuesOf(got, "health_issue", "severity"); !maps.Equal(values, map[string]string{name: "1"}) {
			t.Errorf("severity %d: %v, want %s", n, values, name)
		}
	}
}

// Types of jobs from 90 to 125 are operations of replication. Others are not exposed.
func TestOperationsByNumber(t *testing.T) {
	names := []string{
		"modify_server_settings", "create_relationship", "modify_relationship", "remove_relationship", // from 90 on
		"start_initial_replication", "import_replication", "state_change", "initiate_failover", "revert_failover",
		"commit_failover", "initiate_synced_replication", "cancel_synced_replication", "initiate_test_replica", // from 99 on
		"remove_test_replica", "reverse_replication", "send_delta", "receive_delta", "resynchronize", "apply_change_log",
		"stop_initial_replication", "stop_resynchronizing", "get_statistics", "prepare_consistency_checker", // from 109 on
		"consistency_checker", "stop_consistency_checker", "test_connection", "send_initial_replica",
		"start_resynchronizing_initial_replication", "start_export_initial_replication", "reset_statistics", // from 117 on
		"apply_registered_deltas", "resynchronize_extended", "read_test_replica_configuration", "change_mode_to_primary",
		"initiate_failback", "update_disk_set", // until 125
	}
	want := map[msvm.JobType]string{0: "", 42: "", 89: "", 126: "", 65535: ""}
	for i, name := range names {
		want[msvm.JobType(90+i)] = name
	}
	for n, name := range want {
		h := newHostWithVM(newFakeClock())
		setRows(h, newJob("1", n, 4))
		r := newFakeHostRig(h)
		got := parseSeries(r.gather(t, scrapeTimeout, "job"))
		running := strings.Join(slices.Collect(maps.Keys(valuesOf(got, "operation_running", "operation"))), " ")
		if running != name {
			t.Errorf("job of type %d is the operation %q, want %q", n, running, name)
		}
		setRows(h, newJob("1", n, 10))
		failed := slices.Collect(maps.Keys(failureCounts(r.gather(t, scrapeTimeout, "job"))))
		if strings.Join(failed, " ") != name {
			t.Errorf("failed job of type %d counts as %q, want %q", n, failed, name)
		}
	}
}

// Jobs in the states 3 to 6 are running, and only a job in the state 10, Exception, has failed: one in
// the states 8 and 9 was cancelled, and 32768 is a success with warnings. A job in the state 2 has not
// started. An undocumented state is not an end.
func TestJobStatesByNumber(t *testing.T) {
	running := []msvm.JobState{0, 1, 3, 4, 5, 6, 11, 12, 32767, 32769, 65535}
	for _, n := range append([]msvm.JobState{2, 7, 8, 9, 10, 32768}, running...) {
		h := newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "job")
		setRows(h, newJob("1", 107, n))
		exposition := r.gather(t, scrapeTimeout, "job")
		want := ""
		if slices.Contains(running, n) {
			want = "1"
		}
		if v := valuesOf(parseSeries(exposition), "operation_running", "operation")["resynchronize"]; v != want {
			t.Errorf("%q jobs in the state %d are running, want %q", v, n, want)
		}
		want = ""
		if n == 10 {
			want = "1"
		}
		if v := failureCounts(exposition)["resynchronize"]; v != want {
			t.Errorf("%q jobs in the state %d have failed, want %q", v, n, want)
		}
	}
}
