package collector

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// requests counts the questions to the host.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newRequests() *requests {
	return &requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: Namespace,
			Name:      "wmi_requests_total",
			Help:      "Reads of a class and calls of a method, by how they ended; timeout is counted when an answer is overdue, job when a job was started instead of an answer.",
		}, []string{"operation", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: Namespace,
			Name:      "wmi_request_duration_seconds",
			Help:      "How long reads of a class and calls of a method took, without the time after they were overdue.",
			Buckets:   []float64{.001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 30},
		}, []string{"operation"}),
	}
}

func (r *requests) observe(operation string, d time.Duration, err error) {
	r.total.WithLabelValues(operation, result(err)).Inc()
	r.duration.WithLabelValues(operation).Observe(d.Seconds())
}

func result(err error) string {
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
