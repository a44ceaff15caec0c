//go:build wine

package wine_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exportertest"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// These tests need Wine. Run them with `make wine`.

const (
	module  = "hyperv_replica_exporter"
	winexec = "../../scripts/winexec.sh"
)

// windowsProgram builds the program with the given import path for Windows and returns its file.
func windowsProgram(t *testing.T, pkg string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(pkg)+".exe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// underWine is a Windows program that is running.
type underWine struct {
	cmd   *exec.Cmd
	stdin io.Closer
	logs  *exportertest.LogBuffer
}

// startWine starts a Windows program. When the test ends, it closes the standard input of the program, upon which the
// program must exit.
func startWine(t *testing.T, program string, args ...string) *underWine {
	t.Helper()
	p := &underWine{logs: exportertest.NewLogBuffer()}
	p.cmd = exec.Command(winexec, append([]string{"--become", program}, args...)...)
	p.cmd.Stderr, p.cmd.Stdout = p.logs, p.logs
	p.cmd.WaitDelay = time.Second // Wine's services may keep the output open
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			stdin.Close()
			overdue := time.AfterFunc(20*time.Second, func() { p.cmd.Process.Kill() })
			p.cmd.Wait()
			overdue.Stop()
		}
	})
	return p
}

// The Windows binary reads a host of another process through COM and serves the same exposition as the simulated host
// read directly. It captures and checks the host, too.
func TestExe(t *testing.T) {
	const class = "{D6D5D1C9-0C94-4A3F-9A7B-3E8B1E0B5C11}"
	for key, value := range map[string]string{
		`HKCR\WbemScripting.SWbemLocator\CLSID`:  class,
		`HKCR\CLSID\` + class + `\LocalServer32`: `Z:\started\beforehand.exe`,
	} {
		cmd := exec.CommandContext(t.Context(), winexec, "reg", "add", key, "/ve", "/d", value, "/f")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("reg add: %v\n%s", err, out)
		}
	}
	startWine(t, windowsProgram(t, module+"/internal/wine/hold")).logs.Await(t, "(holding)")
	config := simulator.Config{Seed: 5, Now: func() time.Time { return moment }}
	startWine(t, windowsProgram(t, module+"/internal/wine/fakehost"),
		"--class="+class, "--seed=5", "--now="+moment.Format(time.RFC3339)).logs.Await(t, "(serving)")
	// Between processes Wine needs milliseconds for each property, and more on a busy machine.
	program := windowsProgram(t, module)
	exporter := startWine(t, program,
		"--web.listen-address=127.0.0.1:0", "--log.level=debug", "--wmi.call-timeout=2m", "--collector.perf")
	url := exporter.logs.Await(t, `url=(\S+)`)

	before := time.Now()
	_, body := exportertest.Get(t, url, "X-Prometheus-Scrape-Timeout-Seconds", "110")
	after := time.Now()
	defer func() {
		if t.Failed() {
			t.Logf("log of the exporter:\n%s", exporter.logs)
		}
	}()
	direct := directExposition(t, config)
	compareExposition(t, body, direct, before, after)
	if !strings.Contains(body, `hyperv_replica_source_info{source="wmi"} 1`) {
		t.Error("the source is not wmi")
	}

	checkCapture(t, program, direct)
	checkDoctor(t, program)
	if err := exporter.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := exporter.cmd.Wait(); err != nil {
		t.Errorf("exit after an interrupt: %v\n%s", err, exporter.logs)
	}
}

// checkCapture captures the host with the program. The replay of the capture has the expected exposition, apart from
// names.
func checkCapture(t *testing.T, program, want string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "capture")
	before := time.Now()
	cmd := exec.CommandContext(t.Context(), winexec, "--become", program, "capture", "--timeout=2m", "Z:"+folder)
	cmd.WaitDelay = time.Second // Wine's services may keep the output open
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("capture: %v\n%s", err, out)
	}
	host, err := replay.OpenFolder(t.Context(), folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if build, err := strconv.Atoi(host.Build()); err != nil || build < 7600 {
		t.Errorf("build %q, want that of the Windows version of Wine", host.Build())
	}
	got := expositionOf(t, host.Open, host.Now)
	mapping := folder + "-mapping.txt"
	compareExposition(t, exportertest.Renamed(t, got, os.DevNull), exportertest.Renamed(t, want, mapping), before, time.Now())
}

// checkDoctor checks the host with the program. The exit code is not checked: it depends on the version of Windows that
// Wine reports.
func checkDoctor(t *testing.T, program string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), winexec, "--become", program, "doctor", "--wmi.call-timeout=2m",
		"--scrape.timeout=10m")
	cmd.WaitDelay = time.Second // Wine's services may keep the output open
	out, err := cmd.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(out), "\r", "")
	for _, want := range []string{
		", windows/amd64, source wmi, call timeout 2m0s\n",
		"  ok           rights             Hyper-V returns its replication service; elevated: ",
		", Hyper-V Administrators: ",
		"  ok           service vmms       OperationalStatus is 2\n",
		"  ok           statistics         sending side: code 0 after ",
		"  ok           consistency        all ",
		"  answer       call-duration                   the 4 slowest classes take at most ",
		"  answer       unknown-column                  a read with a column that does not exist returns the rows after ",
		"  answer       unknown-method                  ",
		`InstanceID="Microsoft:AAAAAAAA-0000-`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output of doctor has no %q", want)
		}
	}
	if strings.Contains(strings.ToLower(text), "hv01") || t.Failed() {
		t.Errorf("output of doctor: %v\n%s", err, text)
	}
}

// moment is the time of the simulated host, whose clock stands still.
var moment = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// directExposition returns the exposition of the simulated host, read without COM.
func directExposition(t *testing.T, config simulator.Config) string {
	t.Helper()
	world, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return expositionOf(t, world.Open, world.Now)
}

// expositionOf returns the exposition of a host.
func expositionOf(t *testing.T, open func() (wmiquery.Session, error), now func() time.Time) string {
	t.Helper()
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: open, Now: now, Workers: 1, StuckAfter: time.Minute})
	t.Cleanup(pool.Close)
	scraper := collector.NewScraper(collector.Options{
		Reader: pool, Logger: log.NewNopLogger(), CallTimeout: time.Minute, MaxAge: time.Minute,
	}, func(string) bool { return true })
	selected, err := scraper.Select(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(promhttp.HandlerForTransactional(selected, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	_, body := exportertest.Get(t, server.URL)
	return body
}

// compareExposition compares the exposition of the program with the expected one. The clock of the program runs while
// that of the host stands still: values that depend on it must differ by the difference of the clocks during the
// scrape.
func compareExposition(t *testing.T, got, want string, before, after time.Time) {
	t.Helper()
	gotSeries, wantSeries := samples(got), samples(want)
	if len(wantSeries) < 500 {
		t.Fatalf("only %d series to compare", len(wantSeries))
	}
	for s, w := range wantSeries {
		name, _, _ := strings.Cut(s, "{")
		g, ok := gotSeries[s]
		delete(gotSeries, s)
		if !ok {
			t.Errorf("%s is missing", s)
			continue
		}
		from, to := w, w
		switch name {
		case "hyperv_replica_collector_duration_seconds":
			from, to = 0, after.Sub(before).Seconds()
		case "hyperv_replica_lag_seconds":
			from, to = w+before.Sub(moment).Seconds(), w+after.Sub(moment).Seconds()
		case "hyperv_replica_statistics_age_seconds":
			from, to = 0, after.Sub(before).Seconds()
		case "hyperv_replica_snapshot_timestamp_seconds":
			from, to = seconds(before), seconds(after)
		}
		const rounding = 0.001
		if g < from-rounding || g > to+rounding {
			t.Errorf("%s is %v, want %v to %v", s, g, from, to)
		}
	}
	for s := range gotSeries {
		if strings.HasPrefix(s, "hyperv_replica_") && !strings.HasPrefix(s, "hyperv_replica_exporter_") && !strings.HasPrefix(s, "hyperv_replica_wmi_") && !strings.HasPrefix(s, "hyperv_replica_source_info") {
			t.Errorf("%s is unexpected", s)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// samples returns the values of an exposition by series.
func samples(exposition string) map[string]float64 {
	all := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(exposition))
	for lines.Scan() {
		line := lines.Text()
		i := strings.LastIndexByte(line, ' ')
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil && !strings.HasPrefix(line, "#") {
			all[line[:i]] = v
		}
	}
	return all
}
