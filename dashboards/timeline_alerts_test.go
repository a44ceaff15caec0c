//go:build prometheus

package dashboards_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var updatePlayed = flag.Bool("update.Timeline", false, "write the table of the alerts of played worlds anew")

var playedTable = filepath.Join("rules", "tests", "played.txt")

// episode is a world that is played, and when its alerts are looked at, for each
// set of hosts that Prometheus may scrape.
type episode struct {
	name string
	promtest.Timeline
	seen [][]string
	at   []time.Duration
}

const minutes = time.Minute

var (
	oneHost    = []string{"HV01"}
	bothHosts  = []string{"HV01", "HV02"}
	threeHosts = []string{"HV01", "HV02", "HV03"}
)

// episodes are all scenarios, what is done to healthy worlds, and faults. They
// begin at 8:00: the monitoring window ends an hour later.
func episodes(t *testing.T) []episode {
	t.Helper()
	all := []episode{
		{name: "mixed, a day later", seen: [][]string{oneHost}, Timeline: promtest.Timeline{World: simulator.Config{Scenario: "mixed"}, Step: 5 * minutes}, at: []time.Duration{26 * time.Hour}},
		{name: "idle", seen: [][]string{bothHosts}, Timeline: promtest.Timeline{Before: idle(t)}, at: []time.Duration{time.Hour, 3 * time.Hour}},
		{name: "paused for 50 minutes", seen: [][]string{bothHosts}, Timeline: promtest.Timeline{Before: pausedFor(t, 50*minutes)}, at: []time.Duration{30 * minutes, 56 * minutes, 70 * minutes, 3 * time.Hour}},
		{name: "paused for 3 hours", seen: [][]string{bothHosts}, Timeline: promtest.Timeline{Before: pausedFor(t, 3*time.Hour)}, at: []time.Duration{30 * minutes, 70 * minutes, 3 * time.Hour, 200 * minutes}},
		{name: "the exporter of HV01 is down for an hour", seen: [][]string{bothHosts}, Timeline: promtest.Timeline{
			Down: func(host string, since time.Duration) bool {
				return host == "HV01" && since >= 10*minutes && since < 70*minutes
			},
		}, at: []time.Duration{14 * minutes, 20 * minutes, 60 * minutes, 80 * minutes}},
	}
	for _, name := range simulator.Scenarios() {
		e := episode{name: name, Timeline: promtest.Timeline{World: simulator.Config{Scenario: name}}, at: []time.Duration{10 * minutes, 30 * minutes, 50 * minutes, 2 * time.Hour}}
		switch name {
		case "mixed":
			e.seen = [][]string{oneHost, bothHosts, threeHosts}
			e.at = append(e.at, 260*minutes)
		case "failover-drill":
			e.at = append(e.at, 260*minutes)
		case "german", "chinese": // the same in other words
			e.at = e.at[:2]
		}
		all = append(all, e)
	}
	for _, fault := range []string{
		"denied", "disconnected", "hung", "hung=Msvm_ReplicationRelationship", "hung=GetReplicationStatisticsEx", "relationship-hung", "relationship-failing",
		"class-missing=Msvm_ReplicationSettingData", "service-error", "statistics-job", "statistics-empty",
		"nulls", "unknown-enum", "duplicate-names", "slow=3s",
	} {
		all = append(all, episode{name: fault + " after ten minutes", seen: [][]string{oneHost}, Timeline: promtest.Timeline{Before: broken(t, fault)}, at: []time.Duration{20 * minutes, 40 * minutes, 90 * minutes}})
	}
	for i := range all {
		e := &all[i]
		if e.seen == nil {
			e.seen = [][]string{threeHosts}
		}
		if e.World.Scenario == "" {
			e.World.Scenario = "healthy"
		}
		if e.Step == 0 {
			e.Step = 2 * minutes
		}
		e.World.Seed, e.Start, e.Length, e.Hosts = 1, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), slices.Max(e.at), e.seen[len(e.seen)-1]
	}
	return all
}

// broken has a fault from ten minutes on.
func broken(t *testing.T, fault string) func(*simulator.World, time.Duration) {
	t.Helper()
	faults, err := simulator.ParseFaults([]string{fault})
	if err != nil {
		t.Fatal(err)
	}
	return func(w *simulator.World, since time.Duration) {
		if since == 10*minutes {
			w.SetFaults(faults)
		}
	}
}

// idle turns all VMs off that HV01 sends, after ten minutes.
func idle(t *testing.T) func(*simulator.World, time.Duration) {
	return func(w *simulator.World, since time.Duration) {
		if since != 10*minutes {
			return
		}
		for _, vm := range senders(t, w) {
			if err := w.SetPower(vm, "HV01", false); err != nil {
				t.Error(err)
			}
		}
	}
}

// pausedFor pauses all VMs that HV01 sends, after six minutes and for so long.
func pausedFor(t *testing.T, d time.Duration) func(*simulator.World, time.Duration) {
	return func(w *simulator.World, since time.Duration) {
		state := map[time.Duration]msvm.ReplicationState{6 * minutes: msvm.Suspended, 6*minutes + d: msvm.Replicating}[since]
		if state == msvm.Disabled {
			return
		}
		for _, vm := range senders(t, w) {
			if err := w.SetState("HV01", msvm.Key{VM: vm, Link: msvm.Primary}, state); err != nil {
				t.Error(err)
			}
		}
	}
}

// senders are the VMs that replicate from HV01.
func senders(t *testing.T, w *simulator.World) (vms []string) {
	s, err := w.Open()
	if err != nil {
		t.Error(err)
		return nil
	}
	var rows []msvm.ComputerSystem
	if err := s.Read(&rows); err != nil {
		t.Error(err)
	}
	for _, r := range rows {
		if r.ReplicationMode != nil && *r.ReplicationMode == msvm.ModePrimary {
			vms = append(vms, r.Name)
		}
	}
	if len(vms) == 0 {
		t.Error("HV01 sends nothing")
	}
	return vms
}

// How a cell of the table tells who is notified.
var notifiedAs = map[string]string{"pager": "P", "mail": "M", "journal": "J", "inhibited": "i"}

// The alerts of each world that is played are exactly those of the table, at the
// times of its columns, and so is who is notified of them: the rules with their
// true durations, and the example of Alertmanager, at the times of the table.
func TestPlayedAlerts(t *testing.T) {
	rules, groups := promtest.ReadRules(t, ruleFiles)
	wanted := map[string]bool{}
	for _, r := range rules {
		for _, name := range metricOrRule.FindAllString(r.Expr, -1) {
			wanted[name] = true
		}
	}
	table := readPlayedTable(t)
	a := startAlertmanager(t, "http://127.0.0.1:1", false)
	var mu sync.Mutex // of the Alertmanager, and of seen
	seen := map[string]string{}
	var order []string
	t.Run("all", func(t *testing.T) {
		for _, e := range episodes(t) {
			for _, hosts := range e.seen {
				order = append(order, e.title(hosts))
			}
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				r := playAndRecord(t, e.Timeline, wanted)
				for _, hosts := range e.seen {
					title := e.title(hosts)
					want := parseSection(t, table[title], e.at)
					expected := map[time.Duration][]string{}
					for at, cells := range want {
						expected[at] = slices.Sorted(maps.Keys(cells))
					}
					got := want
					if found := r.evaluate(t, hosts, groups, expected); found != nil {
						got = map[time.Duration]map[string]string{}
						for at, rows := range found {
							got[at] = map[string]string{}
							for _, row := range rows {
								got[at][row] = want[at][row]
							}
						}
					}
					mu.Lock()
					for at := range got {
						got[at] = notify(t, a, alertsOf(rules), got[at])
					}
					text := section(got, e.at)
					seen[title] = text
					mu.Unlock()
					if text != table[title] && !*updatePlayed {
						t.Errorf("%s\nis\n%s\nand not\n%s", title, text, table[title])
					}
				}
			})
		}
	})
	if *updatePlayed {
		writePlayedTable(t, order, seen)
	}
	for title := range table {
		if !slices.Contains(order, title) {
			t.Errorf("%s: nothing of that name is played", title)
		}
	}
}

func (e episode) title(hosts []string) string {
	return e.name + ", seen by " + strings.Join(hosts, " ")
}

// notify has the Alertmanager say who is notified of each alert.
func notify(t *testing.T, a *alertmanager, alerts map[string]promtest.Rule, cells map[string]string) map[string]string {
	t.Helper()
	var raised []map[string]string
	want, rows := map[string]string{}, map[string]string{}
	for row, letter := range cells {
		l := map[string]string{}
		for _, m := range label.FindAllStringSubmatch(labelsOfRow(row), -1) {
			l[m[1]] = m[2]
		}
		l["severity"] = alerts[l["alertname"]].Labels["severity"]
		if l["vm"] != "" {
			l["vm_id"] = l["vm"]
		}
		raised = append(raised, l)
		rows[row] = key(l)
		for who, as := range notifiedAs {
			if as == letter {
				want[key(l)] = who
			}
		}
	}
	got := a.judge(t, raised, want)
	notified := map[string]string{}
	for row := range cells {
		notified[row] = notifiedAs[got[rows[row]]]
	}
	return notified
}

// section is a section of the table: a line for each alert, with who is notified
// at each time, and the VMs or hosts for which that is so.
func section(cells map[time.Duration]map[string]string, at []time.Duration) string {
	subjects := map[string][]string{} // of the start of the line
	seen := map[string]bool{}
	for _, c := range cells {
		for row := range c {
			if seen[row] {
				continue
			}
			seen[row] = true
			alert, subject, _ := strings.Cut(row, " ")
			line := fmt.Sprintf("  %-40s", alert)
			for _, when := range at {
				line += fmt.Sprintf(" %5s", cmp.Or(cells[when][row], "."))
			}
			subjects[line] = append(subjects[line], subject)
		}
	}
	if len(subjects) == 0 {
		return "  nothing\n"
	}
	text := strings.Repeat(" ", 42)
	for _, when := range at {
		text += fmt.Sprintf(" %5s", strings.TrimSuffix(strings.TrimSuffix(when.String(), "0s"), "h0m")+map[bool]string{true: "h"}[when%time.Hour == 0])
	}
	text += "\n"
	for _, line := range slices.Sorted(maps.Keys(subjects)) {
		slices.Sort(subjects[line])
		text += line + "   " + strings.Join(subjects[line], ", ") + "\n"
	}
	return text
}

// parseSection is the reverse.
func parseSection(t *testing.T, text string, at []time.Duration) map[time.Duration]map[string]string {
	t.Helper()
	cells := map[time.Duration]map[string]string{}
	for _, when := range at {
		cells[when] = map[string]string{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if len(words) <= len(at)+1 || !strings.HasPrefix(words[0], "HyperV") {
			continue
		}
		for subject := range strings.SplitSeq(strings.Join(words[1+len(at):], " "), ", ") {
			for i, letter := range words[1 : 1+len(at)] {
				if letter != "." {
					cells[at[i]][words[0]+" "+subject] = letter
				}
			}
		}
	}
	return cells
}

const playedHead = `# Which alerts fire while simulated worlds are played, with the rules as they are,
# and who is notified by the example of Alertmanager:
#   P pager   M mail   J journal   i nobody, since another alert inhibits it   . it does not fire
# Alerts that are not here do not fire. The columns are times after the beginning.
# A test holds this against promtool and Alertmanager, and writes it with -update.Timeline:
# read what has changed as the person on call would.
`

func readPlayedTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(playedTable)
	if err != nil && !*updatePlayed {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, s := range strings.Split(string(text), "\n\n")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		table[title] = strings.TrimSuffix(body, "\n") + "\n"
	}
	return table
}

func writePlayedTable(t *testing.T, order []string, sections map[string]string) {
	t.Helper()
	text := playedHead
	for _, title := range order {
		text += "\n" + title + "\n" + sections[title]
	}
	if err := os.WriteFile(playedTable, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
