// Package promtest runs the programs of Prometheus in tests, and scrapes simulated hosts on a fake clock.
package promtest

import (
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Timeline describes simulated hosts and the scrapes of them. Hosts and exporters use a fake clock that advances from
// scrape to scrape, so that a run takes only the time of the scrapes themselves.
type Timeline struct {
	Config simulator.Config // configuration of the simulator; RunTimeline sets its clock
	Faults []string         // values of --simulator.fault
	Hosts  []string         // names of the hosts to scrape, each with an exporter of its own
	Flags  []string         // command-line flags of the exporters
	Start  time.Time        // time at which the simulation starts
	Step   time.Duration    // time between two scrapes
	Length time.Duration    // time from the first scrape to the last
	// BeforeScrape, if not nil, is called before each scrape with the time since the first scrape.
	BeforeScrape func(w *simulator.World, elapsed time.Duration)
	// IsDown, if not nil, reports whether the exporter of a host is down at a time since the first scrape.
	IsDown func(host string, elapsed time.Duration) bool
}

// ScrapeFunc receives the result of a scrape: all metrics of the exporter of the host, as gathered by its registry, or
// nil if the exporter is down. They lack the labels that Prometheus adds for the target.
type ScrapeFunc func(host string, at time.Time, families []*dto.MetricFamily)

// RunTimeline scrapes the hosts of a timeline and calls onScrape for each scrape. Timeouts, such as those for a host
// that does not answer, use the fake clock, too.
func RunTimeline(t *testing.T, timeline Timeline, onScrape ScrapeFunc) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		timeline.Config.Now = func() time.Time { return timeline.Start.Add(time.Since(begin)) }
		faults, err := simulator.ParseFaults(timeline.Faults)
		if err != nil {
			t.Fatal(err)
		}
		timeline.Config.Faults = faults
		w, err := simulator.New(timeline.Config)
		if err != nil {
			t.Fatal(err)
		}
		exporters := map[string]*exporter.Embedded{}
		for _, host := range timeline.Hosts {
			e, err := exporter.NewEmbedded(timeline.Flags, w.OpenHost(host), w.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			exporters[host] = e
		}
		// Close waits for calls that hang. Cleanup functions run last first, so these calls return before Close, and so
		// do slow ones.
		t.Cleanup(func() {
			w.SetFaults(simulator.Faults{})
			time.Sleep(time.Minute)
		})
		for elapsed := time.Duration(0); elapsed <= timeline.Length; elapsed += timeline.Step {
			time.Sleep(time.Until(begin.Add(elapsed))) // advances the fake clock
			if timeline.BeforeScrape != nil {
				timeline.BeforeScrape(w, elapsed)
			}
			for _, host := range timeline.Hosts {
				if timeline.IsDown != nil && timeline.IsDown(host, elapsed) {
					onScrape(host, timeline.Start.Add(elapsed), nil)
					continue
				}
				families, done := gather(t, exporters[host])
				onScrape(host, timeline.Start.Add(elapsed), families)
				done()
			}
		}
	})
}

func gather(t *testing.T, e *exporter.Embedded) (families []*dto.MetricFamily, done func()) {
	t.Helper()
	g, err := e.Gatherer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	families, done, err = g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families, done
}
