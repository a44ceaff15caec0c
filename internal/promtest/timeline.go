// Package promtest runs Prometheus' programs in tests, and scrapes simulated hosts faster than in real time.
package promtest

import (
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Timeline is a period in the life of simulated hosts that are scraped. It takes as long as the scrapes: the clock of
// the hosts and of the exporters is moved from scrape to scrape.
type Timeline struct {
	World  simulator.Config // Play sets its clock
	Faults []string         // as values of --simulator.fault
	Hosts  []string         // hosts of the world that are scraped, each by an exporter of its own
	Flags  []string         // of the exporters
	Start  time.Time        // when the world is created
	Step   time.Duration    // between two scrapes
	Length time.Duration    // from the first scrape to the last
	// Before, if not nil, is called before each scrape, since the time after the first.
	Before func(w *simulator.World, since time.Duration)
	// Down, if not nil, reports whether a host cannot be scraped at that time.
	Down func(host string, since time.Duration) bool
}

// ScrapeFunc receives a scrape of a host: everything that its exporter serves, as gathered by its registry, or nil if
// the host is down. The labels of the target are missing.
type ScrapeFunc func(host string, at time.Time, families []*dto.MetricFamily)

// Play scrapes the hosts of a timeline and passes the scrapes to each. Whatever waits, such as for a host that hangs,
// waits by the clock that is moved.
func Play(t *testing.T, line Timeline, each ScrapeFunc) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		line.World.Now = func() time.Time { return line.Start.Add(time.Since(begin)) }
		faults, err := simulator.ParseFaults(line.Faults)
		if err != nil {
			t.Fatal(err)
		}
		line.World.Faults = faults
		w, err := simulator.New(line.World)
		if err != nil {
			t.Fatal(err)
		}
		exporters := map[string]*exporter.Embedded{}
		for _, host := range line.Hosts {
			e, err := exporter.NewEmbedded(line.Flags, w.OpenHost(host), w.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Close)
			exporters[host] = e
		}
		t.Cleanup(func() { w.SetFaults(simulator.Faults{}) }) // calls that hang return, so that Close does
		for since := time.Duration(0); since <= line.Length; since += line.Step {
			time.Sleep(time.Until(begin.Add(since))) // by the clock that is moved: takes no time
			if line.Before != nil {
				line.Before(w, since)
			}
			for _, host := range line.Hosts {
				if line.Down != nil && line.Down(host, since) {
					each(host, line.Start.Add(since), nil)
					continue
				}
				each(host, line.Start.Add(since), gather(t, exporters[host]))
			}
		}
	})
}

func gather(t *testing.T, e *exporter.Embedded) []*dto.MetricFamily {
	t.Helper()
	registry, err := e.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}
