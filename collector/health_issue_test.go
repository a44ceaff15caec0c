package collector_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/logging/loggingtest"
	"hyperv_replica_exporter/wmiquery"
)

// The number of series and of log lines for health issues is limited to ten besides that of the rest,
// however many message IDs the host uses. An issue that has a series is counted there, although the limit
// is reached.
func TestHealthIssuesAreLimited(t *testing.T) {
	for n, want := range map[int]struct {
		series int
		other  string
	}{9: {9, ""}, 10: {10, ""}, 11: {11, "1"}, 50: {11, "40"}} {
		h := newHostWithVM(newFakeClock())
		h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
			var issues []string
			for i := range n {
				issues = append(issues, property("MessageID", "string", fmt.Sprint(i)))
			}
			return statisticsReply("", append(issues, issues[3])...), nil
		}
		r := newFakeHostRig(h)
		got := valuesOf(parseSeries(r.gather(t, scrapeTimeout, "statistics")), "health_issue", "message_id")
		if len(got) != want.series || got["other"] != want.other || got["0"] != "1" || got["3"] != "2" {
			t.Errorf("%d issues: %v, want %d series, %q with the ID other, and 2 with the ID 3",
				n, got, want.series, want.other)
		}
		if lines := len(r.logs.TakeLines()); lines != want.series {
			t.Errorf("%d issues: %d lines in the log, want %d", n, lines, want.series)
		}
	}
}

// The same message ID with another severity is another series. An issue without an ID has the ID unknown.
func TestHealthIssueSeries(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		id, severe := property("MessageID", "string", "7"), property("PerceivedSeverity", "uint16", "6")
		return statisticsReply("", id, id+severe, severe, property("MessageID", "string", "")), nil
	}
	const labels = `,vm="app01",vm_id="` + appID + `"}`
	checkSeries(t, parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "statistics")), map[string]string{
		`health_issue{message_id="7",relationship="primary",severity="unknown"` + labels:        "1",
		`health_issue{message_id="7",relationship="primary",severity="critical"` + labels:       "1",
		`health_issue{message_id="unknown",relationship="primary",severity="critical"` + labels: "1",
		`health_issue{message_id="unknown",relationship="primary",severity="unknown"` + labels:  "1",
	})
}

// A health issue is logged with its text once for each message ID and relationship, however often the
// host reports it.
func TestHealthIssueIsLoggedOnce(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h, newRelationship(appID, "app01"), newRelationship(sqlID, "sql01"))
	issue := func(id, text string) string {
		return property("MessageID", "string", id) + property("Message", "string", text)
	}
	issues := []string{issue("1", "first"), issue("1", "first"), issue("2", "second")}
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) { return statisticsReply("", issues...), nil }
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
	checkSeries(t, got, map[string]string{
		`health_issue{message_id="1",relationship="primary",severity="unknown",vm="app01",vm_id="` + appID + `"}`: "2",
		`health_issue{message_id="2",relationship="primary",severity="unknown",vm="sql01",vm_id="` + sqlID + `"}`: "1",
	})
	lines := r.logs.TakeLines()
	for _, want := range []string{
		"message_id=1 severity=unknown message=first", "message_id=2 severity=unknown message=second",
	} {
		for _, vm := range []string{
			"vm=app01 vm_id=" + appID + " relationship=primary", "vm=sql01 vm_id=" + sqlID + " relationship=primary",
		} {
			n := 0
			for _, line := range lines {
				if strings.Contains(line, want) && strings.Contains(line, vm) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d lines with %q and %q, want 1: %q", n, want, vm, lines)
			}
		}
	}
	r.gather(t, scrapeTimeout, "statistics")
	if lines := r.logs.TakeLines(); len(lines) != 0 {
		t.Errorf("log %q for the same issues, want nothing", lines)
	}
	issues = issues[2:]
	r.gather(t, scrapeTimeout, "statistics")
	if lines := r.logs.TakeLines(); len(lines) != 0 {
		t.Errorf("log %q when an issue is gone, want nothing", lines)
	}
}

// The text of a health issue is a label, as one line of at most 500 bytes, from the time the issue appears until
// it is gone: numbers in the text that change do not make new series. An issue without a text has no such series.
func TestHealthIssueTextIsKeptWhileIssueLasts(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	issue := func(id, text string) string {
		return property("MessageID", "string", id) + property("Message", "string", text) +
			`<PROPERTY.ARRAY NAME="RecommendedActions" TYPE="string"><VALUE.ARRAY><VALUE>Wait.</VALUE>` +
			`<VALUE>Call ` + text + `.</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>`
	}
	r := newFakeHostRig(h)
	check := func(step string, texts, actions map[string]string, issues ...string) {
		t.Helper()
		h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) { return statisticsReply("", issues...), nil }
		got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
		if m := valuesOf(got, "health_issue_info", "message"); !maps.Equal(m, texts) {
			t.Errorf("%s: messages %v, want %v", step, m, texts)
		}
		if a := valuesOf(got, "health_issue_info", "recommended_action"); !maps.Equal(a, actions) {
			t.Errorf("%s: actions %v, want %v", step, a, actions)
		}
	}
	first := map[string]string{"behind by 5 minutes": "1"}
	action := map[string]string{"Wait. Call behind by 5 minutes.": "1"}
	check("first", first, action, issue("1", "behind\r\n by 5 minutes"), property("MessageID", "string", "2"))
	check("number changed", first, action, issue("1", "behind by 6 minutes"), issue("1", "behind by 7 minutes"))
	check("issue gone", map[string]string{}, map[string]string{})
	check("issue is back", map[string]string{strings.Repeat("é", 248) + "…": "1"},
		map[string]string{"Wait. Call " + strings.Repeat("é", 243) + "…": "1"}, issue("1", strings.Repeat("é", 251)))
}

// Without their text health issues are still counted.
func TestHealthIssueTextCanBeOmitted(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply("", property("MessageID", "string", "1")+property("Message", "string", "secret")), nil
	}
	r := &testRig{logs: &loggingtest.Buffer{}, scraper: collector.NewScraper(collector.Options{
		Reader: h, Logger: log.NewNopLogger(), CallTimeout: scrapeTimeout, OmitIssueText: true,
	}, func(string) bool { return true })}
	got := r.gather(t, scrapeTimeout, "statistics")
	if strings.Contains(got, "secret") || !strings.Contains(got, `hyperv_replica_health_issue{message_id="1"`) {
		t.Errorf("want the health issue without its text, got %s", got)
	}
}
