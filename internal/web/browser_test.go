//go:build pictures

package web_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// browserRow is a row of the table of VMs as a browser shows it.
type browserRow struct{ Name, Severity, State, Lag, Pending string }

// A browser shows on the pages what the metrics have, without errors and without violations of accessibility rules.
// Filters and the order work with the keyboard, and an update keeps them. The environment variable PICTURES names the
// directory in which the screenshots are kept.
func TestPagesInABrowser(t *testing.T) {
	p := exportertest.Start(t)
	_, metrics := exportertest.Get(t, p.URL)
	pictures := os.Getenv("PICTURES")
	if pictures == "" {
		pictures = t.TempDir()
	}
	c := exec.CommandContext(t.Context(), "node", "testdata/browser.js", "../../dashboards/pictures",
		strings.TrimSuffix(p.URL, "/metrics"), pictures)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("browser.js: %v", err)
	}
	var got struct {
		Errors, Violations      []string
		Rows, Critical          []browserRow
		Lags, Filtered, Updated []string
		Sorted, Focused         string
		Open                    bool
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, problem := range append(got.Errors, got.Violations...) {
		t.Error(problem)
	}
	want := relationshipsOf(t, metrics)
	if len(want) < 20 {
		t.Errorf("%d relationships in the metrics, want at least 20", len(want))
	}
	for _, r := range got.Rows {
		key := r.Name + ", " + r.State
		if shown, ok := want[key]; r.Severity != "none" && (!ok || shown.Lag != r.Lag && !near(shown.Lag, r.Lag)) {
			t.Errorf("row %+v, want %+v", r, shown)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("no row of %s", key)
	}
	descending := func(a, b string) int { return compareNumbers(b, a) }
	if got.Sorted != "descending" || len(got.Lags) < 20 || !slices.IsSortedFunc(got.Lags, descending) {
		t.Errorf("order %s: %q, want the largest lag first", got.Sorted, got.Lags)
	}
	for _, r := range got.Critical {
		if r.Severity != "critical" {
			t.Errorf("a filter for critical VMs shows %+v", r)
		}
	}
	if len(got.Critical) == 0 || len(got.Filtered) == 0 {
		t.Errorf("%d critical rows, %d with web in their text, want some", len(got.Critical), len(got.Filtered))
	}
	for _, name := range got.Filtered {
		if !strings.Contains(name, "web") {
			t.Errorf("the filter WEB shows %s", name)
		}
	}
	if !slices.Equal(got.Filtered, got.Updated) || got.Focused != "filter" || !got.Open {
		t.Errorf("after an update: %q, focus %q, details open %t, want %q, filter, true",
			got.Updated, got.Focused, got.Open, got.Filtered)
	}
}

var series = regexp.MustCompile(`(?m)^hyperv_replica_(\w+)\{(.*)\} (\S+)$`)

// relationshipsOf returns what the table should show of each relationship in an exposition, by VM, mode and state.
func relationshipsOf(t *testing.T, exposition string) map[string]browserRow {
	t.Helper()
	lags, modes, states, names := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for _, m := range series.FindAllStringSubmatch(exposition, -1) {
		label := func(name string) string {
			_, after, _ := strings.Cut(","+m[2], ","+name+`="`)
			value, _, _ := strings.Cut(after, `"`)
			return value
		}
		key := label("vm_id") + label("relationship")
		words := func(s string) string { return strings.ReplaceAll(s, "_", " ") }
		switch m[1] {
		case "relationship_info":
			modes[key], names[key] = words(label("mode")), label("vm")
			if label("relationship") == "extended" {
				modes[key] += " (extended)"
			}
		case "state":
			if m[3] == "1" {
				states[key] = words(label("state"))
			}
		case "lag_seconds":
			lags[key] = m[3]
		}
	}
	rows := map[string]browserRow{}
	for key, name := range names {
		rows[fmt.Sprintf("%s, %s, %s", name, modes[key], states[key])] = browserRow{Name: name, Lag: lags[key]}
	}
	return rows
}

// near reports whether two numbers of seconds differ by rounding only.
func near(a, b string) bool {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	return errA == nil && errB == nil && math.Abs(x-y) <= 0.5
}

// compareNumbers compares two numbers. A text that is none is less than each number.
func compareNumbers(a, b string) int {
	x, errA := strconv.ParseFloat(a, 64)
	y, errB := strconv.ParseFloat(b, 64)
	switch {
	case errA != nil && errB != nil:
		return 0
	case errA != nil:
		return -1
	case errB != nil:
		return 1
	}
	return int(x - y)
}
