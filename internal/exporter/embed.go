package exporter

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
)

// Embedded serves the metrics of a host that its caller provides, without a listener: a simulated host whose clock a
// test controls, for example.
type Embedded struct {
	http.Handler // serves the metrics, whatever the path
	host         *source
	metrics      *metricsHandler
}

// NewEmbedded returns the exporter with the given command line for a host whose sessions come from open and whose
// clock is now. It logs nothing and has no admin endpoint.
func NewEmbedded(args []string, open func() (wmiquery.Session, error), now func() time.Time) (*Embedded, error) {
	c, err := parseFlags(append([]string{"--source=simulator"}, args...), io.Discard, "")
	if err != nil {
		return nil, err
	}
	host := newSource(c, open, now)
	metrics := newMetricsHandler(c, host, log.NewNopLogger())
	handler, err := newMetricsServer(metrics)
	if err != nil {
		return nil, err
	}
	return &Embedded{handler, host, metrics}, nil
}

// Gatherer returns a gatherer that scrapes all enabled collectors each time it gathers, until ctx is done.
func (e *Embedded) Gatherer(ctx context.Context) (prometheus.TransactionalGatherer, error) {
	g, err := e.metrics.gatherer(ctx)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Close waits for running calls of the host.
func (e *Embedded) Close() { e.host.pool.Close() }
