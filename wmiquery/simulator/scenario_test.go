package simulator_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// countStates counts the relationships of HV01 by state and by health.
func countStates(t *testing.T, w *simulator.World) (total int, by map[string]int) {
	by = map[string]int{}
	for _, r := range read[msvm.ReplicationRelationship](t, open(t, w, "HV01")) {
		if r.Replicates() {
			total++
			by[r.ReplicationState.String()]++
			by[r.ReplicationHealth.String()]++
		}
	}
	return total, by
}

// Each scenario shows what its description says.
func TestScenarios(t *testing.T) {
	const n = 200
	for i, name := range simulator.Scenarios() {
		w, c := newWorld(t, simulator.Config{VMs: n, Seed: 5, Scenario: name})
		total, by := countStates(t, w)
		text := fmt.Sprint(total, by)
		least := map[string]map[string]int{
			"mixed":          {"critical": 2, "warning": 5, "ok": n / 2, "replicating": n / 2},
			"german":         {"critical": 2, "warning": 5, "ok": n / 2},
			"chinese":        {"critical": 2, "warning": 5, "ok": n / 2},
			"healthy":        {"ok": n, "replicating": n},
			"lagging":        {"warning": n / 2, "replicating": n},
			"wan-outage":     {"replicating": n, "critical": n / 2},
			"replica-backup": {"ok": n, "replicating": n},
			"resync-storm":   {"waiting_to_start_resynchronization": n / 3, "resynchronizing": n / 5},
			"every-state":    {"failback_in_progress": 1, "firedrill_in_progress": 1, "critical": 2, "ok": n / 2},
			"failover-drill": {"recovered": n / 40, "committed": n / 40, "failover_in_progress": n / 40, "replicating": n / 2},
		}
		for key, want := range least[name] {
			if by[key] < want {
				t.Errorf("%s: got %s, want at least %d %s", name, text, want, key)
			}
		}
		if least[name] == nil || simulator.ScenarioHelp()[i] == "" {
			t.Errorf("%s is not tested or has no description", name)
		}
		if err := w.Invariants(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Advance(30 * time.Hour)
		if err := w.Invariants(); err != nil {
			t.Errorf("%s, 30 hours later: %v", name, err)
		}
	}
}

// A network outage causes missed cycles and network failures, then lag, and leaves no trace after
// recovery.
func TestNetworkOutage(t *testing.T) {
	w, c := newWorld(t, simulator.Config{VMs: 100, Seed: 5, Scenario: "wan-outage"})
	of := func() (s simulator.Totals) {
		for _, id := range vms(t, open(t, w, "HV01")) {
			total, _ := w.Totals(msvm.Key{VM: id, Link: msvm.Primary})
			addTotals(&s, 1, total)
		}
		return s
	}
	c.Advance(59 * time.Minute)
	if s := of(); s.NetworkFailures == 0 || s.Cycles > 100 {
		t.Errorf("totals during the outage are %+v", s)
	}
	if _, by := countStates(t, w); by["critical"] < 70 || by["critical"]+by["warning"] < 95 {
		t.Errorf("relationships during the outage are %v", by)
	}
	before := of()
	c.Advance(time.Hour)
	if s := of(); s.Cycles-before.Cycles < 600 || s.NetworkFailures-before.NetworkFailures > 100 {
		t.Errorf("totals after the outage are %+v, were %+v", s, before)
	}
	c.Advance(12 * time.Hour)
	if _, by := countStates(t, w); by["ok"] < 95 {
		t.Errorf("relationships 12 hours later are %v", by)
	}
}

// Texts of Windows are in the language of the scenario.
func TestTextsAreTranslated(t *testing.T) {
	for scenario, want := range map[string]string{
		"mixed": "Operating normally", "german": "Normaler Betrieb",
		"chinese": "正常运行",
	} {
		w, _ := newWorld(t, simulator.Config{VMs: 1, Scenario: scenario})
		if got := read[msvm.ReplicationService](t, open(t, w, "HV01"))[0].StatusDescriptions; !slices.Equal(got,
			[]string{want}) {
			t.Errorf("%s: status is %q, want %q", scenario, got, want)
		}
	}
}
