package exporter

import (
	"context"
	"fmt"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// source is the host that the program reads.
type source struct {
	name string // wmi, simulator or replay, as in the metric source_info
	pool *wmiquery.Pool
	// adminReads and adminCalls are the pools of the admin endpoint, nil if it is disabled. It has its own because it
	// is needed most when the replica server is down and every worker of the scrapes is stuck.
	adminReads, adminCalls *wmiquery.Pool
}

// openSource chooses the implementation of wmiquery. It reads a capture, but does not connect to a live host yet.
func openSource(ctx context.Context, c *config, logger log.Logger) (*source, error) {
	open, now := wmiquery.OpenCOM, time.Now
	switch c.source {
	case "simulator":
		world, err := simulator.New(c.simulated)
		if err != nil {
			return nil, err
		}
		open, now = world.Open, world.Now
		level.Warn(logger).Log("msg", "this is a simulated host, its values are not real",
			"source", c.source, "scenario", c.simulated.Scenario, "host", c.simulated.Host)
	case "replay":
		host, err := replay.OpenFolder(ctx, c.captureDir, time.Now)
		if err != nil {
			return nil, fmt.Errorf("--source=replay:%s: %w", c.captureDir, err)
		}
		open, now = host.Open, host.Now
		level.Warn(logger).Log("msg", "this is a replayed capture, its values are not live",
			"source", c.source, "directory", c.captureDir, "captured", host.Captured().Format(time.RFC3339),
			"windows_build", host.Build())
	}
	return newSource(c, open, now), nil
}

// newSource returns a source whose sessions come from open and whose clock is now.
func newSource(c *config, open func() (wmiquery.Session, error), now func() time.Time) *source {
	o := wmiquery.PoolOptions{
		Open:       open,
		Now:        now,
		Workers:    c.workers,
		StuckAfter: c.callTimeout,
		MaxStuck:   c.maxStuck,
	}
	s := &source{name: c.source, pool: wmiquery.NewPool(o)}
	if c.admin.enabled {
		s.adminReads, s.adminCalls = wmiquery.NewPool(o), wmiquery.NewPool(o)
	}
	return s
}

// close waits for running calls, but not longer than ShutdownTimeout: a host that does not answer must not keep the
// program from stopping.
func (s *source) close() {
	done := make(chan struct{})
	go func() {
		for _, p := range []*wmiquery.Pool{s.pool, s.adminReads, s.adminCalls} {
			if p != nil {
				p.Close()
			}
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(ShutdownTimeout):
	}
}
