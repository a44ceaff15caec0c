package admin

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the endpoint's figures about itself. They are for the listener of
// the metrics: who scrapes them need not have rights here.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	last     *prometheus.GaugeVec
	refused  prometheus.Counter
	jobs     *prometheus.Desc
	of       *jobs

	maintenance *prometheus.Desc
	calendar    *calendar
}

func newMetrics(namespace string, of *jobs, calendar *calendar) *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "admin_requests_total",
			Help: "Requests to the admin endpoint, by the method of Hyper-V that they are for, none for those that only look or were refused before, and by the HTTP status of the answer.",
		}, []string{"method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "admin_action_duration_seconds",
			Help:    "Time from the call to the end of its job, of the actions of the admin endpoint that have ended since the start.",
			Buckets: []float64{1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
		}, []string{"action", "state"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "admin_last_action_timestamp_seconds",
			Help: "When an action of the admin endpoint last ended; absent if none has since the start.",
		}, []string{"action"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "admin_confirmations_refused_total",
			Help: "Second steps that were refused: a wrong token, name or reason, or more to be lost than was accepted.",
		}),
		jobs: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "admin_jobs"),
			"Actions of the admin endpoint by state: queued and running are those that are now, the others those that ended since the start.",
			[]string{"state"}, nil),
		of: of,
		maintenance: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "maintenance_active"),
			"1 while maintenance is announced, of scope host for all of this host, and of scope vm for one VM; host is 0 while none is, a VM is not shown then.",
			[]string{"scope", "vm", "vm_id"}, nil),
		calendar: calendar,
	}
}

func (m *metrics) own() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.duration, m.last, m.refused}
}

// ended counts an action that has ended.
func (m *metrics) ended(r jobRecord) {
	m.duration.WithLabelValues(r.Action, string(r.State)).Observe(r.Ended.Sub(r.Created).Seconds())
	m.last.WithLabelValues(r.Action).Set(float64(r.Ended.UnixMilli()) / 1000)
}

// Describe is that of a prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.own() {
		c.Describe(ch)
	}
	ch <- m.jobs
	ch <- m.maintenance
}

// Collect is that of a prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.own() {
		c.Collect(ch)
	}
	counts := m.of.countAll()
	for _, s := range jobStates() {
		ch <- prometheus.MustNewConstMetric(m.jobs, prometheus.GaugeValue, float64(counts[s]), string(s))
	}
	m.calendar.collect(ch, m.maintenance)
}

// countAll counts the jobs by state.
func (j *jobs) countAll() map[jobState]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := map[jobState]int{}
	maps.Copy(counts, j.counts)
	for _, r := range j.active {
		if !r.State.ended() { // else it is among those
			counts[r.State]++
		}
	}
	return counts
}

// noteKey is the key of what a request turns out to be for.
type noteKey struct{}

// noted is what a request turns out to be for.
type noted struct{ method string }

// note tells for which method a request is.
func note(r *http.Request, method string) {
	if n, ok := r.Context().Value(noteKey{}).(*noted); ok {
		n.method = method
	}
}

func (m *metrics) count(n *noted, status int) {
	m.requests.WithLabelValues(n.method, strconv.Itoa(status)).Inc()
}
