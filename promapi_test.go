//go:build prometheus

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// promAPI is a running Prometheus.
type promAPI struct{ url string }

type promSeries struct {
	labels map[string]string
	value  string
}

func (s promSeries) parse(t *testing.T) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s.value, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// startPrometheus starts a server that scrapes target every second, until the
// test ends.
func startPrometheus(t *testing.T, target string) *promAPI {
	t.Helper()
	return startPrometheusWith(t, fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: hyperv_replica\n  static_configs: [{targets: [%q]}]\n", target))
}

func startPrometheusWith(t *testing.T, config string, flags ...string) *promAPI {
	t.Helper()
	address := freeAddress(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	runServer(t, "prometheus", append(flags, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")...)
	return &promAPI{"http://" + address}
}

// await repeats a query until it has a result.
func (p *promAPI) await(t *testing.T, query string) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(time.Minute)
	for {
		if result, err := p.ask(query); err == nil && len(result) > 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("no result in a minute: %s", query)
		}
	}
}

func (p *promAPI) query(t *testing.T, query string) []promSeries {
	t.Helper()
	result, err := p.ask(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return result
}

// ask gives what a query gives now. What Prometheus remarks on it is an error, too.
func (p *promAPI) ask(query string) ([]promSeries, error) {
	return p.fetch("query", url.Values{"query": {query}})
}

// askRange gives the last number of each series within a minute.
func (p *promAPI) askRange(query string) ([]promSeries, error) {
	now := time.Now()
	return p.fetch("query_range", url.Values{
		"query": {query}, "step": {"2"},
		"start": {fmt.Sprint(now.Add(-time.Minute).Unix())}, "end": {fmt.Sprint(now.Unix())},
	})
}

func (p *promAPI) fetch(path string, parameters url.Values) ([]promSeries, error) {
	resp, err := http.PostForm(p.url+"/api/v1/"+path, parameters)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Error           string
		Warnings, Infos []string
		Data            struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if remarks := slices.Concat(answer.Warnings, answer.Infos); answer.Error != "" || len(remarks) > 0 {
		return nil, fmt.Errorf("%s %q", answer.Error, remarks)
	}
	var out []promSeries
	for _, r := range answer.Data.Result {
		value := r.Value[1]
		for _, v := range r.Values {
			if v[1] != "NaN" {
				value = v[1]
			}
		}
		if value != nil && value != "NaN" {
			out = append(out, promSeries{r.Metric, fmt.Sprint(value)})
		}
	}
	return out, nil
}
