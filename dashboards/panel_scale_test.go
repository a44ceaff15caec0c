//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Tables show whole pages, in Grafana 12 and in Grafana 13, which have the option in different places.
func TestDashboardTablesHavePages(t *testing.T) {
	for file, d := range readDashboards(t) {
		for _, p := range d.dataPanels() {
			if p.Type == "table" && (!p.Options.EnablePagination || !p.Options.Footer.EnablePagination) {
				t.Errorf("%s: %s: no pagination: %+v", file, p.Title, p.Options)
			}
		}
	}
}

// Graphs about all hosts have no line for each host or VM, since there may be hundreds of them.
func TestDashboardGraphsOfFleetHaveNoLinePerHost(t *testing.T) {
	dashboards := readDashboards(t)
	for _, file := range []string{"fleet.json", "exporter.json", "dr-readiness.json"} {
		for _, p := range dashboards[file].dataPanels() {
			for _, q := range p.Targets {
				perObject := strings.Contains(q.LegendFormat, "{{instance}}") || strings.Contains(q.LegendFormat, "{{vm}}")
				if p.Type == "timeseries" && perObject {
					t.Errorf("%s: %s: one line for each %s", file, p.Title, q.LegendFormat)
				}
				if p.Type == "bargauge" && perObject && !strings.Contains(q.Expr, "topk(10") &&
					!strings.Contains(q.Expr, "bottomk(10") {
					t.Errorf("%s: %s: one bar for each %s", file, p.Title, q.LegendFormat)
				}
			}
		}
	}
}

// One relationship whose lag is extreme does not hide the lag of the others.
func TestDashboardLagScalesTolerateOutliers(t *testing.T) {
	d := readDashboards(t)["fleet.json"]
	if p := d.panel(t, "Lag in intervals"); p.FieldConfig.Defaults.Custom.ScaleDistribution.Type != "log" {
		t.Errorf("%s: the scale is %+v, want a logarithmic one", p.Title, p.FieldConfig.Defaults.Custom)
	}
	// Bars end at twice the critical threshold.
	if p := d.panel(t, "Highest lag in intervals"); p.FieldConfig.Defaults.Max == nil || *p.FieldConfig.Defaults.Max != 6 {
		t.Errorf("%s: the bars end at %v, want 6", p.Title, p.FieldConfig.Defaults.Max)
	}
}

// The dashboards of events over time mark role changes, failovers, maintenance and new monitoring windows.
func TestDashboardsHaveAnnotations(t *testing.T) {
	dashboards := readDashboards(t)
	for _, file := range []string{"fleet.json", "vm.json", "dr-readiness.json"} {
		var names []string
		for _, a := range dashboards[file].Annotations.List {
			if a.BuiltIn == 0 {
				names = append(names, a.Name)
			}
			// A window starts at the value of its metric. The other annotations last as long as they have samples.
			if a.UseValueForTime != (a.Name == "Monitoring windows") {
				t.Errorf("%s: %s: the time is the value: %v", file, a.Name, a.UseValueForTime)
			}
		}
		want := []string{"Role changes", "Failovers", "Maintenance", "Monitoring windows"}
		if !slices.Equal(names, want) {
			t.Errorf("%s has the annotations %q, want %q", file, names, want)
		}
	}
}

// A name of an alert leads to its runbook, and its VM to the dashboard of the VM.
func TestDashboardAlertsLinkToRunbooksAndVMs(t *testing.T) {
	p := readDashboards(t)["fleet.json"].panel(t, "Alerts")
	links := map[string]string{} // by column
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			var l []link
			if property.ID == "links" && json.Unmarshal(property.Value, &l) == nil && len(l) == 1 {
				links[o.Matcher.Options] = l[0].URL
			}
		}
	}
	if links["Alert"] != runbookLink {
		t.Errorf("an alert links to %q, want %q", links["Alert"], runbookLink)
	}
	if !strings.HasPrefix(links["VM"], "/d/hyperv-replica-vm/") {
		t.Errorf("a VM links to %q", links["VM"])
	}
}

// What both ends report is one line, and an end is one row. Ages and lags have axes in minutes.
func TestDashboardOfVMDrawsBothEndsOnce(t *testing.T) {
	d := readDashboards(t)["vm.json"]
	for title, unit := range map[string]string{
		"Lag, interval and objective": "suffix:min", "Pending data": "bytes", "Throughput": "Bps",
		"Cycle duration": "suffix:min", "Missed cycles and failures in the last hour": "none",
	} {
		p := d.panel(t, title)
		for _, q := range p.Targets {
			if strings.Contains(q.LegendFormat, "{{instance}}") {
				t.Errorf("%s: a line for each end: %s", title, q.LegendFormat)
			}
		}
		if p.FieldConfig.Defaults.Unit != unit {
			t.Errorf("%s: the unit is %s, want %s", title, p.FieldConfig.Defaults.Unit, unit)
		}
	}
	for _, title := range []string{"State at each end", "Health at each end"} {
		if q := d.panel(t, title).Targets[0]; q.LegendFormat != "{{instance}} {{relationship}}" {
			t.Errorf("%s: the rows are %s", title, q.LegendFormat)
		}
	}
}

// The files have what Grafana 12 needs (schema version 41), and what the migration to the schema of Grafana 13 would
// add: a hidden column has no tooltip. The wrapping of texts has two places, as pagination has.
func TestDashboardsSuitGrafana12And13(t *testing.T) {
	for file, d := range readDashboards(t) {
		for _, p := range d.dataPanels() {
			for _, value := range p.overrides("custom.hideFrom") {
				var hidden struct{ Viz, Tooltip bool }
				unmarshal(t, value, &hidden)
				if !hidden.Viz || !hidden.Tooltip {
					t.Errorf("%s: %s: a column is hidden from %s", file, p.Title, value)
				}
			}
			wrapped := len(p.overrides("custom.wrapText"))
			for _, value := range p.overrides("custom.cellOptions") {
				var cell struct{ WrapText bool }
				unmarshal(t, value, &cell)
				if cell.WrapText {
					wrapped--
				}
			}
			if wrapped != 0 {
				t.Errorf("%s: %s: %d columns wrap in Grafana 13 only", file, p.Title, wrapped)
			}
		}
	}
}

// The row of an end shows each state by its name: the numbers in the query are those of the value mappings.
func TestDashboardStateTimelineMapsAllStates(t *testing.T) {
	p := readDashboards(t)["vm.json"].panel(t, "State at each end")
	if n := len(p.FieldConfig.Defaults.Mappings); n != 1 {
		t.Fatalf("%d value mappings, want 1", n)
	}
	var texts map[string]struct{ Text, Color string }
	unmarshal(t, p.FieldConfig.Defaults.Mappings[0].Options, &texts)
	states := msvm.ReplicationStates()
	for n, name := range states {
		number := fmt.Sprintf(`label_replace(vector(%d), "state", "%s", "", "")`, n, name)
		if !strings.Contains(p.Targets[0].Expr, number) {
			t.Errorf("the query has no number for %s", name)
		}
		if m := texts[fmt.Sprint(n)]; m.Text != strings.ReplaceAll(name, "_", " ") || m.Color == "" {
			t.Errorf("%s is shown as %+v", name, m)
		}
	}
	if len(texts) != len(states) {
		t.Errorf("%d states are mapped, want %d", len(texts), len(states))
	}
}

// Graphs of counts have no fractions on their axis.
func TestDashboardCountsAreWholeNumbers(t *testing.T) {
	for file, titles := range map[string][]string{
		"vm.json":           {"Missed cycles and failures in the last hour", "Recovery points"},
		"fleet.json":        {"Relationships by health", "VMs above thresholds", "VMs above each threshold"},
		"dr-readiness.json": {"Recovery points", "Surplus recovery points", "Verdicts", "Network adapters of replicas"},
		"exporter.json":     {"Series", "Stuck WMI calls", "Failed operations in the last hour", "Admin endpoint jobs"},
	} {
		for _, title := range titles {
			var found []panel
			for _, p := range readDashboards(t)[file].dataPanels() {
				if p.Title == title && p.Type != "stat" && p.Type != "table" {
					found = append(found, p)
				}
			}
			if len(found) != 1 || found[0].FieldConfig.Defaults.Decimals == nil || *found[0].FieldConfig.Defaults.Decimals != 0 {
				t.Errorf("%s: %s: %d panels, want one with 0 decimals", file, title, len(found))
			}
			for _, p := range found {
				for _, q := range p.Targets {
					if strings.Contains(q.Expr, "increase(") && !strings.HasPrefix(q.Expr, "round(") {
						t.Errorf("%s: %s: an increase is not rounded: %s", file, title, q.Expr)
					}
				}
			}
		}
	}
}

// panel returns the panel with the given title.
func (d dashboard) panel(t *testing.T, title string) panel {
	t.Helper()
	for _, p := range d.dataPanels() {
		if p.Title == title {
			return p
		}
	}
	t.Fatalf("%s: no panel %s", d.Title, title)
	return panel{}
}
