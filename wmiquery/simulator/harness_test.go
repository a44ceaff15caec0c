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

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// newClock returns a clock in the middle of a monitoring window, which lasts from 09:00 to 21:00 UTC.
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

// statisticsCalls are the calls for the statistics of the relationships for which include is true. Nil
// includes all.
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

// row is a relationship with its statistics. They are empty if it does not replicate.
type row struct {
	msvm.ReplicationRelationship
	stats  msvm.ReplicationStatistics
	issues []msvm.Error
}

// relationships are the relationships of a VM on a host, the primary one first.
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

// String describes the row without times. It also reports statistics that contradict the row.
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

// describe describes a VM on a host: its mode and its relationships.
func describe(tb testing.TB, s wmiquery.Session, vm string) string {
	tb.Helper()
	for _, c := range read[msvm.ComputerSystem](tb, s) {
		if c.Name == vm {
			return fmt.Sprintf("%s: %s", c.ReplicationMode, strings.Trim(fmt.Sprint(relationships(tb, s, vm)), "[]"))
		}
	}
	return ""
}

// vms are the GUIDs of the VMs of the host, without test replicas.
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

// snapshot is everything that can be read from all hosts, by host, class and index.
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

func parseFaults(t *testing.T, specs ...string) simulator.Faults {
	t.Helper()
	f, err := simulator.ParseFaults(specs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newCall is a call of a method.
func newCall(object wmiquery.Ref, method string, in ...wmiquery.Param) wmiquery.Call {
	return wmiquery.Call{Namespace: wmiquery.Virtualization, Object: object, Method: method, In: in}
}
