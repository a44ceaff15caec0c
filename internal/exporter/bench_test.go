package exporter

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// discard is an http.ResponseWriter that drops the body. A status other than 200 fails the benchmark.
type discard struct {
	b      *testing.B
	header http.Header
}

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(code int) {
	if code != http.StatusOK {
		d.b.Fatalf("status %d", code)
	}
}

// countedSession counts the reads and calls that reach the host.
type countedSession struct {
	wmiquery.Session
	reads, calls *atomic.Int64
}

func (s countedSession) Read(dst any) error {
	s.reads.Add(1)
	return s.Session.Read(dst)
}

func (s countedSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.calls.Add(1)
	return s.Session.Call(c)
}

// benchHost returns the exporter for a simulated host with the given number of VMs, whose clock stands still, and the
// number of classes read and of methods called.
func benchHost(b *testing.B, vms int) (h *metricsHandler, reads, calls *atomic.Int64) {
	b.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w, err := simulator.New(simulator.Config{VMs: vms, Seed: 1, Now: func() time.Time { return now }, Scenario: "healthy"})
	if err != nil {
		b.Fatal(err)
	}
	reads, calls = new(atomic.Int64), new(atomic.Int64)
	e, err := NewEmbedded([]string{
		"--collector.perf", "--scrape.timeout=1m", "--web.max-requests=100", "--wmi.call-timeout=1m", "--scrape.max-age=1m",
	}, func() (wmiquery.Session, error) {
		s, err := w.Open()
		return countedSession{s, reads, calls}, err
	}, w.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Close)
	return e.metrics, reads, calls
}

func scrapeRequest(encoding string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	r.Header.Set("Accept-Encoding", encoding)
	return r
}

// BenchmarkScrape compares a scrape, including the reads of the simulated host, with client_golang's const metrics of
// the same series, created for each scrape, through the same promhttp handler.
func BenchmarkScrape(b *testing.B) {
	for _, vms := range []int{20, 100, 1000} {
		for _, encoding := range []string{"identity", "gzip"} {
			h, reads, calls := benchHost(b, vms)
			constant := newConstMetrics(b, h)
			b.Run(fmt.Sprintf("vms=%d/%s/exporter", vms, encoding), func(b *testing.B) {
				reads.Store(0)
				calls.Store(0)
				bench(b, h, encoding, len(constant))
				b.ReportMetric(float64(reads.Load())/float64(b.N), "reads/op")
				b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
			})
			b.Run(fmt.Sprintf("vms=%d/%s/constmetrics", vms, encoding), func(b *testing.B) {
				registry := prometheus.NewRegistry()
				registry.MustRegister(constant)
				both := prometheus.Gatherers{registry, h.always}
				bench(b, promhttp.HandlerFor(both, promhttp.HandlerOpts{EnableOpenMetrics: true}), encoding, len(constant))
			})
		}
	}
}

func bench(b *testing.B, h http.Handler, encoding string, series int) {
	b.Helper()
	if m, ok := h.(*metricsHandler); ok {
		var err error
		if h, err = newMetricsServer(m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	r := scrapeRequest(encoding)
	for b.Loop() {
		h.ServeHTTP(discard{b, http.Header{}}, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(series), "ns/series")
	b.ReportMetric(float64(series), "series")
}

// constMetrics collects the same series as const metrics, in the order in which an exporter creates them, which is not
// that of the exposition.
type constMetrics []constSeries

type constSeries struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  float64
	labels []string
}

func newConstMetrics(b *testing.B, h *metricsHandler) constMetrics {
	b.Helper()
	g, err := h.scraper.Select(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	families, done, err := g.Gather()
	if err != nil {
		b.Fatal(err)
	}
	defer done()
	var all constMetrics
	for _, f := range families {
		var desc *prometheus.Desc
		for _, m := range f.GetMetric() {
			s := constSeries{kind: prometheus.GaugeValue, value: m.GetGauge().GetValue()}
			if m.Counter != nil {
				s.kind, s.value = prometheus.CounterValue, m.Counter.GetValue()
			}
			var names []string
			for _, l := range m.GetLabel() {
				names = append(names, l.GetName())
				s.labels = append(s.labels, l.GetValue())
			}
			if desc == nil {
				desc = prometheus.NewDesc(f.GetName(), "Help.", names, nil)
			}
			s.desc = desc
			all = append(all, s)
		}
	}
	// As exporters do, it creates the series of one VM after those of another. The GUID of the VM is the last label.
	vm := func(s constSeries) string { return strings.Join(s.labels[max(0, len(s.labels)-1):], "") }
	slices.SortStableFunc(all, func(a, b constSeries) int { return strings.Compare(vm(a), vm(b)) })
	return all
}

func (constMetrics) Describe(chan<- *prometheus.Desc) {}

func (c constMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c {
		ch <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value, s.labels...)
	}
}

// BenchmarkMemory scrapes 10,000 times and reports how much the heap has grown since the thousandth scrape.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		h, _, _ := benchHost(b, 20)
		r := scrapeRequest("gzip")
		var before uint64
		for i := range 10000 {
			if i == 1000 {
				before = heap()
			}
			h.ServeHTTP(discard{b, http.Header{}}, r)
		}
		b.ReportMetric(float64(int64(heap())-int64(before)), "heap-growth-B")
		runtime.KeepAlive(h)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
