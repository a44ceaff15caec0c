package collector

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The metrics of a scrape about the collectors.
var (
	collectorSuccess = gauge("collector_success",
		"1 if the collector read all its data in time, 0 if not, even if it exposes an earlier response in place of one "+
			"that is late; a class that this version of Windows does not have is not a failure.",
		"collector")
	collectorSupported = gauge("collector_supported",
		"0 if the collector reads a class that this version of Windows does not have, 1 otherwise.", "collector")
	collectorDuration = gauge("collector_duration_seconds",
		"Duration of the collector in this scrape.", "collector")
	snapshotTimestamp = gauge("snapshot_timestamp_seconds",
		"Time of the oldest response of the host in the data that the collector last exposed, by the host's clock.",
		"collector")
)

// ScrapeMetrics returns the metrics of a scrape about the collectors.
func ScrapeMetrics() []*Metric {
	return []*Metric{collectorSuccess, collectorSupported, collectorDuration, snapshotTimestamp}
}

// requestMetrics are the metrics about the requests to the host.
type requestMetrics struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newRequestMetrics() *requestMetrics {
	return &requestMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: Namespace,
			Name:      "wmi_requests_total",
			Help: "Reads of a WMI class and calls of a WMI method by result; timeout is counted when the response is " +
				"overdue, job when the method started a job instead of returning a result.",
		}, []string{"operation", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: Namespace,
			Name:      "wmi_request_duration_seconds",
			Help: "Duration of reads of a WMI class and of calls of a WMI method; a request whose response is overdue " +
				"counts with the time until then.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
	}
}

func (m *requestMetrics) observe(operation string, d time.Duration, err error) {
	m.count(operation, err)
	m.duration.WithLabelValues(operation).Observe(d.Seconds())
}

func (m *requestMetrics) count(operation string, err error) {
	m.total.WithLabelValues(operation, requestResult(err)).Inc()
}

// requestResult returns the value of the label result.
func requestResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, wmiquery.ErrTimeout):
		return "timeout"
	case errors.Is(err, wmiquery.ErrDenied):
		return "denied"
	case errors.Is(err, msvm.ErrJobStarted):
		return "job"
	}
	return "error"
}
