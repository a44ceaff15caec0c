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

// The numbers are those of docs/fidelity.md.

// about is what an exposition says about a VM, without the metrics' prefix.
func about(got map[string]string, id string) map[string]string {
	out := map[string]string{}
	for s, v := range got {
		if strings.Contains(s, id) {
			out[strings.TrimPrefix(s, "hyperv_replica_")] = v
		}
	}
	return out
}

// Q2, Q3: rows that do not replicate, those of plain VMs and the extended ones of
// replicas, show nothing but that, and make nobody's health bad.
func TestRowsThatDoNotReplicate(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 1, Now: newClock().Now})
	sess, err := r.world.Open()
	if err != nil {
		t.Fatal(err)
	}
	var rows []msvm.ReplicationRelationship
	if err := sess.Read(&rows); err != nil {
		t.Fatal(err)
	}
	got := series(r.gather(t, deadline))
	plain, extended := 0, 0
	for _, row := range rows {
		if row.Replicates() {
			continue
		}
		key, _ := msvm.ParseKey(row.InstanceID)
		for s := range about(got, key.VM) {
			if strings.Contains(s, `relationship="`+string(key.Link)+`"`) {
				t.Errorf("%s is shown of a relationship that does not replicate", s)
			}
		}
		if key.Link == msvm.Extended {
			extended++
		} else {
			plain++
		}
	}
	if plain == 0 || extended == 0 {
		t.Errorf("%d plain and %d extended rows that do not replicate, want some of each", plain, extended)
	}
}

// Q4, Q5, Q6: what misleads is not even read: the relationship's Name, and state,
// health and times of the VM. The mode comes from the VM.
func TestMisleadingPropertiesAreNotRead(t *testing.T) {
	for row, not := range map[reflect.Type][]string{
		reflect.TypeFor[msvm.ReplicationRelationship](): {"Name", "ReplicationMode"},
		reflect.TypeFor[msvm.ComputerSystem](): {
			"ReplicationState", "ReplicationHealth", "LastReplicationTime", "FailedOverReplicationType", "LastReplicationType",
		},
	} {
		for _, name := range not {
			if _, there := row.FieldByName(name); there {
				t.Errorf("%s has %s", row, name)
			}
		}
	}
	r := newRig(t, simulator.Config{Seed: 1, VMs: 1, Now: newClock().Now})
	got := r.gather(t, deadline, "relationship")
	if !strings.Contains(got, `hyperv_replica_mode{mode="primary",vm="web01"`) || !strings.Contains(got, `state="replicating",vm="web01"`) {
		t.Errorf("no mode, or not the name of the VM:\n%s", got)
	}
}

// statistics answers every question for statistics with these.
func answerStatistics(xml string) meddling {
	return meddling{call: func(wmiquery.Session, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Out: map[string]any{"ReplicationStatistics": []string{
			`<INSTANCE CLASSNAME="Msvm_ReplicationStatistics">` + xml + `</INSTANCE>`,
		}}}, nil
	}}
}

func property(name, kind, value string) string {
	return `<PROPERTY NAME="` + name + `" TYPE="` + kind + `"><VALUE>` + value + `</VALUE></PROPERTY>`
}

// Q7, Q9: sums stay sums, and the health's wider type does not get in the way.
func TestStatisticsAreSums(t *testing.T) {
	m := answerStatistics(property("ReplicationSuccessCount", "uint32", "100") +
		property("ReplicationLatency", "uint32", "700") + property("ReplicationSize", "uint64", "9000000000") +
		property("ReplicationHealth", "uint32", "3"))
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: newClock().Now}, m.with)
	got := r.gather(t, deadline, "statistics")
	for _, want := range []string{
		`window_transfer_seconds{relationship="primary",vm="web01",`, `} 700`, `} 9e+09`, `window_successful_cycles`, `} 100`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// changeSettings changes the settings of all relationships.
func changeSettings(change func(*msvm.ReplicationSettingData)) meddling {
	return meddling{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationSettingData); ok {
			for i := range *rows {
				change(&(*rows)[i])
			}
		}
		return err
	}}
}

// Q15, Q24, Q25, Q51: disks in either form count, the servers are those that run,
// and a relationship of an external provider is told by it and lacks what it does
// not use.
func TestSettingsAsTheyCome(t *testing.T) {
	m := changeSettings(func(s *msvm.ReplicationSettingData) {
		s.IncludedDisks = []string{`Microsoft:GUID\83F8638B\0\0\L`, `\\HV01\root\virtualization\v2:Msvm_StorageAllocationSettingData.InstanceID="x"`}
		s.PrimaryHostSystem, s.PrimaryConnectionPoint = new(""), new("broker.contoso.com")
		s.RecoveryHostSystem, s.RecoveryConnectionPoint = new("node2.contoso.com"), new("replica-broker.contoso.com")
		s.ReplicationProvider = new(`\\HV01\root\virtualization\v2:Msvm_ReplicationProvider.Name="6d6f7a8e-0000-4000-8000-000000000001"`)
		s.AuthenticationType, s.RecoveryServerPortNumber, s.ReplicateHostKvpItems = nil, nil, nil
	})
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: newClock().Now}, m.with)
	got := r.gather(t, deadline, "settings")
	for _, want := range []string{
		"hyperv_replica_included_disks{", "} 2\n",
		`primary_server="broker.contoso.com"`,
		`replica_server="node2.contoso.com"`, `replica_connection_point="replica-broker.contoso.com"`,
		`provider="6D6F7A8E-0000-4000-8000-000000000001"`, `authentication=""`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "kvp_replication_enabled{") {
		t.Error("what the provider does not use is shown")
	}
}

// Q19: the exposition is the same in every language.
func TestLanguagesDoNotMatter(t *testing.T) {
	want := stable(newRig(t, simulator.Config{Seed: 1, Now: newClock().Now}).gather(t, deadline))
	for _, language := range []string{"german", "chinese"} {
		if !slices.Contains(simulator.Scenarios(), language) {
			t.Fatalf("no scenario %s", language)
		}
		got := stable(newRig(t, simulator.Config{Seed: 1, Now: newClock().Now, Scenario: language}).gather(t, deadline))
		if got != want {
			t.Errorf("%s: %s", language, firstDifference(want, got))
		}
	}
}

// Q52, Q53, Q55, Q58: no rows at all, not even the service's, is a failure that
// says what to do, and not a host on which nothing replicates.
func TestNoRowsAtAll(t *testing.T) {
	r := newRig(t, simulator.Config{Seed: 1, Now: newClock().Now, Faults: parse(t, "denied")})
	got := series(r.gather(t, deadline))
	if got["hyperv_replica_up"] != "0" || hasMetric(got, "vm_protected") {
		t.Errorf("up is %q", got["hyperv_replica_up"])
	}
	for _, c := range r.scraper.Collectors() {
		if got[successOf(c)] != "0" {
			t.Errorf("%s succeeds without rights", c)
		}
	}
	lines := errorLines(r)
	if len(lines) == 0 || !strings.Contains(lines[0], "Hyper-V Administrators") || !strings.Contains(lines[0], "vmms") {
		t.Errorf("the log does not say what to do: %s", lines)
	}
	// A host on which nothing replicates is another thing.
	empty := meddling{read: func(s wmiquery.Session, dst any) error {
		if err := s.Read(dst); err != nil {
			return err
		}
		switch rows := dst.(type) {
		case *[]msvm.ReplicationRelationship:
			*rows = nil
		case *[]msvm.ReplicationSettingData:
			*rows = nil
		}
		return nil
	}}
	r = newRigThrough(t, simulator.Config{Seed: 1, VMs: 2, Now: newClock().Now}, empty.with)
	got = series(r.gather(t, deadline))
	if got["hyperv_replica_up"] != "1" || got[successOf("relationship")] != "1" || !hasMetric(got, "vm_protected") {
		t.Error("a host on which nothing replicates is a failure")
	}
}

// Q73: a VM that is on another node with the next scrape takes its series along
// at once; when it comes back its counters begin anew.
func TestVMThatMoves(t *testing.T) {
	clock, away := newClock(), false
	m := meddling{read: func(s wmiquery.Session, dst any) error {
		err := s.Read(dst)
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok && away {
			*rows = nil
		}
		return err
	}}
	r := newRigThrough(t, simulator.Config{Seed: 1, VMs: 1, Scenario: "healthy", Now: clock.Now}, m.with)
	total := func() string {
		for s, v := range series(r.gather(t, deadline)) {
			if strings.HasPrefix(s, "hyperv_replica_replicated_bytes_total{") {
				return v
			}
		}
		return ""
	}
	total()
	clock.Advance(time.Hour)
	if v := total(); v == "0" || v == "" {
		t.Errorf("the counter is %q after an hour", v)
	}
	away = true
	if v := total(); v != "" {
		t.Errorf("the counter of a VM that is away is %q", v)
	}
	away = false
	if v := total(); v != "0" {
		t.Errorf("back again the counter is %q, want 0", v)
	}
}
