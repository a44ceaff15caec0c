//go:build prometheus && pictures

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
)

// history is what a Prometheus would have had it watched for hours: it is written
// into a real one, by its interface for remote writing.
type history struct {
	start, end time.Time
	step       time.Duration
	series     map[string]*pastSeries
}

type pastSeries struct {
	labels  map[string]string
	samples []pastSample
}

type pastSample struct {
	at    time.Time
	value float64
}

// stale is the value with which Prometheus says that a series has ended.
var stale = math.Float64frombits(0x7ff0000000000002)

func newHistory(start, end time.Time, step time.Duration) *history {
	return &history{start: start, end: end, step: step, series: map[string]*pastSeries{}}
}

// add adds a sample to the series of that key, whose labels are asked for once.
func (h *history) add(key string, labels func() map[string]string, at time.Time, value float64) {
	s := h.series[key]
	if s == nil {
		s = &pastSeries{labels: labels()}
		h.series[key] = s
	}
	if n := len(s.samples); n > 0 && at.Sub(s.samples[n-1].at) > h.step {
		s.samples = append(s.samples, pastSample{s.samples[n-1].at.Add(h.step), stale})
	}
	s.samples = append(s.samples, pastSample{at, value})
}

func (h *history) addLabelled(labels map[string]string, at time.Time, value float64) {
	h.add(fmt.Sprint(labels), func() map[string]string { return labels }, at, value)
}

// scrape adds what a target gives, and what Prometheus says of the scrape; no
// families are those of a target that is down.
func (h *history) scrape(job, instance string, at time.Time, took time.Duration, families []*dto.MetricFamily) {
	samples := 0
	add := func(name string, value float64, pairs []*dto.LabelPair, le string) {
		samples++
		key := instance + name + le
		for _, p := range pairs {
			key += "\xff" + p.GetName() + "\xff" + p.GetValue()
		}
		h.add(key, func() map[string]string {
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

// write sends all series to a Prometheus, hour by hour as it would have got them,
// and forgets them.
func (h *history) write(t *testing.T, api *promAPI) {
	t.Helper()
	all := slices.Collect(maps.Values(h.series))
	h.series = map[string]*pastSeries{}
	for _, s := range all {
		if last := s.samples[len(s.samples)-1].at; last.Before(h.end) {
			s.samples = append(s.samples, pastSample{last.Add(h.step), stale})
		}
	}
	for until := h.start; !until.After(h.end); {
		until = until.Add(time.Hour)
		for part := range slices.Chunk(all, 2000) {
			var body []byte
			for _, s := range part {
				n, _ := slices.BinarySearchFunc(s.samples, until, func(p pastSample, at time.Time) int { return p.at.Compare(at) })
				if n > 0 {
					body = protowire.AppendTag(body, 1, protowire.BytesType)
					body = protowire.AppendBytes(body, encodeSeries(s.labels, s.samples[:n]))
				}
				s.samples = s.samples[n:]
			}
			send(t, api, body)
		}
	}
}

// send sends a WriteRequest of the protocol.
func send(t *testing.T, api *promAPI, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.url+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "snappy")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("Prometheus does not take the history: %s: %s", resp.Status, text)
	}
}

// encodeSeries makes a TimeSeries of it: labels in order, then samples.
func encodeSeries(labels map[string]string, samples []pastSample) []byte {
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

// evaluate adds what the rules would have made of the history, each on top of those
// before it.
func (h *history) evaluate(t *testing.T, api *promAPI) {
	t.Helper()
	rules, _ := readRules(t)
	for _, r := range rules {
		for _, s := range h.query(t, api, r.Expr) {
			maps.Copy(s.labels, r.Labels)
			if r.Record != "" {
				s.labels["__name__"] = r.Record
				for _, p := range s.samples {
					h.addLabelled(s.labels, p.at, p.value)
				}
				continue
			}
			s.labels["alertname"] = r.Alert
			h.alert(t, r, s)
		}
		h.write(t, api)
	}
}

// alert adds an alert: pending while its condition has not lasted, firing then.
func (h *history) alert(t *testing.T, r rule, s *pastSeries) {
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

// query asks for the whole of the history.
func (h *history) query(t *testing.T, api *promAPI, expr string) []*pastSeries {
	t.Helper()
	resp, err := http.PostForm(api.url+"/api/v1/query_range", url.Values{
		"query": {expr}, "start": {fmt.Sprint(h.start.Unix())}, "end": {fmt.Sprint(h.end.Unix())}, "step": {fmt.Sprint(h.step.Seconds())},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != "" {
		t.Fatalf("%s\n%s", expr, answer.Error)
	}
	var all []*pastSeries
	for _, r := range answer.Data.Result {
		s := &pastSeries{labels: r.Metric}
		delete(s.labels, "__name__")
		for _, pair := range r.Values {
			value, err := strconv.ParseFloat(pair[1].(string), 64)
			if err != nil {
				t.Fatal(err)
			}
			s.samples = append(s.samples, pastSample{time.Unix(int64(pair[0].(float64)), 0), value})
		}
		all = append(all, s)
	}
	return all
}
