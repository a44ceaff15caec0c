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
	return &source{c.source, wmiquery.NewPool(o)}, nil
}

// close lets the calls under way end, for a while: a host that does not answer
// must not keep the program from stopping.
func (s *source) close() {
	done := make(chan struct{})
	go func() { s.pool.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace):
	}
}
