package exporter_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// distantSession answers each request after a latency, and counts the requests.
type distantSession struct {
	wmiquery.Session
	latency      time.Duration
	reads, calls *atomic.Int64
}

func (s distantSession) wait(requests *atomic.Int64) {
	requests.Add(1)
	time.Sleep(s.latency)
}

func (s distantSession) Read(dst any) error {
	s.wait(s.reads)
	return s.Session.Read(dst)
}

func (s distantSession) Texts(c wmiquery.Class) ([]wmiquery.Embedded, error) {
	s.wait(s.reads)
	return s.Session.Texts(c)
}

func (s distantSession) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	s.wait(s.reads)
	return s.Session.Associated(dst, of, association)
}

func (s distantSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.wait(s.calls)
	return s.Session.Call(c)
}

// A scrape takes hardly longer than the workers need for its requests. Reads and calls have workers of their own, so
// that those with more requests decide. The clock of the test advances only while all
// goroutines wait, so that the times are exact.
func TestScrapeKeepsWorkersBusy(t *testing.T) {
	for _, vms := range []int{1, 20, 100} {
		for _, workers := range []int{1, 4, 16} {
			for _, latency := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
				t.Run(fmt.Sprintf("%d VMs, %d workers, %v", vms, workers, latency), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { checkScrapeTime(t, vms, workers, latency) })
				})
			}
		}
	}
}

func checkScrapeTime(t *testing.T, vms, workers int, latency time.Duration) {
	w, err := simulator.New(simulator.Config{Scenario: "mixed", VMs: vms, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var reads, calls atomic.Int64
	e, err := exporter.NewEmbedded(
		[]string{"--collector.perf", "--scrape.timeout=2m", fmt.Sprintf("--wmi.workers=%d", workers)},
		func() (wmiquery.Session, error) {
			s, err := w.Open()
			return distantSession{s, latency, &reads, &calls}, err
		}, w.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for scrape := range 3 {
		reads.Store(0)
		calls.Store(0)
		begin := time.Now()
		g, err := e.Gatherer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, done, err := g.Gather()
		if err != nil {
			t.Fatal(err)
		}
		done()
		took, n := time.Since(begin), max(reads.Load(), calls.Load())
		if n < 10 {
			t.Fatalf("scrape %d: %d requests, want more", scrape, n)
		}
		limit := time.Duration(1.1*float64(n)*float64(latency)/float64(workers)) + 2*latency
		if took > limit {
			t.Errorf("scrape %d: %d requests took %v, want at most %v", scrape, n, took, limit)
		}
	}
}
