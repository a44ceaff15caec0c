//go:build prometheus

package dashboards_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

// replication has the samples of a VM in the verdict tests. Zero values are those of a VM that is ready: the VM runs on
// hv01 and replicates to hv02 every five minutes.
type replication struct {
	sender, receiver       string // states; "replicating" if empty, no series if "absent"
	senderHealth           string // "ok" if empty
	lag                    string // seconds; "60" if empty, no series if "absent"
	objective              int    // seconds; 600 if 0
	lastTest               string // Unix time; "0", which is ten minutes ago, if empty; no series if "absent"
	consistent             string // Unix time of the last application-consistent replication; no series if empty
	consistentInterval     int    // seconds
	configured, points     int    // recovery points
	unprotected, testVM    bool
	extended, extendedLate bool // replication to a third host, and whether it is outside its objective
}

// series returns the samples at any time, by series. The Prometheus of the test starts at the Unix time 0 and evaluates
// the queries ten minutes later.
func (r replication) series(vm string) map[string]string {
	out := map[string]string{}
	or := func(s, other string) string {
		if s == "" {
			return other
		}
		return s
	}
	id := fmt.Sprintf(`job="hyperv_replica",vm="%s",vm_id="id of %s"`, vm, vm)
	add := func(name, host, labels, value string) {
		if value != "absent" {
			out[fmt.Sprintf(`hyperv_replica_%s{instance="%s",%s%s}`, name, host, id, labels)] = value
		}
	}
	if r.unprotected || r.testVM {
		add("vm_protected", "hv01", "", "0")
		add("mode", "hv01", `,mode="`+map[bool]string{true: "test_replica", false: "none"}[r.testVM]+`"`, "1")
		return out
	}
	link := `,relationship="primary"`
	end := func(host, mode, link, state, health, lag string) {
		add("vm_protected", host, "", "1")
		add("mode", host, `,mode="`+mode+`"`, "1")
		add("state", host, link+`,state="`+state+`"`, "1")
		add("health", host, link+`,health="`+health+`"`, "1")
		add("lag_seconds", host, link, lag)
		add("interval_seconds", host, link, "300")
		add("rpo_objective_seconds", host, link, fmt.Sprint(max(600, r.objective)))
		if r.consistent != "" {
			add("last_application_consistent_timestamp_seconds", host, link, r.consistent)
			add("application_consistent_interval_seconds", host, link, fmt.Sprint(r.consistentInterval))
		}
	}
	lag := or(r.lag, "60")
	end("hv01", "primary", link, or(r.sender, "replicating"), or(r.senderHealth, "ok"), lag)
	if r.receiver == "absent" {
		return out
	}
	end("hv02", "replica", link, or(r.receiver, "replicating"), "ok", lag)
	add("recovery_points", "hv02", `,type="standard"`, fmt.Sprint(r.points))
	add("recovery_points_configured", "hv02", link, fmt.Sprint(r.configured))
	add("last_test_failover_timestamp_seconds", "hv02", "", or(r.lastTest, "0"))
	if r.extended {
		extendedLag := map[bool]string{true: "3600", false: "60"}[r.extendedLate]
		end("hv02", "replica", `,relationship="extended"`, "replicating", "ok", extendedLag)
		end("hv03", "extended_replica", link, "replicating", "ok", extendedLag)
	}
	return out
}

// halfYear is the threshold of the age of a test failover, in seconds.
const halfYear = 180 * 86400

// verdicts are the situations with the reason of the verdict for each relationship, the worst situation first.
var verdicts = []struct {
	vm      string
	samples replication
	reasons map[string]string // by relationship, which is "" for a VM that is not replicated
}{
	{"not replicated", replication{unprotected: true}, map[string]string{"": "not replicated"}},
	{"host of the replica is not scraped", replication{receiver: "absent"}, primary("replica not monitored")},
	{
		"initial replication is due",
		replication{sender: "ready_for_replication", receiver: "ready_for_replication"},
		primary("initial replication"),
	},
	{
		"initial replication",
		replication{sender: "waiting_to_complete_initial_replication", receiver: "waiting_to_complete_initial_replication"},
		primary("initial replication"),
	},
	{"failed over", replication{sender: "critical", receiver: "recovered", lag: "90000"}, primary("failed over")},
	{"failover committed", replication{sender: "critical", receiver: "committed"}, primary("failed over")},
	{
		"resynchronization required, and paused",
		replication{sender: "waiting_to_start_resynchronization", receiver: "suspended"},
		primary("resynchronization required"),
	},
	{
		"resynchronizing",
		replication{sender: "resynchronizing", receiver: "resynchronizing", lag: "90000"},
		primary("resynchronizing"),
	},
	{"error of the sender", replication{sender: "critical", lag: "90000"}, primary("replication failing")},
	{"critical health of one end", replication{senderHealth: "critical"}, primary("replication failing")},
	{"paused, never tested", replication{sender: "suspended", lastTest: "absent"}, primary("replication paused")},
	{"paused on the replica", replication{receiver: "suspended"}, primary("replication paused")},
	{"no statistics", replication{lag: "absent"}, primary("lag unknown")},
	{"outside its objective by a second", replication{lag: "601"}, primary("outside objective")},
	{"no recovery points", replication{configured: 24}, primary("no recovery points")},
	{
		"late consistency",
		replication{consistent: "-6601", consistentInterval: 3600},
		primary("application consistency late"),
	},
	{"never tested", replication{lastTest: "absent"}, primary("failover never tested")},
	{"tested long ago", replication{lastTest: fmt.Sprint(600 - halfYear - 1)}, primary("failover test overdue")},
	{
		"late extended replication",
		replication{extended: true, extendedLate: true},
		map[string]string{"primary": "ready", "extended": "outside objective"},
	},
	{"ready", replication{}, primary("ready")},
	{"ready at all limits", replication{
		lag: "600", configured: 24, points: 1, consistent: "-6600", consistentInterval: 3600,
		lastTest: fmt.Sprint(600 - halfYear),
	}, primary("ready")},
	{"warning health", replication{senderHealth: "warning"}, primary("ready")},
	{"ready, extended", replication{extended: true}, map[string]string{"primary": "ready", "extended": "ready"}},
}

func primary(reason string) map[string]string { return map[string]string{"primary": reason} }

// worstFirst are the reasons in their order, and at last the verdict of a VM without a reason.
var worstFirst = []string{
	"not replicated", "replica not monitored", "initial replication", "failed over", "resynchronization required",
	"resynchronizing", "replication failing", "replication paused", "lag unknown", "outside objective",
	"no recovery points", "application consistency late", "failover never tested", "failover test overdue", "ready",
}

// sample is an expected sample of a query.
type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

// The table of verdicts has each VM with the first reason against its readiness; the worst has the highest value, by
// which the table is sorted, and 0 is ready. A test VM has no verdict. The other panels count the same verdicts.
func TestPanelVerdictsNameFirstReason(t *testing.T) {
	samples := replication{testVM: true}.series("web01 - Test")
	var rows []sample
	reasons := map[string]float64{}
	ready, notReady := 0.0, 0.0
	for _, v := range verdicts {
		addSeries(samples, v.vm, v.samples)
		isReady := true
		for relationship, reason := range v.reasons {
			rank := len(worstFirst) - 1 - slices.Index(worstFirst, reason)
			labels := fmt.Sprintf(`reason="%s",vm="%s",vm_id="id of %s"`, reason, v.vm, v.vm)
			if relationship != "" {
				labels += fmt.Sprintf(`,relationship="%s"`, relationship)
			}
			rows = append(rows, sample{"{" + labels + "}", float64(rank)})
			reasons[reason]++
			isReady = isReady && reason == "ready"
		}
		if isReady {
			ready++
		} else {
			notReady++
		}
	}
	if len(reasons) != len(worstFirst) {
		t.Errorf("the situations have the reasons %v, want all of %q", reasons, worstFirst)
	}
	var counts []sample
	for reason, n := range reasons {
		counts = append(counts, sample{fmt.Sprintf(`{reason="%s"}`, reason), n})
	}
	d := readDashboards(t)["dr-readiness.json"]
	table, tile, bars := d.panel(t, "Failover readiness"), d.panel(t, "VMs ready for failover"), d.panel(t, "Verdicts")
	wantSamples(t, samples, map[string][]sample{
		table.Targets[0].Expr: rows,
		tile.Targets[0].Expr:  {{"{}", notReady}},
		tile.Targets[1].Expr:  {{"{}", ready}},
		bars.Targets[0].Expr:  counts,
	})
	for _, reason := range worstFirst[:len(worstFirst)-1] {
		if !strings.Contains(table.Description, reason) {
			t.Errorf("the description of the table does not name the reason %q: %s", reason, table.Description)
		}
	}
}

// Two ends that are late are one VM that is late.
func TestPanelOfApplicationConsistencyCountsVMs(t *testing.T) {
	samples := map[string]string{}
	late := replication{consistent: "-6601", consistentInterval: 3600}
	onTime := replication{consistent: "-6600", consistentInterval: 3600}
	for vm, r := range map[string]replication{"late01": late, "late02": late, "ontime": onTime, "unconfigured": {}} {
		addSeries(samples, vm, r)
	}
	wantSamples(t, samples, map[string][]sample{
		readDashboards(t)["dr-readiness.json"].panel(t, "Application consistency late").Targets[0].Expr: {{"{}", 2}},
	})
}

// wantSamples checks the results of queries of panels, in which all jobs, sites, hosts and severities are selected. The
// samples of the series do not change, unless their values have the notation of promtool.
func wantSamples(t *testing.T, samples map[string]string, want map[string][]sample) {
	t.Helper()
	_, groups := promtest.ReadRules(t, ruleFiles)
	type inputSeries struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	type query struct {
		Expr    string   `yaml:"expr"`
		At      string   `yaml:"eval_time"`
		Samples []sample `yaml:"exp_samples"`
	}
	var input []inputSeries
	for name, value := range samples {
		if !strings.Contains(value, "x") {
			value += "+0x10"
		}
		input = append(input, inputSeries{name, value})
	}
	var queries []query
	for expr, result := range want {
		queries = append(queries, query{expandVariables(t, expr, ".+", ""), "10m", result})
	}
	var files []string
	for _, file := range promtest.Glob(t, ruleFiles) {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	text, err := yaml.Marshal(map[string]any{
		"rule_files": files, "group_eval_order": groups, "evaluation_interval": "1m",
		"tests": []any{map[string]any{"interval": "1m", "input_series": input, "promql_expr_test": queries}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "verdicts.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) {
		t.Helper()
		r.RunPromtool(t, "test", "rules", file)
	})
}
