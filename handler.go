package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/prometheus/client_golang/prometheus/promhttp/zstd" // offers zstd beside gzip

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
)

// timeoutHeader is how long Prometheus waits for a scrape, in seconds.
const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// maxTimeout bounds what a client may ask for.
const maxTimeout = 2 * time.Minute

// metricsHandler serves one scrape per request.
type metricsHandler struct {
	scraper  *collector.Scraper
	always   []prometheus.Collector // what is in every scrape
	timeout  time.Duration
	margin   time.Duration
	inFlight chan struct{} // as many as may be served at once
	logger   log.Logger
}

func newMetricsHandler(c *config, host *source, s *collector.Scraper, logger log.Logger) *metricsHandler {
	return &metricsHandler{
		scraper:  s,
		always:   append(aboutProgram(host), s.RequestMetrics()...),
		timeout:  c.scrapeTimeout,
		margin:   c.timeoutMargin,
		inFlight: make(chan struct{}, c.maxRequests),
		logger:   logger,
	}
}

// aboutProgram are the metrics about the process, the build, the source and its
// workers.
func aboutProgram(host *source) []prometheus.Collector {
	stats := func(f func(wmiquery.PoolStats) int) func() float64 {
		return func() float64 { return float64(f(host.pool.Stats())) }
	}
	return []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		version.NewCollector(programName),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace:   collector.Namespace,
			Name:        "source_info",
			Help:        "Where the exporter reads: wmi is Hyper-V, simulator is a simulated host whose values are not real, replay is a captured host whose values do not change; always 1.",
			ConstLabels: prometheus.Labels{"source": host.name},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: collector.Namespace,
			Name:      "wmi_stuck_workers",
			Help:      "Workers whose call to the host has taken longer than --wmi.call-timeout and is not back.",
		}, stats(func(s wmiquery.PoolStats) int { return s.Stuck })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: collector.Namespace,
			Name:      "wmi_worker_restarts_total",
			Help:      "Workers started in place of stuck ones.",
		}, stats(func(s wmiquery.PoolStats) int { return s.Restarts })),
	}
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.inFlight <- struct{}{}:
		defer func() { <-h.inFlight }()
	default:
		http.Error(w, fmt.Sprintf("%d scrapes are under way, which is the limit", cap(h.inFlight)), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout(r.Header.Get(timeoutHeader), h.timeout, h.margin))
	defer cancel()
	selected, err := h.scraper.Select(ctx, r.URL.Query()["collect[]"]...)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	registry := prometheus.NewRegistry()
	for _, c := range append([]prometheus.Collector{selected}, h.always...) {
		registry.MustRegister(c)
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		ErrorLog:          promhttpLog{r.Context(), h.logger},
		ErrorHandling:     promhttp.ContinueOnError,
	}).ServeHTTP(w, r)
}

// scrapeTimeout is the time for a scrape: what the header says, or fallback when
// it says nothing sensible, less margin. A margin that would leave less than half
// is cut to half.
func scrapeTimeout(header string, fallback, margin time.Duration) time.Duration {
	timeout := fallback
	if s, err := strconv.ParseFloat(header, 64); err == nil && s > 0 && !math.IsInf(s, 0) {
		timeout = time.Duration(min(s, maxTimeout.Seconds()) * float64(time.Second))
	}
	return timeout - min(margin, timeout/2)
}

// promhttpLog is the log as promhttp wants it, for one request. That a client has
// left, which every metric then complains of, is no error.
type promhttpLog struct {
	ctx    context.Context //nolint:containedctx // promhttp's interface has no place for it
	logger log.Logger
}

func (l promhttpLog) Println(v ...any) {
	severity := level.Error
	if l.ctx.Err() != nil {
		severity = level.Debug
	}
	severity(l.logger).Log("msg", "metrics are incomplete or inconsistent", "err", fmt.Sprint(v...))
}
