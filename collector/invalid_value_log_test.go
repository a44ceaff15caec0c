package collector_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

const jobClass, relationshipClass = "Msvm_ConcreteJob", "Msvm_ReplicationRelationship"

// setInvalid makes values of a class invalid, from now on.
func setInvalid(h *fakeHost, class string, values ...wmiquery.InvalidValue) {
	for i := range values {
		values[i].Class = class
		if values[i].Err == nil {
			values[i].Err = errors.New("not valid")
		}
	}
	h.setError(class, wmiquery.NewInvalidValuesError(values))
}

// invalidLines returns the lines about invalid values since the last call, without level and message.
func invalidLines(r *testRig) []string {
	var lines []string
	for _, line := range r.logs.TakeLines() {
		if text, ok := strings.CutPrefix(line, `level=warn msg="invalid value" `); ok {
			lines = append(lines, text)
		}
	}
	return lines
}

// An invalid value is logged when it appears, once for all collectors, and again when it comes back.
func TestInvalidValueIsLoggedWhenItAppears(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	at := func(text string) wmiquery.InvalidValue {
		return wmiquery.InvalidValue{Row: 0, Instance: "app01", Property: "LastReplicationTime", Text: text}
	}
	line := func(text string) string {
		return fmt.Sprintf(`class=%s instance=app01 property=LastReplicationTime value=%s err="not valid"`, relationshipClass, text)
	}
	for i, step := range []struct{ invalid, want []string }{
		{[]string{"zeros"}, []string{line("zeros")}},
		{[]string{"zeros"}, nil},
		{[]string{"zeros", "ones"}, []string{line("ones")}},
		{[]string{"ones"}, nil},
		{nil, nil},
		{[]string{"zeros"}, []string{line("zeros")}},
	} {
		var values []wmiquery.InvalidValue
		for _, text := range step.invalid {
			values = append(values, at(text))
		}
		setInvalid(h, relationshipClass, values...)
		r.gather(t, scrapeTimeout)
		if got := invalidLines(r); strings.Join(got, "\n") != strings.Join(step.want, "\n") {
			t.Errorf("step %d: got lines %q, want %q", i, got, step.want)
		}
	}
	// While the host does not respond, the value has not gone.
	h.setError(relationshipClass, wmiquery.ErrTimeout)
	r.gather(t, scrapeTimeout)
	setInvalid(h, relationshipClass, at("zeros"))
	r.gather(t, scrapeTimeout)
	if got := invalidLines(r); len(got) > 0 {
		t.Errorf("after a response that was late: got lines %q", got)
	}
}

// The number of lines has a limit.
func TestLoggedInvalidValuesAreLimited(t *testing.T) {
	for n, want := range map[int]string{100: "100 lines", 101: "100 lines, 1 more", 5000: "100 lines, 4900 more"} {
		h := newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		var values []wmiquery.InvalidValue
		for i := range n {
			values = append(values, wmiquery.InvalidValue{Row: 0, Property: "ElapsedTime", Text: fmt.Sprint(i)})
		}
		setRows(h, newJob("1", 90, msvm.JobRunning))
		setInvalid(h, jobClass, values...)
		var lines, more string
		for range 2 { // the second scrape logs nothing
			r.gather(t, scrapeTimeout, "job")
			all := r.logs.TakeLines()
			for _, line := range all {
				if _, text, ok := strings.Cut(line, "not logged"); ok {
					_, count, _ := strings.Cut(text, "count=")
					more += ", " + count + " more"
				}
			}
			if len(all) > 0 {
				lines += fmt.Sprint(strings.Count(strings.Join(all, "\n"), `"invalid value"`), " lines")
			}
		}
		if got := lines + more; got != want {
			t.Errorf("%d values: got %s, want %s", n, got, want)
		}
		if got := invalidCounts(r, t)[jobClass+".ElapsedTime"]; got != fmt.Sprint(2*n) {
			t.Errorf("%d values in each of 2 responses: counted %s", n, got)
		}
	}
}

// Each response counts once, whichever collectors use it.
func TestInvalidValuesAreCountedByResponse(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply(property("StartStatisticTime", "datetime", "soon"), property("PerceivedSeverity", "uint16", "x"),
			"<PROPERTY/>"), nil
	}
	setInvalid(h, relationshipClass, wmiquery.InvalidValue{Property: "LastApplyTime"}, wmiquery.InvalidValue{Property: "LastApplyTime"})
	if got := invalidCounts(r, t); len(got) > 0 {
		t.Errorf("before the first response: %v", got)
	}
	for range 3 {
		r.gather(t, scrapeTimeout)
	}
	checkCapture(t, "counter", invalidCounts(r, t), map[string]string{
		relationshipClass + ".LastApplyTime":            "6",
		"Msvm_ReplicationStatistics.StartStatisticTime": "3",
		"Msvm_Error.PerceivedSeverity":                  "3",
		"Msvm_Error.":                                   "3",
	})
	lines := strings.Join(invalidLines(r), "\n")
	for _, want := range []string{
		`class=Msvm_ReplicationStatistics instance=Microsoft:` + appID + `\HVR\0 property=StartStatisticTime value=soon`,
		`class=Msvm_Error instance=Microsoft:` + appID + `\HVR\0 property= value=`,
	} {
		if strings.Count(lines, want) != 1 {
			t.Errorf("got lines\n%s\nwant once %s", lines, want)
		}
	}
}
