package main

import (
	"fmt"
	"os"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// source is the host that is read.
type source struct {
	name string // as in source_info
	pool *wmiquery.Pool
	// looking and acting are pools of the admin endpoint, nil if it is off: when
	// scrapes hang, since the host at the other end is dead, it is needed most.
	looking, acting *wmiquery.Pool
}

// openSource chooses the implementation of the seam. It does not talk to a live
// host yet; a capture it reads.
func openSource(c *config, logger log.Logger) (*source, error) {
	o := wmiquery.PoolOptions{
		Open:       wmiquery.OpenCOM,
		Now:        time.Now,
		Workers:    c.workers,
		StuckAfter: c.callTimeout,
		MaxStuck:   c.maxStuck,
	}
	switch c.source {
	case "simulator":
		world, err := simulator.New(c.simulated)
		if err != nil {
			return nil, err
		}
		o.Open, o.Now = world.Open, world.Now
		level.Warn(logger).Log("msg", "this is a simulated host: nothing here is real",
			"source", c.source, "scenario", c.simulated.Scenario, "host", c.simulated.Host)
	case "replay":
		host, err := replay.Open(os.DirFS(c.capture), time.Now)
		if err != nil {
			return nil, fmt.Errorf("--source=replay:%s: %w", c.capture, err)
		}
		o.Open, o.Now = host.Open, host.Now
		level.Warn(logger).Log("msg", "this is a replayed capture: nothing here is live",
			"source", c.source, "folder", c.capture, "captured", host.Captured().Format(time.RFC3339), "windows_build", host.Build())
	}
	s := &source{name: c.source, pool: wmiquery.NewPool(o)}
	if c.admin.enabled {
		s.looking, s.acting = wmiquery.NewPool(o), wmiquery.NewPool(o)
	}
	return s, nil
}

// close lets the calls under way end, for a while: a host that does not answer
// must not keep the program from stopping.
func (s *source) close() {
	done := make(chan struct{})
	go func() {
		for _, p := range []*wmiquery.Pool{s.pool, s.looking, s.acting} {
			if p != nil {
				p.Close()
			}
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(grace):
	}
}
