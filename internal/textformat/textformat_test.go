package textformat_test

import (
	"bufio"
	"bytes"
	"math"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"hyperv_replica_exporter/internal/textformat"
)

// newFamily returns a family with a series for each value.
func newFamily(kind dto.MetricType, name, help, label string, values ...float64) *dto.MetricFamily {
	f := &dto.MetricFamily{Name: &name, Help: &help, Type: &kind}
	for i := range values {
		m := &dto.Metric{}
		if i > 0 {
			m.Label = []*dto.LabelPair{{Name: new("a"), Value: &label}, {Name: new("b"), Value: new(string(rune('a' + i)))}}
		}
		if kind == dto.MetricType_COUNTER {
			m.Counter = &dto.Counter{Value: &values[i]}
		} else {
			m.Gauge = &dto.Gauge{Value: &values[i]}
		}
		f.Metric = append(f.Metric, m)
	}
	return f
}

// checkFamily compares a family with what expfmt writes, before and after its values have changed.
func checkFamily(t *testing.T, f *dto.MetricFamily, next float64) {
	t.Helper()
	family, err := textformat.NewFamily(f)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, openMetrics := range []bool{false, true} {
			var got, want bytes.Buffer
			w := bufio.NewWriterSize(&got, 16)
			family.Write(w, openMetrics)
			w.Flush()
			if openMetrics {
				_, err = expfmt.MetricFamilyToOpenMetrics(&want, f)
			} else {
				_, err = expfmt.MetricFamilyToText(&want, f)
			}
			if err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("OpenMetrics %v: %q, want %q, %v", openMetrics, &got, &want, err)
			}
		}
		for _, m := range f.GetMetric() {
			if m.Gauge != nil {
				*m.Gauge.Value = next
			} else {
				*m.Counter.Value = next
			}
		}
	}
}

func FuzzFamily(f *testing.F) {
	for _, v := range []float64{
		0, math.Copysign(0, -1), 1, -1, 1.5, 1e21, 1e-7, 123456789, math.NaN(), math.Inf(1), math.Inf(-1),
		math.MaxFloat64, math.SmallestNonzeroFloat64,
	} {
		f.Add("Help.", `C:\dir "quoted"`+"\nnext", v, 2.0)
	}
	f.Add("Help\nwith \\ and \xff.", "ümlaut \xff # ", 3.0, math.NaN())
	f.Fuzz(func(t *testing.T, help, label string, first, next float64) {
		checkFamily(t, newFamily(dto.MetricType_GAUGE, "size_bytes", help, label, first, next, 7), next)
		checkFamily(t, newFamily(dto.MetricType_COUNTER, "reads_total", help, label, first, next, 7), next)
	})
}

// What has no line with a single value is refused.
func TestFamilyOfOtherMetricsIsRefused(t *testing.T) {
	timestamp := newFamily(dto.MetricType_GAUGE, "up", "Help.", "x", 1)
	timestamp.Metric[0].TimestampMs = new(int64(5))
	exemplar := newFamily(dto.MetricType_COUNTER, "reads_total", "Help.", "x", 1)
	exemplar.Metric[0].Counter.Exemplar = &dto.Exemplar{Value: new(1.0)}
	summary := newFamily(dto.MetricType_SUMMARY, "seconds", "Help.", "x")
	summary.Metric = []*dto.Metric{{Summary: &dto.Summary{SampleCount: new(uint64(1)), SampleSum: new(1.0)}}}
	for _, f := range []*dto.MetricFamily{timestamp, exemplar, summary} {
		if _, err := textformat.NewFamily(f); err == nil {
			t.Errorf("%v: accepted", f)
		}
	}
}
