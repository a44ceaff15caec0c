package admin

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
)

// metrics are the metrics of the endpoint. They are served by the listener of the exporter's metrics, so that a scrape
// needs no permissions on the endpoint.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	last     *prometheus.GaugeVec
	refused  prometheus.Counter

	jobsDesc        *prometheus.Desc
	jobs            *job.Tracker
	auditSizeDesc   *prometheus.Desc
	auditFreeDesc   *prometheus.Desc
	audit           *audit.Log
	maintenanceDesc *prometheus.Desc
	maintenance     *maintenanceStore
}

func newMetrics(namespace string, jobs *job.Tracker, log *audit.Log, maintenance *maintenanceStore) *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "admin_requests_total",
			Help: "Requests to the admin endpoint, by Hyper-V method and HTTP status. " +
				"The method is none for requests that only read or were rejected before it was known.",
		}, []string{"method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "admin_action_duration_seconds",
			Help: "Time from the start of an action of the admin endpoint to the end of its job. " +
				"An action during which the clock was set back is not counted.",
			Buckets: []float64{1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
		}, []string{"action", "state"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "admin_last_action_timestamp_seconds",
			Help: "Time of the last end of an action of the admin endpoint. " +
				"Absent if none has ended since the start of the exporter.",
		}, []string{"action"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "admin_confirmations_refused_total",
			Help: "Confirmations of destructive actions that were refused: " +
				"wrong token, name or reason, or a possible data loss above the accepted limit.",
		}),
		jobsDesc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "admin_jobs"),
			"Actions of the admin endpoint by state. queued and running are current numbers, "+
				"the other states count actions that ended since the start of the exporter.",
			[]string{"state"}, nil),
		jobs: jobs,
		auditSizeDesc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "admin_audit_log_size_bytes"),
			"Size of all files of the audit log of the admin endpoint.", nil, nil),
		auditFreeDesc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "admin_audit_log_volume_free_bytes"),
			"Free space that the exporter can use on the volume of the audit log. Without space, requests to the admin "+
				"endpoint are refused, except for some actions. Absent if it cannot be read.", nil, nil),
		audit: log,
		maintenanceDesc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "maintenance_active"),
			"Whether maintenance is active (1), by scope. Without maintenance the host has the value 0, and a VM has no series.",
			[]string{"scope", "vm", "vm_id"}, nil),
		maintenance: maintenance,
	}
}

// collectors returns the metrics that are collectors themselves.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.last, m.refused}
}

// jobEnded counts a job that has ended.
func (m *metrics) jobEnded(r job.Record) {
	if d := job.Elapsed(r.Created, *r.Ended); d != nil {
		m.duration.WithLabelValues(r.Action, string(r.State)).Observe(*d)
	}
	m.last.WithLabelValues(r.Action).Set(float64(r.Ended.UnixMilli()) / 1000)
}

// countRequest counts a request.
func (m *metrics) countRequest(info *requestInfo, status int) {
	m.requests.WithLabelValues(info.method, strconv.Itoa(status)).Inc()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
	ch <- m.jobsDesc
	ch <- m.auditSizeDesc
	ch <- m.auditFreeDesc
	ch <- m.maintenanceDesc
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	counts := m.jobs.CountByState()
	for _, state := range job.States() {
		ch <- prometheus.MustNewConstMetric(m.jobsDesc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
	ch <- prometheus.MustNewConstMetric(m.auditSizeDesc, prometheus.GaugeValue, float64(m.audit.Size()))
	if free, err := m.audit.Free(); err == nil {
		ch <- prometheus.MustNewConstMetric(m.auditFreeDesc, prometheus.GaugeValue, float64(free))
	}
	m.maintenance.collect(ch, m.maintenanceDesc)
}

// requestInfoKey is the context key of a *requestInfo.
type requestInfoKey struct{}

// requestInfo has the labels of a request.
type requestInfo struct{ method string }

// setMethodLabel sets the Hyper-V method of a request for the metric.
func setMethodLabel(r *http.Request, method string) {
	if info, ok := r.Context().Value(requestInfoKey{}).(*requestInfo); ok {
		info.method = method
	}
}
