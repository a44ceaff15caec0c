package exporter

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

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

// BenchmarkMemory scrapes 10,000 times and reports how much the heap has grown since the thousandth scrape. The clock of
// the host stands still, so that the host has the same state in all of them.
func BenchmarkMemory(b *testing.B) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w, err := simulator.New(simulator.Config{VMs: 20, Seed: 1, Now: func() time.Time { return now }, Scenario: "healthy"})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	for b.Loop() {
		e, err := NewEmbedded([]string{"--collector.perf", "--scrape.timeout=1m", "--wmi.call-timeout=1m"}, w.Open, w.Now)
		if err != nil {
			b.Fatal(err)
		}
		var before uint64
		for i := range 10000 {
			if i == 1000 {
				before = heap()
			}
			e.ServeHTTP(discard{b, http.Header{}}, r)
		}
		b.ReportMetric(float64(int64(heap())-int64(before)), "heap-growth-B")
		e.Close()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
