package exporter

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// delayedSession is a session whose reads and calls take a time, and are counted.
type delayedSession struct {
	wmiquery.Session
	latency  time.Duration
	requests *atomic.Int64
}

func (s delayedSession) Read(dst any) error {
	s.delay()
	return s.Session.Read(dst)
}

func (s delayedSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.delay()
	return s.Session.Call(c)
}

func (s delayedSession) delay() {
	s.requests.Add(1)
	time.Sleep(s.latency)
}

// The workers share the requests of a scrape: it takes at most a tenth longer than the share of one of them, and two
// requests more, because some requests need the response to another.
func TestWorkersShareTheRequestsOfAScrape(t *testing.T) {
	for _, workers := range []int{1, 4, 8} {
		for _, vms := range []int{20, 200} {
			synctest.Test(t, func(t *testing.T) { testScrapeTime(t, workers, vms) })
		}
	}
}

func testScrapeTime(t *testing.T, workers, vms int) {
	const latency = 100 * time.Millisecond
	w, err := simulator.New(simulator.Config{VMs: vms, Seed: 1, Scenario: "healthy", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	e, err := NewEmbedded([]string{
		"--collector.perf", "--scrape.timeout=2m", "--wmi.call-timeout=1m", "--wmi.workers=" + strconv.Itoa(workers),
	}, func() (wmiquery.Session, error) {
		s, err := w.Open()
		return delayedSession{s, latency, &requests}, err
	}, w.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	begin := time.Now()
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	took := time.Since(begin)
	most := time.Duration(requests.Load())*latency*11/10/time.Duration(workers) + 2*latency
	if rec.Code != http.StatusOK || int(requests.Load()) < vms/2 || took > most {
		t.Errorf("%d workers, %d VMs: status %d, %d requests in %v, want at most %v",
			workers, vms, rec.Code, requests.Load(), took, most)
	}
}
