package collector

import (
	"errors"
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
	metrics  []*Metric
	samples  []sample
	spare    []sample             // to be used for the samples of the next scrape
	families []*dto.MetricFamily  // their values are those of samples; nil if they have become texts
	texts    []*textformat.Family // the same; nil if they are not written as text
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
	*k = keptSeries{metrics: metrics, samples: out.samples}
	k.gather()
}

// gather checks and sorts the series.
func (k *keptSeries) gather() {
	registry := prometheus.NewPedanticRegistry()
	k.err = registry.Register(unchecked{k.metrics, k.samples})
	if k.err == nil {
		k.families, k.err = registry.Gather()
	}
}

// asFamilies returns the series as metric families.
func (k *keptSeries) asFamilies() []*dto.MetricFamily {
	if k.families == nil {
		k.gather()
	}
	return k.families
}

// asTexts returns the series as they are written in the text formats. The families,
// which take as much memory, are dropped when they have become texts: most servers
// never request another format.
func (k *keptSeries) asTexts() []*textformat.Family {
	if k.texts == nil {
		for _, f := range k.families {
			t, err := textformat.NewFamily(f)
			if err != nil {
				k.err = errors.Join(k.err, err)
				continue
			}
			k.texts = append(k.texts, t)
		}
		k.families = nil
	}
	return k.texts
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

// sortByName sorts metric families.
func sortByName[F any](families []F, name func(F) string) {
	slices.SortFunc(families, func(a, b F) int { return strings.Compare(name(a), name(b)) })
}
