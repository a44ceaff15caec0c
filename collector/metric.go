package collector

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Namespace is the prefix of every metric of this exporter.
const Namespace = "hyperv_replica"

// A Metric is one metric that a collector can give: what a scrape, the
// documentation and the tests all range over.
type Metric struct {
	Name   string // with the prefix
	Help   string
	Type   dto.MetricType // gauge or counter
	Labels []string

	desc *prometheus.Desc
}

func gauge(name, help string, labels ...string) *Metric {
	return newMetric(dto.MetricType_GAUGE, name, help, labels)
}

func counter(name, help string, labels ...string) *Metric {
	return newMetric(dto.MetricType_COUNTER, name, help, labels)
}

func newMetric(t dto.MetricType, name, help string, labels []string) *Metric {
	name = prometheus.BuildFQName(Namespace, "", name)
	return &Metric{Name: name, Help: help, Type: t, Labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
}

// Desc is what the metric's samples call theirs.
func (m *Metric) Desc() *prometheus.Desc { return m.desc }

// labels are a series' labels, sorted by name as the exposition wants them.
// They are shared between series and never changed.
type labels []*dto.LabelPair

// label makes a pair. What is no UTF-8 cannot be a label value.
func label(name, value string) *dto.LabelPair {
	value = strings.ToValidUTF8(value, "\uFFFD")
	return &dto.LabelPair{Name: &name, Value: &value}
}

// with returns the labels and one more.
func (l labels) with(p *dto.LabelPair) labels {
	out := make(labels, 0, len(l)+1)
	i := 0
	for ; i < len(l) && *l[i].Name < *p.Name; i++ {
		out = append(out, l[i])
	}
	out = append(out, p)
	return append(out, l[i:]...)
}

// newLabels makes labels of names and values in turn.
func newLabels(namesAndValues ...string) labels {
	var out labels
	for pair := range slices.Chunk(namesAndValues, 2) {
		out = out.with(label(pair[0], pair[1]))
	}
	return out
}

// sample is one value of one series. It is the prometheus.Metric that the
// registry gets: unlike those of client_golang, which copy and sort the labels
// of each, it shares them.
type sample struct {
	metric *Metric
	labels labels
	value  float64
}

// Desc is the descriptor of the sample's metric.
func (s *sample) Desc() *prometheus.Desc { return s.metric.desc }

// Write fills in the exposition's form.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.metric.Type == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// output is what one collector gives in one scrape.
type output struct {
	samples []sample
	notes   []note
}

// note is something that people should know and that is no failure: it goes to
// the log when it is new.
type note struct {
	key  string // what makes it the same note as before
	text string // constant
	kv   []any
}

func (o *output) note(key, text string, kv ...any) {
	o.notes = append(o.notes, note{key, text, kv})
}

func (o *output) add(m *Metric, v float64, l labels) {
	o.samples = append(o.samples, sample{m, l, v})
}

// flag adds 1 for true, 0 for false and nothing for null.
func (o *output) flag(m *Metric, v *bool, l labels) {
	if v == nil {
		return
	}
	o.add(m, boolean(*v), l)
}

// timestamp adds a point in time that the host knows.
func (o *output) timestamp(m *Metric, t time.Time, known bool, l labels) {
	if known {
		o.add(m, unix(t), l)
	}
}

// states adds one series per known name, 1 for the current and 0 for the
// others. A current that is none of them gets a series, too.
func (o *output) states(m *Metric, set stateSet, current string, l labels) {
	found := false
	for _, p := range set {
		v := boolean(*p.Value == current)
		found = found || v == 1
		o.add(m, v, l.with(p))
	}
	if !found && len(set) > 0 {
		o.add(m, 1, l.with(label(*set[0].Name, current)))
	}
}

// stateSet is the label of an enumeration: a pair for each known value.
type stateSet []*dto.LabelPair

func newStateSet(name string, values []string) stateSet {
	var set stateSet
	for _, v := range values {
		set = append(set, label(name, v))
	}
	return set
}

// addNumber adds a number, and nothing for null.
func addNumber[N ~uint16 | ~uint32 | ~uint64](o *output, m *Metric, v *N, l labels) {
	if v != nil {
		o.add(m, float64(*v), l)
	}
}

// addDuration adds a duration in seconds, and nothing for null.
func addDuration(o *output, m *Metric, d *time.Duration, l labels) {
	if d != nil {
		o.add(m, d.Seconds(), l)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unix is a point in time as Prometheus counts it.
func unix(t time.Time) float64 {
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}
