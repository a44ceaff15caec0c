package collector_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// The numbers of quirks (Q1, Q2, …) are those of docs/fidelity.md.

// Q2, Q3: relationships that do not replicate have no series, neither those of VMs
// without replication nor the extended ones of replicas.
func TestDisabledRelationshipsAreNotExposed(t *testing.T) {
	r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now})
	sess, err := r.world.Open()
	if err != nil {
		t.Fatal(err)
	}
	var rows []msvm.ReplicationRelationship
	if err := sess.Read(&rows); err != nil {
		t.Fatal(err)
	}
	got := parseSeries(r.gather(t, scrapeTimeout))
	primary, extended := 0, 0
	for _, row := range rows {
		if row.Replicates() {
			continue
		}
		key, _ := msvm.ParseKey(row.InstanceID)
		for s := range seriesOf(got, key.VM) {
			if strings.Contains(s, `relationship="`+string(key.Link)+`"`) {
				t.Errorf("%s is exposed for a relationship that does not replicate", s)
			}
		}
		if key.Link == msvm.Extended {
			extended++
		} else {
			primary++
		}
	}
	if primary == 0 || extended == 0 {
		t.Errorf("%d primary and %d extended relationships do not replicate, want some of each", primary, extended)
	}
}

// Q4, Q5, Q6: misleading properties are not read: the Name of the relationship, and the
// state, the health and the times of the VM. The mode is that of the VM.
func TestMisleadingPropertiesAreNotRead(t *testing.T) {
	for class, properties := range map[reflect.Type][]string{
		reflect.TypeFor[msvm.ReplicationRelationship](): {"Name", "ReplicationMode"},
		reflect.TypeFor[msvm.ComputerSystem](): {
			"ReplicationState", "ReplicationHealth", "LastReplicationTime", "FailedOverReplicationType", "LastReplicationType",
		},
	} {
		for _, name := range properties {
			if _, ok := class.FieldByName(name); ok {
				t.Errorf("%s has the field %s", class, name)
			}
		}
	}
	r := newTestRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newFakeClock().Now})
	got := r.gather(t, scrapeTimeout, "relationship")
	for _, want := range []string{`hyperv_replica_mode{mode="primary",vm="web01"`, `state="replicating",vm="web01"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: missing in\n%s", want, got)
		}
	}
}

// Q19: the exposition is the same for all languages of the host.
func TestExpositionDoesNotDependOnLanguage(t *testing.T) {
	want := withoutDurations(newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now}).gather(t, scrapeTimeout))
	for _, language := range []string{"german", "chinese"} {
		if !slices.Contains(simulator.Scenarios(), language) {
			t.Fatalf("scenario %s: not found", language)
		}
		r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now, Scenario: language})
		got := withoutDurations(r.gather(t, scrapeTimeout))
		if got != want {
			t.Errorf("%s: %s", language, firstDifference(want, got))
		}
	}
}

// Q52, Q53, Q55, Q58: a host without any instances, not even of the replication service,
// is a failure. The log says how to fix it.
func TestNoInstancesMeansNoPermission(t *testing.T) {
	r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now, Faults: parseFaults(t, "denied")})
	got := parseSeries(r.gather(t, scrapeTimeout))
	if got["hyperv_replica_up"] != "0" || hasMetric(got, "vm_protected") {
		t.Errorf("up = %q, or vm_protected is exposed", got["hyperv_replica_up"])
	}
	for _, c := range r.scraper.Collectors() {
		if got[successSeries(c)] != "0" {
			t.Errorf("collector %s succeeds without permission", c)
		}
	}
	lines := takeErrorLines(r)
	if len(lines) == 0 || !strings.Contains(lines[0], "Hyper-V Administrators") || !strings.Contains(lines[0], "vmms") {
		t.Errorf("log does not say how to fix it: %s", lines)
	}
}

// Q53: a host on which no VM replicates is not a failure.
func TestNoRelationshipsSucceeds(t *testing.T) {
	hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
		if err := s.Read(dst); err != nil {
			return err
		}
		switch rows := dst.(type) {
		case *[]msvm.ComputerSystem:
			for i := range *rows {
				(*rows)[i].ReplicationMode = new(msvm.ModeNone)
			}
		case *[]msvm.ReplicationRelationship:
			*rows = nil
		case *[]msvm.ReplicationSettingData:
			*rows = nil
		}
		return nil
	}}
	r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 2, Now: newFakeClock().Now}, hooks.wrap)
	got := parseSeries(r.gather(t, scrapeTimeout))
	if got["hyperv_replica_up"] != "1" || got[successSeries("relationship")] != "1" || !hasMetric(got, "vm_protected") {
		t.Error("a host on which no VM replicates is a failure")
	}
}

// Q73: the series of a VM that moves to another node disappear with the next scrape. When
// the VM returns, its counters restart at 0.
func TestVMMovesBetweenNodes(t *testing.T) {
	clock, away := newFakeClock(), false
	hooks := sessionHooks{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok && away {
			*rows = nil
		}
		return err
	}}
	r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: clock.Now}, hooks.wrap)
	total := func() string {
		for s, v := range parseSeries(r.gather(t, scrapeTimeout)) {
			if strings.HasPrefix(s, "hyperv_replica_replicated_bytes_total{") {
				return v
			}
		}
		return ""
	}
	total()
	clock.Advance(time.Hour)
	if v := total(); v == "0" || v == "" {
		t.Errorf("counter = %q after an hour, want above 0", v)
	}
	away = true
	if v := total(); v != "" {
		t.Errorf("counter = %q while the VM is on another node, want none", v)
	}
	away = false
	if v := total(); v != "0" {
		t.Errorf("counter = %q after the VM returned, want 0", v)
	}
}
