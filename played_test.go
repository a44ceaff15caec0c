package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// played is some hours of a simulated world: nobody waits for them, since the
// clock of the hosts and of the exporters is moved from scrape to scrape.
type played struct {
	world  simulator.Config // its clock is set by play
	faults []string         // as --simulator.fault has them
	hosts  []string         // whose exporters are scraped, of the same world
	flags  []string         // of the exporters
	start  time.Time        // when the world is made
	step   time.Duration    // between scrapes
	length time.Duration    // the last scrape is so long after the first
	// acts, if not nil, is what is done to the world before the scrape so long
	// after the first.
	acts func(w *simulator.World, since time.Duration)
	// down, if not nil, tells whether a host cannot be scraped then.
	down func(host string, since time.Duration) bool
}

// scraped is what the exporter of a host gives at a time, nil if it is down: all
// that is served, as the registry has it. The labels of the target are not in it.
type scraped func(host string, at time.Time, families []*dto.MetricFamily)

// play plays p; what is scraped goes to each. It takes the time of the scrapes:
// what waits, such as for a host that does not answer, waits by the same clock.
func play(t *testing.T, p played, each scraped) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		born := time.Now()
		p.world.Now = func() time.Time { return p.start.Add(time.Since(born)) }
		faults, err := simulator.ParseFaults(p.faults)
		if err != nil {
			t.Fatal(err)
		}
		p.world.Faults = faults
		w, err := simulator.New(p.world)
		if err != nil {
			t.Fatal(err)
		}
		exporters := map[string]*metricsHandler{}
		for _, host := range p.hosts {
			exporters[host] = playedExporter(t, w, host, p.flags)
		}
		t.Cleanup(func() { w.SetFaults(simulator.Faults{}) }) // calls that hang come back: the pools can be closed
		for since := time.Duration(0); since <= p.length; since += p.step {
			time.Sleep(time.Until(born.Add(since))) // of the clock that is moved
			if p.acts != nil {
				p.acts(w, since)
			}
			for _, host := range p.hosts {
				if p.down != nil && p.down(host, since) {
					each(host, p.start.Add(since), nil)
					continue
				}
				each(host, p.start.Add(since), gathered(t, exporters[host]))
			}
		}
	})
}

// playedExporter is the exporter on a host of the world, as the flags make it.
func playedExporter(t *testing.T, w *simulator.World, host string, flags []string) *metricsHandler {
	t.Helper()
	c, err := parseFlags(flags, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	pool := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: w.OpenHost(host), Now: w.Now, Workers: c.workers, StuckAfter: c.callTimeout, MaxStuck: c.maxStuck,
	})
	t.Cleanup(pool.Close)
	scraper := collector.NewScraper(collector.Options{
		Reader: pool, Logger: log.NewNopLogger(), Concurrency: c.workers, CallTimeout: c.callTimeout, MaxAge: c.maxAge,
	}, func(name string) bool { return *c.collectors[name] })
	return newMetricsHandler(c, &source{name: "simulator", pool: pool}, scraper, log.NewNopLogger())
}

// gathered is one scrape.
func gathered(t *testing.T, h *metricsHandler) []*dto.MetricFamily {
	t.Helper()
	selected, err := h.scraper.Select(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	for _, c := range slices.Concat([]prometheus.Collector{selected}, h.always) {
		registry.MustRegister(c)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// A night at a host that does not answer in time is over in no time: all waiting
// is by the clock that is moved, and what a scrape gives is of that time.
func TestPlay(t *testing.T) {
	scrapes, down := map[string]int{}, 0
	start := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	play(t, played{
		world:  simulator.Config{Seed: 1, VMs: 3},
		faults: []string{"hung=Msvm_ReplicationSettingData"},
		hosts:  []string{"HV01", "HV02"}, start: start, step: 30 * time.Minute, length: 12 * time.Hour,
		acts: func(w *simulator.World, since time.Duration) {
			if since == 6*time.Hour {
				w.SetFaults(simulator.Faults{})
			}
		},
		down: func(host string, since time.Duration) bool { return host == "HV02" && since == time.Hour },
	}, func(host string, at time.Time, families []*dto.MetricFamily) {
		if families == nil {
			down++
			return
		}
		scrapes[host]++
		known := false
		for _, f := range families {
			if f.GetName() == "hyperv_replica_lag_seconds" {
				known = true
			}
			if f.GetName() == "hyperv_replica_interval_seconds" && at.Sub(start) < 6*time.Hour {
				t.Errorf("%s at %v has settings that it did not answer with", host, at)
			}
			if f.GetName() != "hyperv_replica_snapshot_timestamp_seconds" {
				continue
			}
			for _, m := range f.Metric {
				if age := float64(at.UnixNano())/1e9 - m.GetGauge().GetValue(); age > 1 && at.Sub(start) >= 6*time.Hour {
					t.Errorf("%s at %v shows what is %v s old", host, at, age)
				}
			}
		}
		if !known {
			t.Errorf("%s at %v shows no lag", host, at)
		}
	})
	if scrapes["HV01"] != 25 || scrapes["HV02"] != 24 || down != 1 {
		t.Errorf("scrapes %v, and %d of a host that is down; want 25, 24 and 1", scrapes, down)
	}
}
