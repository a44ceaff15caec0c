//go:build !windows

// Package abuse_test runs the exporter while clients misbehave. The short form is a test; `make abuse` runs the long
// one.
package abuse_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"hyperv_replica_exporter/internal/exportertest"
)

var (
	program  = flag.String("program", "", "path of the exporter; the test binary by default")
	vms      = flag.Int("vms", 20, "number of VMs of the simulated host")
	clients  = flag.Int("clients", 8, "number of clients that misbehave at the same time")
	probes   = flag.Int("probes", 3, "number of scrapes while they do")
	interval = flag.Duration("interval", 0, "time between these scrapes")
	maxRSS   = flag.Int("max-rss", defaultMaxRSS, "maximum resident memory of the exporter, in MiB")
)

// timeoutHeader is the header in which Prometheus sends its scrape timeout, in seconds.
const timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// asProgram is the environment variable that turns the test binary into the program: its arguments, one per line.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(asProgram); ok {
		os.Exit(exportertest.Run(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// start runs the exporter in a process of its own until the test ends, and returns the URL of its metrics.
func start(t *testing.T) string {
	t.Helper()
	args := []string{
		"--source=simulator", fmt.Sprintf("--simulator.vms=%d", *vms), "--web.listen-address=127.0.0.1:0",
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"="+strings.Join(args, "\n"))
	if *program != "" {
		cmd = exec.CommandContext(t.Context(), *program, args...)
	}
	logs := exportertest.NewLogBuffer()
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return logs.Await(t, exportertest.MetricsURL)
}

// sample is what a scrape says about the exporter.
type sample struct {
	status     int
	goroutines int
	rss        int // MiB
	took       time.Duration
}

// scrape scrapes like Prometheus. An answer counts even if Prometheus would no longer wait for it.
func scrape(t *testing.T, url string) sample {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	begin := time.Now()
	resp, body := exportertest.GetWith(t, client, url, timeoutHeader, "10")
	s := sample{status: resp.StatusCode, took: time.Since(begin)}
	if s.status != 200 {
		return s
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	value := func(f *dto.MetricFamily) float64 { return f.GetMetric()[0].GetGauge().GetValue() }
	s.goroutines = int(value(families["go_goroutines"]))
	s.rss = int(value(families["process_resident_memory_bytes"])) >> 20
	if n := len(families["hyperv_replica_health"].GetMetric()); n < *vms {
		t.Errorf("%d series of hyperv_replica_health, want at least %d", n, *vms)
	}
	return s
}

// A scrape is answered whatever other clients do. Afterwards the exporter has the goroutines that it had before.
func TestMetricsAreServedWhileClientsMisbehave(t *testing.T) {
	url := start(t)
	scrape(t, url)
	t.Logf("%-42s %19s  %19s  %19s", "", "before", "during, maximum", "after")
	for _, a := range abuses {
		before := scrape(t, url)
		var during sample
		inTime := 0
		answers := a.run(t, url, func() {
			for range *probes {
				s := scrape(t, url)
				if s.status != 200 && (s.status != 503 || !a.scrapes) {
					t.Errorf("%s: status %d of another scrape, want 200", a.name, s.status)
				}
				if s.status == 200 && s.took < 10*time.Second {
					inTime++
				}
				during.goroutines = max(during.goroutines, s.goroutines)
				during.rss = max(during.rss, s.rss)
				during.took = max(during.took, s.took)
				time.Sleep(*interval)
			}
		})
		after := awaitGoroutines(t, url, before.goroutines)
		t.Logf("%-42s %s  %s  %s  %d of %d in time, others by status: %v",
			a.name, before, during, after, inTime, *probes, answers)
		for status := range answers {
			if !slices.Contains(a.answers, status) {
				t.Errorf("%s: answers by status are %v, want only %v", a.name, answers, a.answers)
			}
		}
		if len(a.answers) > 0 && len(answers) == 0 {
			t.Errorf("%s: no answers, want %v", a.name, a.answers)
		}
		if rss := max(during.rss, after.rss); rss == 0 || rss > *maxRSS {
			t.Errorf("%s: resident memory of %d MiB, want at most %d", a.name, rss, *maxRSS)
		}
		if after.goroutines > before.goroutines {
			t.Errorf("%s: %d goroutines afterwards, want at most %d", a.name, after.goroutines, before.goroutines)
		}
	}
}

// awaitGoroutines scrapes until there are at most n goroutines, and no longer than the exporter waits for a client.
func awaitGoroutines(t *testing.T, url string, n int) sample {
	t.Helper()
	var s sample
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if s = scrape(t, url); s.status == 200 && s.goroutines <= n {
			break
		}
	}
	return s
}

// String returns the sample as columns of a table.
func (s sample) String() string {
	return fmt.Sprintf("%4d %4d MiB %4d ms", s.goroutines, s.rss, s.took.Milliseconds())
}
