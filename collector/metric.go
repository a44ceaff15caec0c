package collector

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Namespace is the prefix of all metrics of this exporter.
const Namespace = "hyperv_replica"

// Metric describes a metric that a collector exposes. Scrapes, the documentation
// and the tests use the same description.
type Metric struct {
	Name   string // including the prefix
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

// Desc returns the descriptor that the samples of the metric have.
func (m *Metric) Desc() *prometheus.Desc { return m.desc }

// sample is the value of one series in one scrape. It implements
// prometheus.Metric. Unlike the implementation in client_golang, which copies
// and sorts the labels of every series, samples share their labels.
type sample struct {
	metric *Metric
	labels labels
	value  float64
}

// Desc returns the descriptor of the metric.
func (s *sample) Desc() *prometheus.Desc { return s.metric.desc }

// Write writes the sample in the data model of the exposition.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.metric.Type == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// isOf reports whether the sample is one of the metric m with the labels l and more.
func (s *sample) isOf(m *Metric, l labels, more []*dto.LabelPair) bool {
	if s.metric != m || len(s.labels) != len(l)+len(more) {
		return false
	}
	if len(more) == 0 && len(l) > 0 && &s.labels[0] == &l[0] {
		return true
	}
	for _, p := range s.labels {
		switch {
		case len(l) > 0 && equalLabel(p, l[0]):
			l = l[1:]
		case !slices.ContainsFunc(more, func(q *dto.LabelPair) bool { return equalLabel(p, q) }):
			return false
		}
	}
	return len(l) == 0
}

func equalLabel(a, b *dto.LabelPair) bool {
	return a == b || *a.Name == *b.Name && *a.Value == *b.Value
}
