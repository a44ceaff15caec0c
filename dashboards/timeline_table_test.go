//go:build prometheus

package dashboards_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var timelineTable = filepath.Join("rules", "tests", "timeline_alerts.txt")

const timelineTableHeader = `# Alerts that fire in timelines of simulated hosts with these rules, and their receivers in
# the example configuration of Alertmanager:
#   P pager   M mail   J journal   i inhibited by another alert   . not firing
# Alerts that are not listed do not fire. The columns are times since the first scrape.
# TestTimelineAlertsMatchTable checks the table with promtool and Alertmanager, and writes
# it with the flag -update. Review changes as the person on call would.
`

// readTimelineTable returns the sections of the table, keyed by their titles.
func readTimelineTable(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(timelineTable)
	if err != nil && !*update {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(text), "\n\n")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[title] = strings.TrimSuffix(body, "\n") + "\n"
	}
	return sections
}

func writeTimelineTable(t *testing.T, titles []string, sections map[string]string) {
	t.Helper()
	text := timelineTableHeader
	for _, title := range titles {
		text += "\n" + title + "\n" + sections[title]
	}
	if err := os.WriteFile(timelineTable, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// timelineSection is a section of the table: for each time, the letters of the receivers of the firing alerts. An alert
// is a row such as "HyperVReplicaPaused dc01 primary".
type timelineSection map[time.Duration]map[string]string

// format returns the text of a section: one line for all alerts with the same name and the same receivers at all times,
// followed by the objects of these alerts.
func (s timelineSection) format(at []time.Duration) string {
	objects := map[string][]string{} // by the start of the line
	done := map[string]bool{}        // rows
	for _, letters := range s {
		for row := range letters {
			if done[row] {
				continue
			}
			done[row] = true
			alert, object, _ := strings.Cut(row, " ")
			line := fmt.Sprintf("  %-40s", alert)
			for _, when := range at {
				line += fmt.Sprintf(" %5s", cmp.Or(s[when][row], "."))
			}
			objects[line] = append(objects[line], object)
		}
	}
	if len(objects) == 0 {
		return "  no alerts\n"
	}
	text := strings.Repeat(" ", 42)
	for _, when := range at {
		text += fmt.Sprintf(" %5s", shortDuration(when))
	}
	text += "\n"
	for _, line := range slices.Sorted(maps.Keys(objects)) {
		slices.Sort(objects[line])
		text += line + "   " + strings.Join(objects[line], ", ") + "\n"
	}
	return text
}

// shortDuration returns a duration without the units that are zero, such as 2h, 30m or 1h30m.
func shortDuration(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "0s")
	if d%time.Hour == 0 {
		return strings.TrimSuffix(text, "0m")
	}
	return text
}

// parseSection parses the text of a section.
func parseSection(text string, at []time.Duration) timelineSection {
	s := timelineSection{}
	for _, when := range at {
		s[when] = map[string]string{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if len(words) <= len(at)+1 || !strings.HasPrefix(words[0], "HyperV") {
			continue
		}
		for object := range strings.SplitSeq(strings.Join(words[1+len(at):], " "), ", ") {
			for i, letter := range words[1 : 1+len(at)] {
				if letter != "." {
					s[at[i]][words[0]+" "+object] = letter
				}
			}
		}
	}
	return s
}
