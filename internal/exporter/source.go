package exporter

import (
	"context"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
)

// source is the host that the program reads.
type source struct {
	name string // wmi, simulator or replay, as in the metric source_info
	pool *wmiquery.Pool
	// adminReads, adminCalls and adminFailovers are the pools of the admin endpoint, nil if it is disabled. It has its own
	// because it is needed most when the replica server is down and every worker of the scrapes is stuck. For the same
	// reason the calls of users with the role failover have their own.
	adminReads, adminCalls, adminFailovers *wmiquery.Pool
}

// openSource opens the source that the flags choose.
func openSource(ctx context.Context, c *config, logger log.Logger) (*source, error) {
	host, err := c.source.Open(ctx, logger)
	if err != nil {
		return nil, err
	}
	return newSource(c, host.Open, host.Now), nil
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
	s := &source{name: c.source.Name, pool: wmiquery.NewPool(o)}
	if c.admin.enabled {
		s.adminReads, s.adminCalls, s.adminFailovers = wmiquery.NewPool(o), wmiquery.NewPool(o), wmiquery.NewPool(o)
	}
	return s
}

// close waits for running calls until the deadline: a host that does not answer must not keep the program from
// stopping.
func (s *source) close(deadline time.Time) {
	done := make(chan struct{})
	go func() {
		for _, p := range []*wmiquery.Pool{s.pool, s.adminReads, s.adminCalls, s.adminFailovers} {
			if p != nil {
				p.Close()
			}
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Until(deadline)):
	}
}
