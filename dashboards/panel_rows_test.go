//go:build prometheus

package dashboards_test

import (
	"maps"
	"strings"
	"testing"
)

// addSeries adds the samples of a VM that replicates.
func addSeries(samples map[string]string, vm string, r replication) {
	maps.Copy(samples, r.series(vm))
}

// The variable Severity selects the relationships with that health or state, with all their columns. All severities
// include relationships without a problem.
func TestPanelOfRelationshipsHasSeverityFilter(t *testing.T) {
	samples := map[string]string{}
	addSeries(samples, "fine", replication{})
	addSeries(samples, "warned", replication{senderHealth: "warning"})
	addSeries(samples, "broken", replication{senderHealth: "critical"})
	addSeries(samples, "stopped", replication{sender: "critical"})
	table := readDashboards(t)["fleet.json"].panel(t, "Relationships")
	row := func(vm string, value float64) sample {
		return sample{`{relationship="primary",vm="` + vm + `",vm_id="id of ` + vm + `"}`, value}
	}
	all := []sample{row("fine", 60), row("warned", 60), row("broken", 60), row("stopped", 60)}
	lag := table.Targets[3].Expr
	wantSamples(t, samples, map[string][]sample{
		lag: all,
		strings.ReplaceAll(lag, "$severity", "critical"):           all[2:],
		strings.ReplaceAll(lag, "$severity", "warning"):            all[1:2],
		strings.ReplaceAll(lag, "$severity", "(critical|warning)"): all[1:],
		strings.ReplaceAll(lag, "$severity", "info"):               nil,
	})
	for _, q := range table.Targets {
		if !strings.Contains(q.Expr, "$severity") {
			t.Errorf("query %s does not use the variable: %s", q.RefID, q.Expr)
		}
	}
	q := readDashboards(t)["fleet.json"].panel(t, "Alerts").Targets[0]
	if !strings.Contains(q.Expr, `severity=~"$severity"`) {
		t.Errorf("the alerts do not use the variable: %s", q.Expr)
	}
}

// A health issue has the words of the host, once for both ends. Without a text, it has its message ID.
func TestPanelsOfHealthIssuesShowText(t *testing.T) {
	samples := map[string]string{}
	addSeries(samples, "mail01", replication{})
	const issue = `job="hyperv_replica",vm="mail01",vm_id="id of mail01",relationship="primary",message_id=`
	for _, host := range []string{"hv01", "hv02"} {
		samples[`hyperv_replica_health_issue{instance="`+host+`",severity="critical",`+issue+`"1"}`] = "1"
		samples[`hyperv_replica_health_issue_info{instance="`+host+
			`",message="The link is down.",recommended_action="Check the link.",`+issue+`"1"}`] = "1"
	}
	samples[`hyperv_replica_health_issue{instance="hv01",severity="degraded",`+issue+`"2"}`] = "3"
	dashboards := readDashboards(t)
	const known, unknown = `message="The link is down.",recommended_action="Check the link.",relationship="primary",` +
		`severity="critical"`, `message="No text; message ID 2",relationship="primary",severity="degraded"`
	const vm = `,vm="mail01",vm_id="id of mail01"`
	wantSamples(t, samples, map[string][]sample{
		dashboards["fleet.json"].panel(t, "Health issues").Targets[0].Expr: {
			{"{" + known + vm + "}", 2}, {"{" + unknown + vm + "}", 1},
		},
		strings.ReplaceAll(dashboards["vm.json"].panel(t, "Health issues").Targets[0].Expr, "$vm_id", "id of mail01"): {
			{"{" + known + "}", 2}, {"{" + unknown + "}", 1},
		},
	})
}

// The table of hosts counts the VMs of each host, those that are replicated, and those in trouble at either end.
func TestPanelOfHostsCountsVMs(t *testing.T) {
	samples := map[string]string{}
	addSeries(samples, "fine", replication{})
	addSeries(samples, "broken", replication{senderHealth: "critical"})
	addSeries(samples, "late", replication{lag: "601", extended: true})
	addSeries(samples, "lab", replication{unprotected: true})
	table := readDashboards(t)["fleet.json"].panel(t, "Hosts")
	hosts := func(hv01, hv02, hv03 float64) []sample {
		return []sample{{`{instance="hv01"}`, hv01}, {`{instance="hv02"}`, hv02}, {`{instance="hv03"}`, hv03}}
	}
	wantSamples(t, samples, map[string][]sample{
		table.Targets[2].Expr: hosts(4, 3, 1),
		table.Targets[3].Expr: hosts(3, 3, 1),
		table.Targets[4].Expr: hosts(2, 2, 0),
	})
}

// The number of VMs above a threshold counts a VM with several relationships once, and only above the threshold.
func TestPanelOfThresholdsCountsVMs(t *testing.T) {
	samples := map[string]string{}
	addSeries(samples, "at the limits", replication{lag: "600"})
	addSeries(samples, "late", replication{lag: "601"})
	addSeries(samples, "very late", replication{lag: "901", extended: true, extendedLate: true})
	bars := readDashboards(t)["fleet.json"].panel(t, "VMs above each threshold")
	want := map[string][]sample{}
	for i, n := range []float64{2, 1, 2} {
		want[bars.Targets[i].Expr] = []sample{{"{}", n}}
	}
	wantSamples(t, samples, want)
}

// A role change and a failover are marked when they happen, and not later.
func TestDashboardAnnotationsMarkChanges(t *testing.T) {
	const vm = `{instance="hv02",job="hyperv_replica",vm="mail01",vm_id="A"`
	samples := map[string]string{
		`hyperv_replica_mode` + vm + `,mode="replica"}`:                                                 "1+0x9 0+0x1",
		`hyperv_replica_mode` + vm + `,mode="primary"}`:                                                 "0+0x9 1+0x1",
		`hyperv_replica_state` + vm + `,relationship="primary",state="recovered"}`:                      "0+0x9 1+0x1",
		`hyperv_replica_mode{instance="hv01",job="hyperv_replica",vm="web01",vm_id="B",mode="primary"}`: "1",
		`hyperv_replica_state{instance="hv01",job="hyperv_replica",vm="web01",vm_id="B",` +
			`relationship="primary",state="recovered"}`: "1",
	}
	for file, labels := range map[string]string{
		"fleet.json": `,vm="mail01",vm_id="A"`, "dr-readiness.json": `,vm="mail01",vm_id="A"`, "vm.json": "",
	} {
		want := map[string][]sample{}
		for _, a := range readDashboards(t)[file].Annotations.List {
			expr := strings.ReplaceAll(a.Expr, "$vm_id", "A")
			switch a.Name {
			case "Role changes":
				want[expr] = []sample{{`{instance="hv02",mode="primary"` + labels + `}`, 1}}
			case "Failovers":
				want[expr] = []sample{{`{instance="hv02",state="recovered"` + labels + `}`, 1}}
			}
		}
		if len(want) != 2 {
			t.Errorf("%s: %d annotations, want 2", file, len(want))
		}
		wantSamples(t, samples, want)
	}
}
