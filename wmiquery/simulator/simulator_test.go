package simulator_test

import (
	"encoding/json"
	"fmt"
	"reflect"
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

func (c *clock) Advance(d time.Duration) { c.Set(c.Now().Add(d)) }

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

// statisticsCalls are the calls for the statistics of some relationships.
func statisticsCalls(tb testing.TB, s wmiquery.Session, of func(msvm.ReplicationRelationship) bool) []wmiquery.Call {
	tb.Helper()
	var calls []wmiquery.Call
	service := read[msvm.ReplicationService](tb, s)[0]
	for _, r := range read[msvm.ReplicationRelationship](tb, s) {
		if !of(r) {
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

var _ = json.Marshal
var _ = fmt.Sprint
var _ = reflect.TypeOf
