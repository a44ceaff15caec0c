//go:build prometheus && pictures

package promtest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
)

// History holds the samples that a Prometheus server would have after scraping for some hours. It writes them to a
// server with the remote write protocol.
type History struct {
	start, end time.Time
	step       time.Duration
	series     map[string]*historySeries
}

type historySeries struct {
	labels  map[string]string
	samples []historySample
}

type historySample struct {
	at    time.Time
	value float64
}

// staleMarker is the value with which Prometheus marks the end of a series.
var staleMarker = math.Float64frombits(0x7ff0000000000002)

// NewHistory returns an empty history of the time from start to end, with a sample of each series every step.
func NewHistory(start, end time.Time, step time.Duration) *History {
	return &History{start: start, end: end, step: step, series: map[string]*historySeries{}}
}

// add adds a sample to the series with the given key. It calls newLabels for the first sample of a series only.
func (h *History) add(key string, newLabels func() map[string]string, at time.Time, value float64) {
	s := h.series[key]
	if s == nil {
		s = &historySeries{labels: newLabels()}
		h.series[key] = s
	}
	if n := len(s.samples); n > 0 && at.Sub(s.samples[n-1].at) > h.step {
		s.samples = append(s.samples, historySample{s.samples[n-1].at.Add(h.step), staleMarker})
	}
	s.samples = append(s.samples, historySample{at, value})
}

// addSample adds a sample to the series with the given labels.
func (h *History) addSample(labels map[string]string, at time.Time, value float64) {
	h.add(fmt.Sprint(labels), func() map[string]string { return labels }, at, value)
}

// AddScrape adds the samples of a scrape, and those that Prometheus generates for each scrape. Without families, the
// target is down.
func (h *History) AddScrape(job, instance string, at time.Time, duration time.Duration, families []*dto.MetricFamily) {
	samples := 0
	add := func(name string, value float64, pairs []*dto.LabelPair, le string) {
		samples++
		key := []string{instance, name, le}
		for _, p := range pairs {
			key = append(key, p.GetName(), p.GetValue())
		}
		h.add(strings.Join(key, "\xff"), func() map[string]string {
			labels := map[string]string{"__name__": name, "job": job, "instance": instance}
			if le != "" {
				labels["le"] = le
			}
			for _, p := range pairs {
				labels[p.GetName()] = p.GetValue()
			}
			return labels
		}, at, value)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				add(name, m.GetCounter().GetValue(), m.Label, "")
			case dto.MetricType_GAUGE:
				add(name, m.GetGauge().GetValue(), m.Label, "")
			case dto.MetricType_HISTOGRAM:
				count := m.GetHistogram().GetSampleCount()
				add(name+"_count", float64(count), m.Label, "")
				add(name+"_sum", m.GetHistogram().GetSampleSum(), m.Label, "")
				add(name+"_bucket", float64(count), m.Label, "+Inf")
				for _, b := range m.GetHistogram().Bucket {
					le := strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)
					add(name+"_bucket", float64(b.GetCumulativeCount()), m.Label, le)
				}
			}
		}
	}
	add("scrape_samples_scraped", float64(samples), nil, "")
	add("scrape_duration_seconds", duration.Seconds(), nil, "")
	add("up", float64(min(1, samples)), nil, "")
}

// Write sends all samples to a Prometheus server, hour by hour, and removes them from the history.
func (h *History) Write(t testing.TB, p *Prometheus) {
	t.Helper()
	all := slices.Collect(maps.Values(h.series))
	h.series = map[string]*historySeries{}
	for _, s := range all {
		if last := s.samples[len(s.samples)-1].at; last.Before(h.end) {
			s.samples = append(s.samples, historySample{last.Add(h.step), staleMarker})
		}
	}
	for until := h.start; !until.After(h.end); {
		until = until.Add(time.Hour)
		for chunk := range slices.Chunk(all, 2000) {
			var body []byte
			for _, s := range chunk {
				n, _ := slices.BinarySearchFunc(s.samples, until, func(p historySample, at time.Time) int {
					return p.at.Compare(at)
				})
				if n > 0 {
					body = protowire.AppendTag(body, 1, protowire.BytesType)
					body = protowire.AppendBytes(body, encodeSeries(s.labels, s.samples[:n]))
				}
				s.samples = s.samples[n:]
			}
			remoteWrite(t, p, body)
		}
	}
}

// remoteWrite sends a WriteRequest of the remote write protocol.
func remoteWrite(t testing.TB, p *Prometheus, body []byte) {
	t.Helper()
	compressed := bytes.NewReader(snappy.Encode(nil, body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/api/v1/write", compressed)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "snappy")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("remote write: %s: %s", resp.Status, text)
	}
}

// encodeSeries returns a TimeSeries of the remote write protocol: the labels, sorted by name, and then the samples.
func encodeSeries(labels map[string]string, samples []historySample) []byte {
	var out, message []byte
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		message = protowire.AppendTag(message[:0], 1, protowire.BytesType)
		message = protowire.AppendString(message, name)
		message = protowire.AppendTag(message, 2, protowire.BytesType)
		message = protowire.AppendString(message, labels[name])
		out = protowire.AppendTag(out, 1, protowire.BytesType)
		out = protowire.AppendBytes(out, message)
	}
	for _, s := range samples {
		message = protowire.AppendTag(message[:0], 1, protowire.Fixed64Type)
		message = protowire.AppendFixed64(message, math.Float64bits(s.value))
		message = protowire.AppendTag(message, 2, protowire.VarintType)
		message = protowire.AppendVarint(message, uint64(s.at.UnixMilli()))
		out = protowire.AppendTag(out, 2, protowire.BytesType)
		out = protowire.AppendBytes(out, message)
	}
	return out
}

// EvaluateRules evaluates rules over the time of the history, writes the results to the server, and removes them from
// the history. Each rule sees the results of the rules before it.
func (h *History) EvaluateRules(t testing.TB, p *Prometheus, rules []Rule) {
	t.Helper()
	for _, r := range rules {
		for _, s := range h.queryRange(t, p, r.Expr) {
			maps.Copy(s.labels, r.Labels)
			if r.Record != "" {
				s.labels["__name__"] = r.Record
				for _, sample := range s.samples {
					h.addSample(s.labels, sample.at, sample.value)
				}
				continue
			}
			s.labels["alertname"] = r.Alert
			h.addAlert(t, r, s)
		}
		h.Write(t, p)
	}
}

// addAlert adds the samples of the ALERTS series of an alert. The alert is pending until its condition s has been true
// for the duration of the rule, and firing from then on.
func (h *History) addAlert(t testing.TB, r Rule, s *historySeries) {
	t.Helper()
	holdDuration, err := model.ParseDuration(r.For)
	if err != nil {
		t.Fatal(err)
	}
	var activeAt, last time.Time
	for _, p := range s.samples {
		if p.at.Sub(last) > h.step {
			activeAt = p.at
		}
		last = p.at
		labels := maps.Clone(s.labels)
		labels["__name__"], labels["alertstate"] = "ALERTS", "pending"
		if p.at.Sub(activeAt) >= time.Duration(holdDuration) {
			labels["alertstate"] = "firing"
		}
		h.addSample(labels, p.at, 1)
	}
}

// queryRange returns the result of a range query over the time of the history.
func (h *History) queryRange(t testing.TB, p *Prometheus, expr string) []*historySeries {
	t.Helper()
	value, _, _, err := p.API.QueryRange(t.Context(), expr, v1.Range{Start: h.start, End: h.end, Step: h.step})
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var all []*historySeries
	for _, stream := range value.(model.Matrix) {
		s := &historySeries{labels: map[string]string{}}
		for name, value := range stream.Metric {
			if name != model.MetricNameLabel {
				s.labels[string(name)] = string(value)
			}
		}
		for _, pair := range stream.Values {
			s.samples = append(s.samples, historySample{pair.Timestamp.Time(), float64(pair.Value)})
		}
		all = append(all, s)
	}
	return all
}
