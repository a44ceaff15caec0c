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

// History holds the samples that Prometheus would have after scraping for some hours. It writes them into a real one
// with the remote write protocol.
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

// stale is Prometheus' staleness marker: the last value of a series that has ended.
var stale = math.Float64frombits(0x7ff0000000000002)

// NewHistory returns an empty history.
func NewHistory(start, end time.Time, step time.Duration) *History {
	return &History{start: start, end: end, step: step, series: map[string]*historySeries{}}
}

// add adds a sample to the series with the given key. It calls labels for the first sample of a series only.
func (h *History) add(key string, labels func() map[string]string, at time.Time, value float64) {
	s := h.series[key]
	if s == nil {
		s = &historySeries{labels: labels()}
		h.series[key] = s
	}
	if n := len(s.samples); n > 0 && at.Sub(s.samples[n-1].at) > h.step {
		s.samples = append(s.samples, historySample{s.samples[n-1].at.Add(h.step), stale})
	}
	s.samples = append(s.samples, historySample{at, value})
}

func (h *History) addLabelled(labels map[string]string, at time.Time, value float64) {
	h.add(fmt.Sprint(labels), func() map[string]string { return labels }, at, value)
}

// Scrape adds the samples of a scrape and those that Prometheus adds to each scrape. A target without families is down.
func (h *History) Scrape(job, instance string, at time.Time, took time.Duration, families []*dto.MetricFamily) {
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
					add(name+"_bucket", float64(b.GetCumulativeCount()), m.Label, strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64))
				}
			}
		}
	}
	add("scrape_samples_scraped", float64(samples), nil, "")
	add("scrape_duration_seconds", took.Seconds(), nil, "")
	add("up", float64(min(1, samples)), nil, "")
}

// Write sends all samples to Prometheus, hour by hour, and removes them from the history.
func (h *History) Write(t testing.TB, p *Prometheus) {
	t.Helper()
	all := slices.Collect(maps.Values(h.series))
	h.series = map[string]*historySeries{}
	for _, s := range all {
		if last := s.samples[len(s.samples)-1].at; last.Before(h.end) {
			s.samples = append(s.samples, historySample{last.Add(h.step), stale})
		}
	}
	for until := h.start; !until.After(h.end); {
		until = until.Add(time.Hour)
		for part := range slices.Chunk(all, 2000) {
			var body []byte
			for _, s := range part {
				n, _ := slices.BinarySearchFunc(s.samples, until, func(p historySample, at time.Time) int { return p.at.Compare(at) })
				if n > 0 {
					body = protowire.AppendTag(body, 1, protowire.BytesType)
					body = protowire.AppendBytes(body, encodeSeries(s.labels, s.samples[:n]))
				}
				s.samples = s.samples[n:]
			}
			send(t, p, body)
		}
	}
}

// send sends a WriteRequest of the remote write protocol.
func send(t testing.TB, p *Prometheus, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
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

// encodeSeries returns a TimeSeries of the remote write protocol: labels in order, then samples.
func encodeSeries(labels map[string]string, samples []historySample) []byte {
	var out, part []byte
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		part = protowire.AppendTag(part[:0], 1, protowire.BytesType)
		part = protowire.AppendString(part, name)
		part = protowire.AppendTag(part, 2, protowire.BytesType)
		part = protowire.AppendString(part, labels[name])
		out = protowire.AppendTag(out, 1, protowire.BytesType)
		out = protowire.AppendBytes(out, part)
	}
	for _, s := range samples {
		part = protowire.AppendTag(part[:0], 1, protowire.Fixed64Type)
		part = protowire.AppendFixed64(part, math.Float64bits(s.value))
		part = protowire.AppendTag(part, 2, protowire.VarintType)
		part = protowire.AppendVarint(part, uint64(s.at.UnixMilli()))
		out = protowire.AppendTag(out, 2, protowire.BytesType)
		out = protowire.AppendBytes(out, part)
	}
	return out
}

// Evaluate adds the results that the rules would have had, evaluating each on the results of those before it.
func (h *History) Evaluate(t testing.TB, p *Prometheus, rules []Rule) {
	t.Helper()
	for _, r := range rules {
		for _, s := range h.query(t, p, r.Expr) {
			maps.Copy(s.labels, r.Labels)
			if r.Record != "" {
				s.labels["__name__"] = r.Record
				for _, sample := range s.samples {
					h.addLabelled(s.labels, sample.at, sample.value)
				}
				continue
			}
			s.labels["alertname"] = r.Alert
			h.alert(t, r, s)
		}
		h.Write(t, p)
	}
}

// alert adds the samples of an alert: it is pending until its condition has been true for long enough, then firing.
func (h *History) alert(t testing.TB, r Rule, s *historySeries) {
	t.Helper()
	hold, err := model.ParseDuration(r.For)
	if err != nil {
		t.Fatal(err)
	}
	var since, last time.Time
	for _, p := range s.samples {
		if p.at.Sub(last) > h.step {
			since = p.at
		}
		last = p.at
		labels := maps.Clone(s.labels)
		labels["__name__"], labels["alertstate"] = "ALERTS", "pending"
		if p.at.Sub(since) >= time.Duration(hold) {
			labels["alertstate"] = "firing"
		}
		h.addLabelled(labels, p.at, 1)
	}
}

// query returns the result of a query over the whole time of the history.
func (h *History) query(t testing.TB, p *Prometheus, expr string) []*historySeries {
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
