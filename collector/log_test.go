package collector_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// takeMessages returns the level and the message of the log lines since the last call, except those of
// level debug.
func takeMessages(r *testRig) []string {
	var out []string
	for _, line := range r.logs.TakeLines() {
		_, lvl, _ := strings.Cut(line, "level=")
		lvl, _, _ = strings.Cut(lvl, " ")
		_, msg, _ := strings.Cut(line, `msg="`)
		msg, _, _ = strings.Cut(msg, `"`)
		if lvl != "debug" {
			out = append(out, lvl+" "+msg)
		}
	}
	return out
}

func checkMessages(t *testing.T, when string, r *testRig, want ...string) {
	t.Helper()
	if got := takeMessages(r); strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("%s: log %q, want %q", when, got, want)
	}
}

// A failure is logged when it begins, when its cause changes and when it ends.
func TestFailureIsLoggedWhenItChanges(t *testing.T) {
	const failed, recovered = "error collector failed", "info collector recovered"
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	for i, step := range []struct {
		err  error
		want string
	}{
		{nil, ""}, // the first success is no recovery
		{wmiquery.ErrInvalidState, failed},
		{wmiquery.ErrInvalidState, ""},
		{errors.New("another cause"), failed},
		{errors.New("another cause"), ""},
		{wmiquery.ErrInvalidState, failed}, // the first cause again
		{nil, recovered},
		{nil, ""},
		{wmiquery.ErrInvalidState, failed}, // after a recovery, the same cause is new
		{wmiquery.ErrUnsupported, "warn class or method missing on this host"},
		{wmiquery.ErrUnsupported, ""},
		{nil, recovered},
		// The errors of a host that does not respond alternate.
		{wmiquery.ErrTimeout, failed},
		{wmiquery.ErrBusy, ""},
		{wmiquery.ErrUnavailable, ""},
		{fmt.Errorf("connect: %w", wmiquery.ErrUnavailable), ""},
		{wmiquery.ErrTimeout, ""},
		{nil, recovered},
	} {
		h.setError("Msvm_ReplicationAuthorizationSettingData", step.err)
		r.gather(t, scrapeTimeout, "authorization", "provider")
		var want []string
		if step.want != "" {
			want = []string{step.want}
		}
		checkMessages(t, fmt.Sprintf("step %d, error %v", i, step.err), r, want...)
	}
}

// Of several causes of a failure, each that is new is logged, and so is the end of one of them.
func TestEachCauseIsLogged(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	for i, step := range []struct {
		relationships, vms error
		want               string
	}{
		{wmiquery.ErrInvalidState, wmiquery.ErrInvalidState, "error collector failed"},
		{wmiquery.ErrInvalidState, wmiquery.ErrInvalidState, ""},
		{wmiquery.ErrInvalidState, wmiquery.ErrNotFound, "error collector failed"},
		{wmiquery.ErrNotFound, wmiquery.ErrInvalidState, ""}, // the same causes in another order
		{wmiquery.ErrNotFound, nil, "error collector failed"},
		{nil, wmiquery.ErrNotFound, ""},
		{nil, nil, "info collector recovered"},
	} {
		h.setError("Msvm_ReplicationRelationship", step.relationships)
		h.setError("Msvm_ComputerSystem", step.vms)
		r.gather(t, scrapeTimeout, "relationship")
		if got := strings.Join(takeMessages(r), ", "); got != step.want {
			t.Errorf("step %d: log %q, want %q", i, got, step.want)
		}
	}
}

// While a collector fails, responses that are late now and then do not fill the log.
func TestLateResponsesDoNotRepeatFailure(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "relationship")
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrInvalidState)
	for _, err := range []error{nil, wmiquery.ErrTimeout, nil, wmiquery.ErrBusy, nil} {
		h.setError("Msvm_ComputerSystem", err)
		r.gather(t, scrapeTimeout, "relationship")
	}
	checkMessages(t, "five scrapes with one cause", r, "error collector failed")
}

// A missing class that is expected on some versions of Windows is logged once, and again after it was there.
func TestMissingClassIsLoggedOnce(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	for range 2 {
		h.setError(perfClass, wmiquery.ErrUnsupported)
		r.gather(t, scrapeTimeout, "perf")
		checkMessages(t, "class is missing", r, "info class missing on this version of Windows")
		r.gather(t, scrapeTimeout, "perf")
		checkMessages(t, "class is still missing", r)
		h.setError(perfClass, nil)
		r.gather(t, scrapeTimeout, "perf")
		checkMessages(t, "class is there", r, "info collector recovered")
	}
}

// A warning is logged when its condition appears, for each VM and each property, and again after the
// condition was gone. A scrape that fails in part does not end the condition.
func TestWarningIsLoggedWhenConditionAppears(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h, newVM(appID, "app01", 1), newVM(sqlID, "sql01", 1))
	r := newFakeHostRig(h)
	scrape := func(when string, app, sql uint16, want ...string) {
		t.Helper()
		one, two := newRelationship(appID, "app01"), newRelationship(sqlID, "sql01")
		one.ReplicationHealth, two.ReplicationHealth = new(msvm.ReplicationHealth(app)), new(msvm.ReplicationHealth(sql))
		setRows(h, one, two)
		r.gather(t, scrapeTimeout, "relationship")
		lines := r.logs.TakeLines()
		if len(lines) != len(want) {
			t.Errorf("%s: log %q, want %d lines", when, lines, len(want))
			return
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("%s: log line %s, want %q", when, line, want[i])
			}
		}
	}
	const message = `level=warn msg="property has an undocumented value" collector=relationship property=health value=`
	scrape("documented values", 1, 2)
	scrape("one value", 99, 1, message+"99 id=Microsoft:"+appID)
	scrape("the same value", 99, 1)
	scrape("the value at another VM", 99, 99, message+"99 id=Microsoft:"+sqlID)
	scrape("another value", 100, 99, message+"100 id=Microsoft:"+appID)
	scrape("the value is gone", 1, 1)
	scrape("the value is back", 99, 1, message+"99 id=Microsoft:"+appID)

	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrInvalidState)
	r.gather(t, scrapeTimeout, "relationship")
	checkMessages(t, "the class fails", r, "error collector failed")
	h.setError("Msvm_ReplicationRelationship", nil)
	r.gather(t, scrapeTimeout, "relationship")
	checkMessages(t, "the class can be read again", r, "info collector recovered")
	scrape("the value is gone after the failure", 1, 1)
	scrape("the value is back again", 99, 1, message+"99 id=Microsoft:"+appID)

	h.setError("Msvm_ComputerSystem", wmiquery.ErrInvalidState)
	scrape("a new value in a scrape that fails in part", 99, 98,
		"collector failed", message+"98 id=Microsoft:"+sqlID)
}

// Each property with an undocumented value has its own warning.
func TestWarningPerProperty(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	relationship := newRelationship(appID, "app01")
	relationship.ReplicationState = new(msvm.ReplicationState(99))
	relationship.ReplicationHealth = new(msvm.ReplicationHealth(99))
	relationship.LastReplicationType = new(msvm.ReplicationType(99))
	relationship.FailedOverReplicationType = new(msvm.ReplicationType(99))
	setRows(h, relationship)
	setRows(h, newVM(appID, "app01", 99))
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "relationship")
	lines := r.logs.TakeLines()
	for _, property := range []string{"state", "health", `"replication type"`, `"failover type"`, "mode"} {
		if n := strings.Count(strings.Join(lines, "\n"), " property="+property+" value=99 "); n != 1 {
			t.Errorf("%d warnings about the property %s, want 1: %q", n, property, lines)
		}
	}
	if len(lines) != 5 {
		t.Errorf("%d log lines, want 5", len(lines))
	}
}
