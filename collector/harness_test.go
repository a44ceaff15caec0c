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
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// noon is where the tests' clock starts.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: noon} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// countingSession counts what reaches the host.
type countingSession struct {
	wmiquery.Session
	count func(operation string)
}

func (s countingSession) Read(dst any) error {
	s.count(className(dst))
	return s.Session.Read(dst)
}

func (s countingSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.count(c.Method)
	return s.Session.Call(c)
}

// className is the class that is read into dst.
func className(dst any) string {
	row := reflect.Zero(reflect.TypeOf(dst).Elem().Elem())
	return row.Interface().(wmiquery.Instance).WMIClass().Name
}

// rig is an exporter's inside, from the simulated host to the scraper.
type rig struct {
	world   *simulator.World
	pool    *wmiquery.Pool
	scraper *collector.Scraper
	logs    *syncBuffer

	mu    sync.Mutex
	calls map[string]int // operation -> times it reached the host
	order []string       // the operations as they reached it
}

// syncBuffer is a buffer that many may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// Take returns what was written since the last time, line by line.
func (b *syncBuffer) Take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return strings.FieldsFunc(b.buf.String(), func(r rune) bool { return r == '\n' })
}

// open opens sessions.
type open = func() (wmiquery.Session, error)

func newRig(tb testing.TB, config simulator.Config) *rig {
	tb.Helper()
	return newRigThrough(tb, config, func(host open) open { return host })
}

// newRigThrough has something between the pool and the simulated host.
func newRigThrough(tb testing.TB, config simulator.Config, through func(host open) open) *rig {
	tb.Helper()
	world, err := simulator.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{world: world, logs: &syncBuffer{}, calls: map[string]int{}}
	sessions := through(world.Open)
	r.pool = wmiquery.NewPool(wmiquery.PoolOptions{
		Open: func() (wmiquery.Session, error) {
			s, err := sessions()
			return countingSession{s, r.count}, err
		},
		Now: world.Now, Workers: 4, StuckAfter: 5 * time.Second, MaxStuck: 8,
	})
	tb.Cleanup(r.pool.Close)
	r.scrape(r.pool)
	return r
}

// newFabricatedRig reads a fabricated host.
func newFabricatedRig(h *fabricatedHost) *rig {
	r := &rig{logs: &syncBuffer{}}
	r.scrape(h)
	return r
}

// scrape makes the rig's scraper, with every collector.
func (r *rig) scrape(from wmiquery.Reader) {
	r.scraper = collector.NewScraper(collector.Options{
		Reader:      from,
		Logger:      log.NewLogfmtLogger(r.logs),
		Concurrency: 4,
		CallTimeout: 5 * time.Second,
		MaxAge:      5 * time.Minute,
	}, func(string) bool { return true })
}

func (r *rig) count(operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[operation]++
	r.order = append(r.order, operation)
}

// takeCalls returns what has reached the host since the last time.
func (r *rig) takeCalls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = map[string]int{}
	return calls
}

// gather scrapes the named collectors, all if none is named, through a registry
// that checks that only announced metrics come.
func (r *rig) gather(tb testing.TB, timeout time.Duration, names ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	selected, err := r.scraper.Select(ctx, names...)
	if err != nil {
		tb.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(selected); err != nil {
		tb.Fatal(err)
	}
	families, err := registry.Gather()
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

// scrapeAndLeave scrapes with a client that leaves after a while.
func (r *rig) scrapeAndLeave(tb testing.TB, after time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(after, cancel)
	selected, err := r.scraper.Select(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(selected)
	if _, err := registry.Gather(); err != nil {
		tb.Error(err)
	}
}

// series is an exposition as series -> value, without comments.
func series(exposition string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(exposition) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && !strings.HasPrefix(line, "#") {
			out[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return out
}

// stable is an exposition without what depends on the machine.
func stable(exposition string) string {
	var b strings.Builder
	for line := range strings.Lines(exposition) {
		if !strings.Contains(line, "hyperv_replica_collector_duration_seconds") {
			b.WriteString(line)
		}
	}
	return b.String()
}
