package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// countedSession counts what reaches the host.
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

// benchHost is the exporter on a simulated host of that many VMs, whose clock
// stands still.
func benchHost(b *testing.B, vms int) (h *metricsHandler, reads, calls *atomic.Int64) {
	b.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w, err := simulator.New(simulator.Config{VMs: vms, Seed: 1, Now: func() time.Time { return now }, Scenario: "healthy"})
	if err != nil {
		b.Fatal(err)
	}
	reads, calls = new(atomic.Int64), new(atomic.Int64)
	pool := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: func() (wmiquery.Session, error) {
			s, err := w.Open()
			return countedSession{s, reads, calls}, err
		},
		Now: w.Now, Workers: 4, StuckAfter: time.Minute, MaxStuck: 4,
	})
	b.Cleanup(pool.Close)
	s := collector.NewScraper(collector.Options{
		Reader: pool, Logger: log.NewNopLogger(), Concurrency: 4, CallTimeout: time.Minute, MaxAge: time.Minute,
	}, func(string) bool { return true })
	c := &config{scrapeTimeout: time.Minute, maxRequests: 100}
	return newMetricsHandler(c, &source{"simulator", pool}, s, log.NewNopLogger()), reads, calls
}

func scrapeRequest(encoding string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	r.Header.Set("Accept-Encoding", encoding)
	return r
}

// BenchmarkScrape compares a scrape, the reading of the simulated host included,
// with client_golang's const metrics of the very same series, made anew for each
// scrape, through the same promhttp.
func BenchmarkScrape(b *testing.B) {
	for _, vms := range []int{1000, 10000} {
		for _, encoding := range []string{"identity", "gzip"} {
			h, reads, calls := benchHost(b, vms)
			families := gathered(b, h)
			n := 0
			for _, f := range families {
				n += len(f.Metric)
			}
			b.Run(fmt.Sprintf("vms=%d/%s/exporter", vms, encoding), func(b *testing.B) {
				reads.Store(0)
				calls.Store(0)
				bench(b, h, encoding, n)
				b.ReportMetric(float64(reads.Load())/float64(b.N), "reads/op")
				b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
			})
			b.Run(fmt.Sprintf("vms=%d/%s/constmetrics", vms, encoding), func(b *testing.B) {
				registry := prometheus.NewRegistry()
				registry.MustRegister(constMetrics(families))
				bench(b, promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), encoding, n)
			})
		}
	}
}

func bench(b *testing.B, h http.Handler, encoding string, series int) {
	b.Helper()
	b.ReportAllocs()
	r := scrapeRequest(encoding)
	for b.Loop() {
		h.ServeHTTP(discard{http.Header{}}, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(series), "ns/series")
	b.ReportMetric(float64(series), "series")
}

// gathered is what a scrape through h gives.
func gathered(b *testing.B, h *metricsHandler) []*dto.MetricFamily {
	b.Helper()
	selected, err := h.scraper.Select(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	for _, c := range append([]prometheus.Collector{selected}, h.always...) {
		registry.MustRegister(c)
	}
	families, err := registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	return families
}

// constMetrics gives families as const metrics, those of Go's runtime and of the
// process, which are neither gauges nor counters, left out.
type constMetrics []*dto.MetricFamily

func (constMetrics) Describe(chan<- *prometheus.Desc) {}

func (c constMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, f := range c {
		if f.GetType() != dto.MetricType_GAUGE && f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		var names []string
		for _, l := range f.Metric[0].Label {
			names = append(names, l.GetName())
		}
		desc := prometheus.NewDesc(f.GetName(), f.GetHelp(), names, nil)
		for _, m := range f.Metric {
			values := make([]string, len(m.Label))
			for i, l := range m.Label {
				values[i] = l.GetValue()
			}
			if m.Counter != nil {
				ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, m.Counter.GetValue(), values...)
			} else {
				ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, m.Gauge.GetValue(), values...)
			}
		}
	}
}

// BenchmarkMemory scrapes 10,000 times and reports by how much the heap has
// grown since the thousandth scrape.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		h, _, _ := benchHost(b, 20)
		r := scrapeRequest("gzip")
		var before uint64
		for i := range 10000 {
			if i == 1000 {
				before = heap()
			}
			h.ServeHTTP(discard{http.Header{}}, r)
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
