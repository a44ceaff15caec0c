package collector

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/internal/textformat"
)

// exposition contains the series of a scrape. It is kept for a later scrape, which
// mostly has the same series with other values. One scrape uses it at a time.
type exposition struct {
	series map[string]*keptSeries // by collector; those about the collectors themselves have no name
}

// of returns the series of a collector.
func (e *exposition) of(collector string) *keptSeries {
	k := e.series[collector]
	if k == nil {
		k = &keptSeries{}
		e.series[collector] = k
	}
	return k
}

// keptSeries are the series of one collector, checked and sorted.
type keptSeries struct {
	samples  []sample
	spare    []sample                                 // to be used for the samples of the next scrape
	families []*dto.MetricFamily                      // their values are those of samples
	texts    map[*dto.MetricFamily]*textformat.Family // of the families that have been written
	err      error
}

// newOutput returns the output for the next scrape.
func (k *keptSeries) newOutput() *output {
	return &output{kept: k.samples, samples: k.spare[:0]}
}

// update replaces the samples by those of out. Only if the series are not the same
// are they checked and sorted, by a registry.
func (k *keptSeries) update(out *output, metrics []*Metric) {
	if out.sameSeries() {
		for i := range out.samples {
			k.samples[i].value = out.samples[i].value
		}
		k.spare = out.samples
		return
	}
	k.samples, k.spare, k.families = out.samples, nil, nil
	k.texts = map[*dto.MetricFamily]*textformat.Family{}
	registry := prometheus.NewPedanticRegistry()
	k.err = registry.Register(unchecked{metrics, k.samples})
	if k.err == nil {
		k.families, k.err = registry.Gather()
	}
}

// text returns a family of these series as it is written, nil if it is not one of
// them.
func (k *keptSeries) text(f *dto.MetricFamily) *textformat.Family {
	t := k.texts[f]
	if t == nil && slices.Contains(k.families, f) {
		var err error
		if t, err = textformat.NewFamily(f); err != nil {
			return nil
		}
		k.texts[f] = t
	}
	return t
}

// unchecked contains the samples of a collector as a prometheus.Collector.
type unchecked struct {
	metrics []*Metric
	samples []sample
}

// Describe sends the descriptors of all metrics that the collector may expose.
func (u unchecked) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range u.metrics {
		ch <- m.desc
	}
}

// Collect sends the samples.
func (u unchecked) Collect(ch chan<- prometheus.Metric) {
	for i := range u.samples {
		ch <- &u.samples[i]
	}
}

// sortFamilies sorts metric families by name.
func sortFamilies(families []*dto.MetricFamily) {
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
}
