package collector

import "time"

// output contains the results of one collector in one scrape.
type output struct {
	samples  []sample
	warnings []warning
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

func (o *output) add(m *Metric, v float64, l labels) {
	o.samples = append(o.samples, sample{m, l, v})
}

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
		o.add(m, v, l.with(p))
	}
	if !found && len(set) > 0 {
		o.add(m, 1, l.with(label(*set[0].Name, current)))
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
