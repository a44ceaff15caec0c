package collector_test

import (
	"bytes"
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/logging/loggingtest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// noon is the initial time of a fakeClock.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fakeClock is a clock that a test advances.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: noon} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// countingSession counts the operations that reach the host.
type countingSession struct {
	wmiquery.Session
	count func(operation string)
}

func (s countingSession) Read(dst any) error {
	s.count(className(dst))
	return s.Session.Read(dst)
}

func (s countingSession) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	s.count("AssociatorsOf")
	return s.Session.Associated(dst, of, association)
}

func (s countingSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.count(c.Method)
	return s.Session.Call(c)
}

// className returns the name of the class of dst, a pointer to a slice of
// instances.
func className(dst any) string {
	row := reflect.Zero(reflect.TypeOf(dst).Elem().Elem())
	return row.Interface().(wmiquery.Instance).WMIClass().Name
}

// testRig consists of a scraper with all collectors, and of what it reads: a pool
// of sessions to a simulated host, or a fakeHost.
type testRig struct {
	world   *simulator.World // nil with a fakeHost
	pool    *wmiquery.Pool   // nil with a fakeHost
	scraper *collector.Scraper
	logs    *loggingtest.Buffer

	mu    sync.Mutex
	calls map[string]int // number of times that an operation reached the host
	order []string       // operations in the order in which they reached the host
}

// parseFaults returns the faults with the given names.
func parseFaults(tb testing.TB, names ...string) simulator.Faults {
	tb.Helper()
	faults, err := simulator.ParseFaults(names)
	if err != nil {
		tb.Fatal(err)
	}
	return faults
}

// opener opens a session to a host.
type opener = func() (wmiquery.Session, error)

func newTestRig(tb testing.TB, config simulator.Config) *testRig {
	tb.Helper()
	return newTestRigWith(tb, config, func(host opener) opener { return host })
}

// newTestRigWith returns a rig whose pool opens its sessions with wrap's result for
// the simulated host.
func newTestRigWith(tb testing.TB, config simulator.Config, wrap func(host opener) opener) *testRig {
	tb.Helper()
	world, err := simulator.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	r := &testRig{world: world, logs: &loggingtest.Buffer{}, calls: map[string]int{}}
	open := wrap(world.Open)
	r.pool = wmiquery.NewPool(wmiquery.PoolOptions{
		Open: func() (wmiquery.Session, error) {
			s, err := open()
			return countingSession{s, r.count}, err
		},
		Now: world.Now, Workers: 4, StuckAfter: 5 * time.Second, MaxStuck: 8,
	})
	tb.Cleanup(r.pool.Close)
	r.scraper = newScraper(r.pool, r.logs)
	return r
}

// newFakeHostRig returns a rig that reads the fake host.
func newFakeHostRig(h *fakeHost) *testRig {
	logs := &loggingtest.Buffer{}
	return &testRig{logs: logs, scraper: newScraper(h, logs)}
}

func newLogger(logs *loggingtest.Buffer) log.Logger { return log.NewLogfmtLogger(logs) }

// newScraper returns a scraper with all collectors.
func newScraper(reader wmiquery.Reader, logs *loggingtest.Buffer) *collector.Scraper {
	return collector.NewScraper(collector.Options{
		Reader:      reader,
		Logger:      newLogger(logs),
		CallTimeout: 5 * time.Second,
		MaxAge:      5 * time.Minute,
	}, func(string) bool { return true })
}

func (r *testRig) count(operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[operation]++
	r.order = append(r.order, operation)
}

// takeCalls returns the number of calls of each operation since the last call.
func (r *testRig) takeCalls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = map[string]int{}
	return calls
}

// countCalls returns the number of calls of an operation since the last call of takeCalls.
func (r *testRig) countCalls(operation string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[operation]
}

// gather scrapes the named collectors, or all if no name is given. The registry
// checks that all metrics have been described.
func (r *testRig) gather(tb testing.TB, timeout time.Duration, names ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	selected, err := r.scraper.Select(ctx, names...)
	if err != nil {
		tb.Fatal(err)
	}
	return encode(tb, selected)
}

// encode gathers and returns the exposition.
func encode(tb testing.TB, gatherer prometheus.TransactionalGatherer) string {
	tb.Helper()
	families, done, err := gatherer.Gather()
	defer done()
	if err != nil {
		tb.Errorf("gather: %v", err)
	}
	var buf bytes.Buffer
	encoder := expfmt.NewEncoder(&buf, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.String()
}

// scrapeAndDisconnect scrapes with a client that disconnects after some time.
func (r *testRig) scrapeAndDisconnect(tb testing.TB, after time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(after, cancel)
	selected, err := r.scraper.Select(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	_, done, err := selected.Gather()
	done()
	if err != nil {
		tb.Error(err)
	}
}

// takeErrorLines returns the log lines of level error since the last call.
func takeErrorLines(r *testRig) []string {
	var lines []string
	for _, l := range r.logs.TakeLines() {
		if strings.Contains(l, "level=error") {
			lines = append(lines, l)
		}
	}
	return lines
}
