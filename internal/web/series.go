package web

import (
	"time"

	dto "github.com/prometheus/client_model/go"

	"hyperv_replica_exporter/collector"
)

// series are the series of gauges and counters by the name of the metric without its namespace.
type series map[string][]sample

// sample is a series with its value.
type sample struct {
	labels map[string]string
	value  float64
}

func newSeries(families []*dto.MetricFamily) series {
	s := series{}
	for _, f := range families {
		name, ok := trimNamespace(f.GetName())
		if !ok {
			continue
		}
		for _, m := range f.Metric {
			labels := make(map[string]string, len(m.Label))
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			switch {
			case m.Gauge != nil:
				s[name] = append(s[name], sample{labels, m.Gauge.GetValue()})
			case m.Counter != nil:
				s[name] = append(s[name], sample{labels, m.Counter.GetValue()})
			}
		}
	}
	return s
}

func trimNamespace(name string) (string, bool) {
	prefix := collector.Namespace + "_"
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return name, false
	}
	return name[len(prefix):], true
}

// byRelationship groups series by VM and relationship. Series without a relationship are those of the VM, with the
// relationship "".
func (s series) byRelationship() map[relationshipKey]series {
	groups := map[relationshipKey]series{}
	for name, samples := range s {
		for _, x := range samples {
			if x.labels["vm_id"] == "" {
				continue
			}
			key := relationshipKey{x.labels["vm_id"], x.labels["relationship"]}
			if groups[key] == nil {
				groups[key] = series{}
			}
			groups[key][name] = append(groups[key][name], x)
		}
	}
	return groups
}

type relationshipKey struct{ vmID, relationship string }

// number returns the value of the only series of a metric, nil if there is none.
func (s series) number(name string) *float64 {
	if samples := s[name]; len(samples) > 0 {
		return &samples[0].value
	}
	return nil
}

// is reports whether the only series of a metric is 1. It returns nil if there is none.
func (s series) is(name string) *bool {
	if v := s.number(name); v != nil {
		return new(*v == 1)
	}
	return nil
}

// duration returns a value in seconds, nil if there is none.
func (s series) duration(name string) *time.Duration {
	if v := s.number(name); v != nil {
		return new(time.Duration(*v * float64(time.Second)))
	}
	return nil
}

// timestamp returns a value in Unix seconds, the zero time if there is none.
func (s series) timestamp(name string) time.Time {
	if v := s.number(name); v != nil {
		return unix(*v)
	}
	return time.Time{}
}

func unix(seconds float64) time.Time {
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// current returns the value of a label in the series that is 1: the current one of a state set. It is empty if there
// is none.
func (s series) current(name, label string) string {
	for _, x := range s[name] {
		if x.value == 1 {
			return x.labels[label]
		}
	}
	return ""
}

// label returns the value of a label in the only series of a metric, "" if there is none.
func (s series) label(name, label string) string {
	if samples := s[name]; len(samples) > 0 {
		return samples[0].labels[label]
	}
	return ""
}
