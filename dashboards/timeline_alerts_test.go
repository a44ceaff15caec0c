//go:build prometheus

package dashboards_test

import (
	"flag"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"
)

var update = flag.Bool("update", false, "write the files that the tests compare with")

// In each timeline, the alerts of the table fire at the times of the table, and no others. Their receivers are those of
// the table. The rules and their durations, and the example configuration of Alertmanager, are used without changes.
func TestTimelineAlertsMatchTable(t *testing.T) {
	rules, groups := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
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
					wantFiring := map[time.Duration][]string{}
					for at, receivers := range want {
						wantFiring[at] = slices.Sorted(maps.Keys(receivers))
					}
					got := timelineSection{}
					firing := r.firingAlerts(t, hosts, groups, wantFiring)
					mu.Lock()
					for at, rows := range firing {
						got[at] = routeRows(t, a, alerts, rows, want[at])
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

// routeRows posts the alerts of rows to Alertmanager and returns the letter of the receiver of each. The wanted letters
// tell when Alertmanager has finished.
func routeRows(
	t *testing.T, a *alertmanager, alerts map[string]promtest.Rule, rows []string, wantLetters map[string]string,
) map[string]string {
	t.Helper()
	var firing []map[string]string
	want, keys := map[string]string{}, map[string]string{}
	for _, row := range rows {
		l := map[string]string{}
		for _, m := range labelPattern.FindAllStringSubmatch(rowSelector(row), -1) {
			l[m[1]] = m[2]
		}
		l["severity"] = alerts[l["alertname"]].Labels["severity"]
		if l["vm"] != "" {
			l["vm_id"] = l["vm"]
		}
		firing = append(firing, l)
		keys[row] = labelsKey(l)
		for receiver, letter := range receiverLetters {
			if letter == wantLetters[row] {
				want[labelsKey(l)] = receiver
			}
		}
	}
	got := a.route(t, firing, want)
	letters := map[string]string{}
	for _, row := range rows {
		letters[row] = receiverLetters[got[keys[row]]]
	}
	return letters
}
