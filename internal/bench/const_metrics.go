//go:build linux

package main

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// constMetrics is a prometheus.Collector that creates the series of a recording as const metrics, as most exporters do.
type constMetrics struct {
	*recording
	series []constSeries
}

// constSeries is a series of which the value is missing.
type constSeries struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string
	index  int         // in the metrics of the recording
	other  *dto.Metric // not nil if it is neither a gauge nor a counter
}

func newConstMetrics(r *recording) *constMetrics {
	c := &constMetrics{recording: r}
	for _, f := range r.families {
		var desc *prometheus.Desc
		for _, m := range f.GetMetric() {
			var names, values []string
			for _, l := range m.GetLabel() {
				names, values = append(names, l.GetName()), append(values, l.GetValue())
			}
			if desc == nil {
				desc = prometheus.NewDesc(f.GetName(), f.GetHelp(), names, nil)
			}
			s := constSeries{desc: desc, kind: prometheus.GaugeValue, labels: values, index: len(c.series)}
			switch {
			case valueOf(m) == nil:
				s.other = m
			case m.Counter != nil:
				s.kind = prometheus.CounterValue
			}
			c.series = append(c.series, s)
		}
	}
	// Exporters create the series of one VM after those of another. Its GUID is the last label.
	vm := func(s constSeries) string { return strings.Join(s.labels[max(0, len(s.labels)-1):], "") }
	slices.SortStableFunc(c.series, func(a, b constSeries) int { return strings.Compare(vm(a), vm(b)) })
	return c
}

// Describe sends no descriptors: as with most exporters, the series are known when they are collected.
func (*constMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect sends the series of one scrape.
func (c *constMetrics) Collect(ch chan<- prometheus.Metric) {
	values := c.next()
	for _, s := range c.series {
		if s.other != nil {
			ch <- otherMetric{s.desc, s.other}
			continue
		}
		ch <- prometheus.MustNewConstMetric(s.desc, s.kind, values[s.index], s.labels...)
	}
}

// otherMetric is a histogram or a summary with a value that does not change.
type otherMetric struct {
	desc  *prometheus.Desc
	value *dto.Metric
}

func (m otherMetric) Desc() *prometheus.Desc { return m.desc }

func (m otherMetric) Write(dst *dto.Metric) error {
	dst.Label, dst.Histogram, dst.Summary = m.value.Label, m.value.Histogram, m.value.Summary
	return nil
}
