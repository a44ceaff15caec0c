package exporter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/textformat"
	"hyperv_replica_exporter/wmiquery"
)

// timeoutHeader is the header in which Prometheus sends its scrape timeout, in seconds.
const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// maxScrapeTimeout limits the timeout that a client may request.
const maxScrapeTimeout = 2 * time.Minute

// metricsHandler serves the metrics, one scrape per request.
type metricsHandler struct {
	scraper  *collector.Scraper
	always   *prometheus.Registry // part of every scrape, whatever collect[] selects
	timeout  time.Duration        // of a scrape without timeoutHeader
	margin   time.Duration        // subtracted from the timeout
	inFlight chan struct{}        // holds one element per running scrape
	logger   log.Logger
}

func newMetricsHandler(c *config, host *source, logger log.Logger) *metricsHandler {
	s := collector.NewScraper(collector.Options{
		Reader:        host.pool,
		Logger:        logger,
		Objectives:    func() []collector.Objective { return c.effective.Load().objectives },
		OmitIssueText: !c.issueText,
		CallTimeout:   c.callTimeout,
		MaxAge:        c.maxAge,
	}, func(name string) bool { return *c.effective.Load().collectors[name] })
	always := prometheus.NewRegistry()
	for _, c := range append(processCollectors(host), s.RequestMetrics()...) {
		always.MustRegister(c)
	}
	return &metricsHandler{
		scraper:  s,
		always:   always,
		timeout:  c.scrapeTimeout,
		margin:   c.timeoutMargin,
		inFlight: make(chan struct{}, c.maxRequests),
		logger:   logger,
	}
}

// processCollectors returns the collectors of the process, the build, the source and its workers.
func processCollectors(host *source) []prometheus.Collector {
	stats := func(f func(wmiquery.PoolStats) int) func() float64 {
		return func() float64 { return float64(f(host.pool.Stats())) }
	}
	return []prometheus.Collector{
		// In OpenMetrics go_memstats_alloc_bytes and go_memstats_alloc_bytes_total are the same family, which parsers reject.
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		version.NewCollector(Name),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: collector.Namespace,
			Name:      "source_info",
			Help: "Source of the values: wmi is Hyper-V, simulator is a simulated host (not real), " +
				"replay is a captured host (not live). The value is always 1.",
			ConstLabels: prometheus.Labels{"source": host.name},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: collector.Namespace,
			Name:      "wmi_stuck_workers",
			Help:      "Workers whose call to the host has been running for longer than --wmi.call-timeout.",
		}, stats(func(s wmiquery.PoolStats) int { return s.Stuck })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: collector.Namespace,
			Name:      "wmi_worker_restarts_total",
			Help:      "Workers started to replace stuck ones.",
		}, stats(func(s wmiquery.PoolStats) int { return s.Restarts })),
	}
}

// compressionLevel is that of gzip: higher ones take more time than the rest of a scrape.
const compressionLevel = 2

// newMetricsServer returns a handler that serves the metrics compressed, and does not let slow clients hold up others.
func newMetricsServer(metrics *metricsHandler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(compressionLevel), gzhttp.EnableZstd(true))
	if err != nil {
		return nil, err
	}
	return newBufferedHandler(wrap(metrics)), nil
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.inFlight <- struct{}{}:
		defer func() { <-h.inFlight }()
	default:
		text := fmt.Sprintf("Limit of %d concurrent scrapes reached, try again later.", cap(h.inFlight))
		http.Error(w, text, http.StatusServiceUnavailable)
		return
	}
	timeout := scrapeTimeout(r.Header.Get(timeoutHeader), h.timeout, h.margin)
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	g, err := h.gatherer(ctx, r.URL.Query()["collect[]"]...)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	if !r.URL.Query().Has("name[]") && textformat.Supports(format) {
		h.writeText(w, r, g, format)
		return
	}
	promhttp.HandlerForTransactional(g, promhttp.HandlerOpts{
		EnableOpenMetrics:  true,
		DisableCompression: true,
		ErrorLog:           promhttpLogger{r.Context(), h.logger},
		ErrorHandling:      promhttp.ContinueOnError,
	}).ServeHTTP(w, r)
}

// writeText responds as promhttp does, in a text format.
func (h *metricsHandler) writeText(w http.ResponseWriter, r *http.Request, g *gatherer, format expfmt.Format) {
	families, done, err := g.Gather()
	defer done()
	w.Header().Add("Vary", "Accept")
	w.Header().Set("Content-Type", string(format))
	if err := errors.Join(err, g.write(w, families, format)); err != nil {
		promhttpLogger{r.Context(), h.logger}.Println(err)
	}
}

// gatherer returns a gatherer that scrapes the named collectors, all enabled ones if there are no names, until ctx is
// done.
func (h *metricsHandler) gatherer(ctx context.Context, names ...string) (*gatherer, error) {
	scrape, err := h.scraper.Select(ctx, names...)
	if err != nil {
		return nil, err
	}
	return &gatherer{scrape, h.always}, nil
}

// gatherer gathers the metrics of a scrape and those of the process.
type gatherer struct {
	scrape *collector.Scrape
	always *prometheus.Registry
}

// Gather returns the metric families of both, sorted by name. They have no family in common.
func (g *gatherer) Gather() ([]*dto.MetricFamily, func(), error) {
	families, done, err := g.scrape.Gather()
	more, alwaysErr := g.always.Gather()
	families = append(families, more...)
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, done, errors.Join(err, alwaysErr)
}

// write writes what Gather has returned, without the cost of expfmt where lines are kept.
func (g *gatherer) write(w io.Writer, families []*dto.MetricFamily, format expfmt.Format) error {
	var errs []error
	buffered := bufio.NewWriterSize(w, 64<<10)
	encoder := expfmt.NewEncoder(buffered, format)
	for _, f := range families {
		if text := g.scrape.Text(f); text != nil {
			text.Write(buffered, format.FormatType() == expfmt.TypeOpenMetrics)
		} else {
			errs = append(errs, encoder.Encode(f))
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		errs = append(errs, closer.Close())
	}
	return errors.Join(append(errs, buffered.Flush())...)
}

// scrapeTimeout returns the time for a scrape: the value of timeoutHeader, or fallback if that is not a positive
// number, less margin. A margin that would leave less than half of the time is reduced to half.
func scrapeTimeout(header string, fallback, margin time.Duration) time.Duration {
	timeout := fallback
	if s, err := strconv.ParseFloat(header, 64); err == nil && s > 0 && !math.IsInf(s, 0) {
		timeout = time.Duration(min(s, maxScrapeTimeout.Seconds()) * float64(time.Second))
	}
	return timeout - min(margin, timeout/2)
}

// promhttpLogger implements promhttp.Logger for one request. A client that has disconnected makes every metric fail,
// which is not an error of the exporter.
type promhttpLogger struct {
	ctx    context.Context //nolint:containedctx // promhttp.Logger passes no context
	logger log.Logger
}

func (l promhttpLogger) Println(v ...any) {
	severity := level.Error
	if l.ctx.Err() != nil {
		severity = level.Debug
	}
	severity(l.logger).Log("msg", "metrics are incomplete or inconsistent", "err", fmt.Sprint(v...))
}
