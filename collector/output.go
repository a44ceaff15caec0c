package collector

import (
	"time"

	dto "github.com/prometheus/client_model/go"
)

// output contains the results of one collector in one scrape.
type output struct {
	samples  []sample
	warnings []warning
	kept     []sample // of an earlier scrape
	differs  bool     // whether a sample belongs to another series than the kept one
}

// warning is a message about a condition that is not a failure of the collector.
// It is logged when the condition appears, not in every scrape.
type warning struct {
	key     string // identifies the condition across scrapes
	message string // constant
	kv      []any  // keys and values of the log line, alternating
}

func (o *output) warn(key, message string, kv ...any) {
	o.warnings = append(o.warnings, warning{key, message, kv})
}

// add adds a sample with the labels l and more.
func (o *output) add(m *Metric, v float64, l labels, more ...*dto.LabelPair) {
	if i := len(o.samples); i < len(o.kept) && o.kept[i].isOf(m, l, more) {
		o.samples = append(o.samples, sample{m, o.kept[i].labels, v})
		return
	}
	o.differs = true
	for _, p := range more {
		l = l.with(p)
	}
	o.samples = append(o.samples, sample{m, l, v})
}

// sameSeries reports whether the samples are of the same series as the kept ones, in
// the same order.
func (o *output) sameSeries() bool { return !o.differs && len(o.samples) == len(o.kept) }

// addBool adds 1 for true, 0 for false and no sample for nil.
func (o *output) addBool(m *Metric, v *bool, l labels) {
	if v != nil {
		o.add(m, boolToFloat(*v), l)
	}
}

// addTimestamp adds a point in time in Unix seconds, and no sample if it is not
// known.
func (o *output) addTimestamp(m *Metric, t time.Time, known bool, l labels) {
	if known {
		o.add(m, unixSeconds(t), l)
	}
}

// addStates adds one series per known value of an enumeration: 1 for the current
// one, 0 for the others. If current is not a known value it gets a series, too.
func (o *output) addStates(m *Metric, set stateSet, current string, l labels) {
	found := false
	for _, p := range set {
		v := boolToFloat(*p.Value == current)
		found = found || v == 1
		o.add(m, v, l, p)
	}
	if !found && len(set) > 0 {
		o.add(m, 1, l, label(*set[0].Name, current))
	}
}

// addNumber adds a number, and no sample for nil.
func addNumber[N ~uint16 | ~uint32 | ~uint64](o *output, m *Metric, v *N, l labels) {
	if v != nil {
		o.add(m, float64(*v), l)
	}
}

// addDuration adds a duration in seconds, and no sample for nil.
func addDuration(o *output, m *Metric, d *time.Duration, l labels) {
	if d != nil {
		o.add(m, d.Seconds(), l)
	}
}

func boolToFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unixSeconds returns a point in time in seconds since 1970, as Prometheus
// represents it.
func unixSeconds(t time.Time) float64 {
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}
