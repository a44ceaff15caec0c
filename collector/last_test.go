package collector_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// last returns the exposition from the last responses of the host.
func (r *testRig) last(t *testing.T) string {
	t.Helper()
	families, err := r.scraper.Last(t.Context())
	if err != nil {
		t.Error(err)
	}
	var buf bytes.Buffer
	encoder := expfmt.NewEncoder(&buf, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return buf.String()
}

// The last responses give the series of the last scrape, also an hour later: only ages grow. The host is not asked.
// Before the first scrape there are none.
func TestLastResponsesGiveTheSeriesOfTheLastScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{Seed: 1, VMs: 20, Now: time.Now})
		if got := r.last(t); strings.Contains(got, "vm=") || strings.Contains(got, "collector=") {
			t.Errorf("series before the first scrape:\n%s", got)
		}
		r.takeCalls()
		scraped := r.gather(t, scrapeTimeout)
		if calls := r.takeCalls(); len(calls) < 10 {
			t.Errorf("a scrape calls %v, want at least 10 operations", calls)
		}
		if got := r.last(t); got != scraped {
			t.Errorf("the last responses give\n%s\nwant what the scrape has given:\n%s", got, scraped)
		}
		time.Sleep(time.Hour) // longer than the maximum age of a response
		later := parseSeries(r.last(t))
		lags := 0
		for series, want := range parseSeries(scraped) {
			if strings.HasPrefix(series, "hyperv_replica_lag_seconds{") {
				lags++
				if later[series] != want {
					t.Errorf("an hour later, %s is %s, want %s as in the scrape", series, later[series], want)
				}
			}
		}
		if lags < 5 {
			t.Errorf("%d lags, want at least 5", lags)
		}
		for id, age := range valuesOf(later, "statistics_age_seconds", "vm_id") {
			if age != "3600" {
				t.Errorf("an hour later, the statistics of %s are %s s old, want 3600 s", id, age)
			}
		}
		if calls := r.takeCalls(); len(calls) != 0 {
			t.Errorf("the host was asked: %v", calls)
		}
	})
}

// While the host does not answer, the last responses stay, and the failure of the last scrape shows.
func TestLastResponsesOfAHostThatFails(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout)
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrDenied)
	r.gather(t, scrapeTimeout)
	got := r.last(t)
	for _, want := range []string{
		`hyperv_replica_collector_success{collector="relationship"} 0`,
		`hyperv_replica_collector_success{collector="authorization"} 1`,
		`hyperv_replica_relationship_info{`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
