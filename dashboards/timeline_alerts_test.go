//go:build prometheus

package dashboards_test

import (
	"flag"
	"slices"
	"sync"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

var update = flag.Bool("update", false, "write the files that the tests compare with")

// In each timeline, the alerts of the table fire at the times of the table, and no others. Their receivers are those of
// the table. The rules and their durations, and the example configuration of Alertmanager, are used without changes.
func TestTimelineAlertsMatchTable(t *testing.T) {
	rules, groups := promtest.ReadRules(t, ruleFiles)
	metrics := map[string]bool{} // metrics that the rules use
	for _, r := range rules {
		for _, name := range metricNamesIn(r.Expr) {
			metrics[name] = true
		}
	}
	table := readTimelineTable(t)
	a := startAlertmanager(t, "http://127.0.0.1:1", false)
	var mu sync.Mutex // guards a and sections
	sections := map[string]string{}
	var titles []string
	t.Run("timelines", func(t *testing.T) {
		for _, tt := range timelineTests(t) {
			for _, hosts := range tt.scraped {
				titles = append(titles, tt.title(hosts))
			}
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				r := recordTimeline(t, tt.Timeline, metrics)
				for _, hosts := range tt.scraped {
					title := tt.title(hosts)
					want := parseSection(table[title], tt.at)
					got := timelineSection{}
					firing := r.firingAlerts(t, hosts, groups, tt.at)
					mu.Lock()
					for at, alerts := range firing {
						got[at] = routeAlerts(t, a, alerts, want[at])
					}
					sections[title] = got.format(tt.at)
					mu.Unlock()
					if text := got.format(tt.at); text != table[title] && !*update {
						t.Errorf("%s: got\n%s\nwant\n%s", title, text, table[title])
					}
				}
			})
		}
	})
	if *update {
		writeTimelineTable(t, titles, sections)
	}
	for title := range table {
		if !slices.Contains(titles, title) {
			t.Errorf("no timeline for the section %q of the table", title)
		}
	}
}

// receiverLetters are the letters that stand for receivers in the table.
var receiverLetters = map[string]string{"pager": "P", "mail": "M", "journal": "J", "inhibited": "i"}

// routeAlerts posts firing alerts to Alertmanager and returns the letter of the receiver of each, keyed by its row. The
// wanted letters tell when Alertmanager has finished.
func routeAlerts(
	t *testing.T, a *alertmanager, firing []map[string]string, wantLetters map[string]string,
) map[string]string {
	t.Helper()
	want := map[string]string{}
	for _, l := range firing {
		for receiver, letter := range receiverLetters {
			if letter == wantLetters[formatRow(l)] {
				want[labelsKey(l)] = receiver
			}
		}
	}
	if *update {
		want = nil
	}
	got := a.route(t, firing, want)
	letters := map[string]string{}
	for _, l := range firing {
		letters[formatRow(l)] = receiverLetters[got[labelsKey(l)]]
	}
	return letters
}
