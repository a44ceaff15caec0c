package simulator_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var hosts = []string{"HV01", "HV02", "HV03"}

// clock is one that tests control.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// newClock shows the middle of a monitoring window, which goes from 09:00 to
// 21:00 UTC.
func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newWorld(tb testing.TB, config simulator.Config) (*simulator.World, *clock) {
	tb.Helper()
	c := newClock()
	config.Now = c.Now
	w, err := simulator.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return w, c
}

func open(tb testing.TB, w *simulator.World, host string) wmiquery.Session {
	tb.Helper()
	s, err := w.OpenHost(host)()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

func read[T wmiquery.Instance](tb testing.TB, s wmiquery.Session) []T {
	tb.Helper()
	var rows []T
	if err := s.Read(&rows); err != nil {
		tb.Fatal(err)
	}
	return rows
}

// statisticsCalls are the calls for the statistics of the relationships of which
// that is true, of all if it is nil.
func statisticsCalls(tb testing.TB, s wmiquery.Session, of func(msvm.ReplicationRelationship) bool) []wmiquery.Call {
	tb.Helper()
	var calls []wmiquery.Call
	service := read[msvm.ReplicationService](tb, s)[0]
	for _, r := range read[msvm.ReplicationRelationship](tb, s) {
		if of != nil && !of(r) {
			continue
		}
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil {
			tb.Fatal(err)
		}
		call, err := msvm.GetReplicationStatistics(service, key, r)
		if err != nil {
			tb.Fatal(err)
		}
		calls = append(calls, call)
	}
	return calls
}

func call(tb testing.TB, s wmiquery.Session, c wmiquery.Call) wmiquery.Reply {
	tb.Helper()
	reply, err := s.Call(c)
	if err != nil {
		tb.Fatal(err)
	}
	return reply
}

// row is a relationship with its statistics, if it replicates.
type row struct {
	msvm.ReplicationRelationship
	stats  msvm.ReplicationStatistics
	issues []msvm.Error
}

// relationships are those of one VM on a host, the primary one first.
func relationships(tb testing.TB, s wmiquery.Session, vm string) []row {
	tb.Helper()
	var rows []row
	of := func(r msvm.ReplicationRelationship) bool { return strings.Contains(r.InstanceID, vm) }
	for _, r := range read[msvm.ReplicationRelationship](tb, s) {
		if of(r) {
			rows = append(rows, row{ReplicationRelationship: r})
		}
	}
	for i, c := range statisticsCalls(tb, s, of) {
		if reply := call(tb, s, c); reply.Code == wmiquery.CodeCompleted {
			var err error
			if rows[i].stats, rows[i].issues, err = msvm.Statistics(reply); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return rows
}

// String is what the row says but times. Its statistics must agree.
func (r row) String() string {
	text := fmt.Sprintf("%s/%s", r.ReplicationState, r.ReplicationHealth)
	if *r.FailedOverReplicationType != msvm.TypeNone {
		text += fmt.Sprintf(" failed over %s", r.FailedOverReplicationType)
	}
	if *r.LastReplicationType == msvm.TypePlanned {
		text += " last planned"
	}
	for _, issue := range r.issues {
		text += " " + *issue.MessageID
	}
	if h := r.stats.ReplicationHealth; h != nil && *h != uint32(*r.ReplicationHealth) {
		text += fmt.Sprintf(" but statistics say %d", *h)
	}
	return text
}

// describe is the VM as a host has it: its mode and its relationships.
func describe(tb testing.TB, s wmiquery.Session, vm string) string {
	tb.Helper()
	for _, c := range read[msvm.ComputerSystem](tb, s) {
		if c.Name == vm {
			return fmt.Sprintf("%s: %s", c.ReplicationMode, strings.Trim(fmt.Sprint(relationships(tb, s, vm)), "[]"))
		}
	}
	return ""
}

// vms are the GUIDs of the host's VMs that are no test replicas.
func vms(tb testing.TB, s wmiquery.Session) []string {
	tb.Helper()
	var ids []string
	for _, c := range read[msvm.ComputerSystem](tb, s) {
		if c.IsVM() && *c.ReplicationMode != msvm.ModeTestReplica {
			ids = append(ids, c.Name)
		}
	}
	return ids
}

// snapshot is everything that can be read on all hosts, by where it stands.
func snapshot(tb testing.TB, w *simulator.World) map[string]string {
	tb.Helper()
	all := map[string]string{}
	put := func(v any, where ...any) {
		text, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		all[fmt.Sprint(where...)] = string(text)
	}
	for _, h := range hosts {
		s := open(tb, w, h)
		for _, class := range msvm.Classes() {
			rows := reflect.New(reflect.SliceOf(reflect.TypeOf(class)))
			if err := s.Read(rows.Interface()); err != nil {
				tb.Fatal(err)
			}
			for i := range rows.Elem().Len() {
				put(rows.Elem().Index(i).Interface(), h, class.WMIClass().Name, i)
			}
		}
		for i, c := range statisticsCalls(tb, s, nil) {
			put(call(tb, s, c), h, "statistics", i)
		}
	}
	return all
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, where := range slices.Sorted(maps.Keys(want)) {
		if got[where] != want[where] {
			t.Fatalf("%s is\n%s, want\n%s", where, got[where], want[where])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		config simulator.Config
		want   []string // in the error
	}{
		{simulator.Config{VMs: -1}, []string{"VMs is -1", "10000"}},
		{simulator.Config{VMs: 10_001}, []string{"VMs is 10001", "0 to 10000", "simulate several hosts"}},
		{simulator.Config{Host: "HV04"}, []string{`"HV04"`, "HV01, HV02, HV03"}},
		{simulator.Config{Scenario: "x"}, append([]string{`"x"`}, simulator.Scenarios()...)},
		{simulator.Config{MonitoringInterval: time.Minute}, []string{"1m0s", "1h to 168h"}},
		{simulator.Config{MonitoringInterval: time.Hour + 1}, []string{"whole seconds"}},
		{simulator.Config{VMs: -1, Host: "x", Scenario: "y"}, []string{"VMs", "Host", "Scenario"}},
	} {
		_, err := simulator.New(tt.config)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: the error is %v, which lacks %q", tt.config, err, want)
			}
		}
	}
	w, err := simulator.New(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Open(); err != nil {
		t.Error(err)
	}
	if _, err := w.OpenHost("HV04")(); err == nil {
		t.Error("there is a fourth host")
	}
}

// Every situation as both of its hosts show it, for any seed: state, health,
// reasons, and the time of the last replication.
func TestSituations(t *testing.T) {
	const (
		ok      = "replicating/ok"
		initial = "waiting_to_complete_initial_replication/warning 33683"
		never   = -1
	)
	situations := []struct {
		name             string
		inbound          bool // HV02 sends to HV01
		sender, receiver string
		other            string  // another machine that goes with the VM
		youngest, oldest float64 // last replication, minutes
	}{
		{"replicating", false, ok, ok, "", 0, 6},
		{"replicating inbound", true, ok, ok, "", 0, 6},
		{"every 30 s", false, ok, ok, "", 0, 2},
		{"every 900 s", false, ok, ok, "", 0, 31},
		{"never replicated", false, "disabled/not_applicable", "", "", never, 0},
		{"slow link", false, "replicating/warning 33680 33682", "replicating/warning 33680 33682", "", 0, 20},
		{"paused on the primary", false, "suspended/warning 33684", ok, "", 40, 50},
		{"initial replication", false, initial, initial, "", never, 0},
		{"resynchronization required", false, "waiting_to_start_resynchronization/critical 33671 33681", "replicating/warning 33681", "", 90, 100},
		{"critical", false, "critical/critical 33670 33681", "critical/critical 33670 33681", "", 80, 90},
		{"freshly enabled", false, "ready_for_replication/warning 33683", initial, "", never, 0},
		{"paused on the replica", true, "replicating/critical 33673", "suspended/critical 33672", "", 25, 35},
		{"resynchronizing", false, "resynchronizing/warning 33686", "resynchronizing/warning 33686", "", 20, 30},
		{"resynchronization suspended", false, "resynchronization_suspended/warning 33686", "resynchronizing/warning 33686", "", 50, 60},
		{"prepared for planned failover", false, "synced_replication_complete/ok last planned", "replicating/ok last planned", "", 5, 5},
		{"failover in progress", true, "critical/critical 33670", "failover_in_progress/warning 33685", "", 2, 12},
		{"failed over", true, "critical/critical 33670", "recovered/warning failed over regular 33685", "", 30, 40},
		{"failover committed", true, "critical/critical 33670 33681", "committed/warning failed over regular 33685", "", 100, 110},
		{"extended", true, ok, ok + " " + ok, "extended_replica: " + ok, 0, 6},
		{"test failover", true, ok, ok, "test_replica: disabled/not_applicable", 0, 6},
		{"initial replication inbound", true, initial, initial, "", never, 0},
	}
	for seed := range uint64(5) {
		w, c := newWorld(t, simulator.Config{Seed: seed})
		hv01, hv02, hv03 := open(t, w, "HV01"), open(t, w, "HV02"), open(t, w, "HV03")
		ids := vms(t, hv01)
		if len(ids) != len(situations) {
			t.Fatalf("%d VMs for %d situations", len(ids), len(situations))
		}
		tests := map[string]string{}
		for _, c := range read[msvm.ComputerSystem](t, hv01) {
			if name, test := strings.CutSuffix(*c.ElementName, " - Test"); test {
				tests[name] = describe(t, hv01, c.Name)
			}
		}
		for i, want := range situations {
			from, to, mode := hv01, hv02, "primary: "
			if want.inbound {
				from, to = hv02, hv01
			}
			switch {
			case want.receiver == "":
				mode = "none: "
			case want.name == "extended":
				want.receiver = "replica: " + want.receiver
			default:
				want.receiver = "replica: " + want.receiver + " disabled/not_applicable"
			}
			rows := append(relationships(t, from, ids[i]), relationships(t, to, ids[i])...)
			got := describe(t, from, ids[i]) + "; " + describe(t, to, ids[i]) + "; " + describe(t, hv03, ids[i]) + tests[*rows[0].ElementName]
			if want := mode + want.sender + "; " + want.receiver + "; " + want.other; got != want {
				t.Errorf("seed %d, %s: %s, want %s", seed, situations[i].name, got, want)
			}
			for j, r := range rows {
				last, replicated := msvm.Known(r.LastReplicationTime)
				_, applied := msvm.Known(r.LastApplyTime)
				age := c.Now().Sub(last).Minutes()
				wanted := want.youngest != never && r.Replicates()
				receives := j > 0 && strings.HasSuffix(r.InstanceID, `\0`)
				if replicated != wanted || wanted && (age < want.youngest || age > want.oldest) || applied != (wanted && receives) ||
					replicated == (*r.LastReplicationType == msvm.TypeNone) {
					t.Errorf("seed %d, %s: row %d has a %s of %v, applied %v", seed, want.name, j, r.LastReplicationType, last, r.LastApplyTime)
				}
			}
		}
	}
}

// The host's own row is the first computer system: no GUID, no date, no mode.
func TestHostRow(t *testing.T) {
	w, _ := newWorld(t, simulator.Config{VMs: 300})
	for _, h := range hosts {
		for i, c := range read[msvm.ComputerSystem](t, open(t, w, h)) {
			if host := c.Name == h && c.InstallDate == nil && *c.ReplicationMode == msvm.ModeNone; host != (i == 0) || c.IsVM() != (i > 0) {
				t.Errorf("%s: row %d is %+v", h, i, c)
			}
		}
	}
	if n := len(vms(t, open(t, w, "HV01"))); n != 300 {
		t.Errorf("%d VMs, want 300", n)
	}
}

// Windows' own texts are in the language of the scenario.
func TestLanguages(t *testing.T) {
	for scenario, want := range map[string]string{"mixed": "Operating normally", "german": "Normaler Betrieb", "chinese": "正常运行"} {
		w, _ := newWorld(t, simulator.Config{VMs: 1, Scenario: scenario})
		if got := read[msvm.ReplicationService](t, open(t, w, "HV01"))[0].StatusDescriptions; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: the status is %q, want %q", scenario, got, want)
		}
	}
}
