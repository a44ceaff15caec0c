// Package textformat writes metric families in the text formats of Prometheus. It keeps their lines between scrapes:
// only the values are formatted again.
package textformat

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"mime"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// Supports reports whether this package writes a format: text, and OpenMetrics before 2.0.
func Supports(f expfmt.Format) bool {
	_, parameters, err := mime.ParseMediaType(string(f))
	switch f.FormatType() {
	case expfmt.TypeTextPlain:
		return true
	case expfmt.TypeOpenMetrics:
		return err == nil && !strings.HasPrefix(parameters["version"], "2.")
	}
	return false
}

// Family is a metric family of gauges or counters with its lines.
type Family struct {
	text        string // the HELP and TYPE lines
	openMetrics string
	lines       []line
}

// line is the line of a series.
type line struct {
	prefix string // name, labels and a space
	value  *float64
}

// NewFamily returns a metric family whose values are always those of f. It returns an error if f has another type, or
// timestamps or exemplars.
func NewFamily(f *dto.MetricFamily) (*Family, error) {
	var buf bytes.Buffer
	first := &dto.MetricFamily{
		Name: f.Name, Help: f.Help, Type: f.Type, Unit: f.Unit, Metric: f.Metric[:min(1, len(f.Metric))],
	}
	if _, err := expfmt.MetricFamilyToOpenMetrics(&buf, first); err != nil {
		return nil, err
	}
	openMetrics, _ := cutComments(buf.String())
	buf.Reset()
	if _, err := expfmt.MetricFamilyToText(&buf, f); err != nil {
		return nil, err
	}
	text, samples := cutComments(buf.String())
	out := &Family{text: text, openMetrics: openMetrics, lines: make([]line, len(f.GetMetric()))}
	for i, m := range f.GetMetric() {
		value, err := valueOf(m)
		if err != nil {
			return nil, fmt.Errorf("metric family %s: %w", f.GetName(), err)
		}
		var sample string
		sample, samples, _ = strings.Cut(samples, "\n")
		out.lines[i] = line{sample[:strings.LastIndexByte(sample, ' ')+1], value}
	}
	return out, nil
}

// cutComments returns the comments at the start of an exposition, and the rest.
func cutComments(exposition string) (comments, samples string) {
	samples = exposition
	for strings.HasPrefix(samples, "#") {
		_, samples, _ = strings.Cut(samples, "\n")
	}
	return exposition[:len(exposition)-len(samples)], samples
}

func valueOf(m *dto.Metric) (*float64, error) {
	switch {
	case m.TimestampMs != nil || m.Counter.GetExemplar() != nil:
		return nil, fmt.Errorf("metric %v has more than a value", m)
	case m.Gauge != nil:
		return m.Gauge.Value, nil
	case m.Counter != nil:
		return m.Counter.Value, nil
	}
	return nil, fmt.Errorf("metric %v is neither a gauge nor a counter", m)
}

// Write writes the family in the text format, or in that of OpenMetrics 1.0. An error is that of w, which returns it
// again when it is flushed.
func (f *Family) Write(w *bufio.Writer, openMetrics bool) {
	comments := f.text
	if openMetrics {
		comments = f.openMetrics
	}
	_, _ = w.WriteString(comments)
	for _, l := range f.lines {
		_, _ = w.WriteString(l.prefix)
		b := appendValue(w.AvailableBuffer(), *l.value, openMetrics)
		_, _ = w.Write(append(b, '\n'))
	}
}

// appendValue appends a value as expfmt writes it.
func appendValue(b []byte, v float64, openMetrics bool) []byte {
	if v == 0 {
		v = 0 // without the sign
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	if openMetrics && !math.IsNaN(v) && !math.IsInf(v, 0) && !bytes.ContainsAny(b[start:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}
