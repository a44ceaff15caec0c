//go:build linux

package main

import (
	"context"
	"errors"
	"slices"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/exporter"
)

// recordedScrapes is the number of scrapes whose values a recording has.
const recordedScrapes = 4

// recording contains the series of a host, with their values in consecutive scrapes.
type recording struct {
	families []*dto.MetricFamily
	metrics  []*dto.Metric // of all families, in order
	values   [][]float64   // by scrape, then as metrics
	scrape   int           // the next one
}

// recordSeries scrapes a host until it has the same series in several scrapes. It fails if they change too often.
func recordSeries(vms int) (*recording, error) {
	host, err := newMovingHost(vms)
	if err != nil {
		return nil, err
	}
	e, err := host.newExporter(host.Open)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	r := &recording{}
	for tries := 0; len(r.values) < recordedScrapes; tries++ {
		if tries == 10*recordedScrapes {
			return nil, errors.New("each scrape has other series")
		}
		host.step()
		families, err := gather(e)
		if err != nil {
			return nil, err
		}
		metrics := allMetrics(families)
		if len(metrics) != len(r.metrics) {
			*r = recording{families: families, metrics: metrics}
		}
		r.values = append(r.values, allValues(metrics))
	}
	return r, nil
}

// gather returns the families of a scrape. No later scrape changes them.
func gather(e *exporter.Embedded) ([]*dto.MetricFamily, error) {
	g, err := e.Gatherer(context.Background())
	if err != nil {
		return nil, err
	}
	families, _, err := g.Gather() // they stay valid, since the function that ends this is not called
	return families, err
}

func allMetrics(families []*dto.MetricFamily) []*dto.Metric {
	var all []*dto.Metric
	for _, f := range families {
		all = append(all, f.GetMetric()...)
	}
	return slices.Clip(all)
}

// allValues returns the values of gauges and counters, and 0 for others.
func allValues(metrics []*dto.Metric) []float64 {
	values := make([]float64, len(metrics))
	for i, m := range metrics {
		if p := valueOf(m); p != nil {
			values[i] = *p
		}
	}
	return values
}

// valueOf returns the value of a gauge or counter, nil for others.
func valueOf(m *dto.Metric) *float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.Value
	case m.Counter != nil:
		return m.Counter.Value
	}
	return nil
}

// next returns the values of the next scrape.
func (r *recording) next() []float64 {
	r.scrape++
	return r.values[r.scrape%len(r.values)]
}
