//go:build prometheus

package promtest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Prometheus is a running Prometheus server.
type Prometheus struct {
	URL string
	API v1.API
}

// Series is a series in the result of a query.
type Series struct {
	Labels map[string]string
	Value  model.SampleValue // never NaN
}

// StartPrometheus starts a server that scrapes target, a host and port, every second until the test ends.
func StartPrometheus(t testing.TB, target string) *Prometheus {
	t.Helper()
	return Current.Start(t, fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: hyperv_replica
  static_configs: [{targets: [%q]}]
`, target))
}

// Await repeats an instant query until its result is not empty.
func (p *Prometheus) Await(t testing.TB, query string) {
	t.Helper()
	Await(t, "result of "+query, func() bool {
		result, err := p.QueryInstant(query)
		return err == nil && len(result) > 0
	})
}

// Query returns the result of an instant query. If the query fails, it marks the test as failed and returns nil.
func (p *Prometheus) Query(t testing.TB, query string) []Series {
	t.Helper()
	result, err := p.QueryInstant(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return result
}

// QueryInstant returns the result of an instant query. Annotations of the result, which are warnings and infos, are
// errors.
func (p *Prometheus) QueryInstant(query string) ([]Series, error) {
	value, warnings, infos, err := p.API.Query(context.Background(), query, time.Time{})
	return parseResult(value, warnings, infos, err)
}

// QueryLastMinute runs a range query over the last minute and returns the last value of each series. Annotations are
// errors, as with QueryInstant.
func (p *Prometheus) QueryLastMinute(query string) ([]Series, error) {
	now := time.Now()
	value, warnings, infos, err := p.API.QueryRange(context.Background(), query,
		v1.Range{Start: now.Add(-time.Minute), End: now, Step: 2 * time.Second})
	return parseResult(value, warnings, infos, err)
}

// parseResult returns the series of a result that have a value other than NaN.
func parseResult(value model.Value, warnings v1.Warnings, infos v1.Infos, err error) ([]Series, error) {
	if err != nil {
		return nil, err
	}
	if annotations := slices.Concat(warnings, v1.Warnings(infos)); len(annotations) > 0 {
		return nil, fmt.Errorf("query result has annotations: %q", annotations)
	}
	var out []Series
	add := func(metric model.Metric, values ...model.SampleValue) {
		values = slices.DeleteFunc(values, func(v model.SampleValue) bool { return math.IsNaN(float64(v)) })
		if len(values) == 0 {
			return
		}
		s := Series{Labels: map[string]string{}, Value: values[len(values)-1]}
		for name, v := range metric {
			s.Labels[string(name)] = string(v)
		}
		out = append(out, s)
	}
	switch v := value.(type) {
	case model.Vector:
		for _, s := range v {
			add(s.Metric, s.Value)
		}
	case model.Matrix:
		for _, s := range v {
			var values []model.SampleValue
			for _, p := range s.Values {
				values = append(values, p.Value)
			}
			add(s.Metric, values...)
		}
	default:
		return nil, fmt.Errorf("query result has type %T, want a vector or a matrix", value)
	}
	return out, nil
}
