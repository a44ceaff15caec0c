package exporter_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/internal/eventlog"
	"hyperv_replica_exporter/internal/eventlog/eventlogtest"
	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// The program serves metrics, health checks and the pages, and stops on request.
func TestRun(t *testing.T) {
	p := exportertest.Start(t)
	base := strings.TrimSuffix(p.URL, "/metrics")
	for _, tt := range []struct {
		path string
		code int
		body string
	}{
		{"/metrics", 200, `hyperv_replica_source_info{source="simulator"} 1`},
		{"/metrics", 200, "hyperv_replica_exporter_build_info{"},
		{"/metrics", 200, "go_goroutines "},
		{"/metrics", 200, "hyperv_replica_wmi_stuck_workers 0"},
		{"/metrics?collect[]=service", 200, "hyperv_replica_up 1"},
		{"/metrics?collect[]=nonsense", 400, `collector "nonsense": not enabled; enabled collectors: relationship, settings, statistics, service`},
		{"/-/healthy", 200, "is healthy"},
		{"/-/ready", 200, "is ready"},
		{"/", 200, "Source: simulator"},
		{"/exporter", 200, `href="/metrics?collect[]=statistics"`},
		{"/vm/nonsense", 404, "VM not found"},
		{"/static/style.css", 200, "prefers-color-scheme"},
		{"/nonsense", 404, ""},
		{"/debug/pprof/", 404, ""},
	} {
		resp, body := exportertest.Get(t, base+tt.path)
		if resp.StatusCode != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("GET %s: %d, want %d and %q in:\n%.2000s", tt.path, resp.StatusCode, tt.code, tt.body, body)
		}
	}
	if _, body := exportertest.Get(t, p.URL+"?collect[]=service"); strings.Contains(body, "hyperv_replica_lag_seconds") {
		t.Error("collect[]=service returns other collectors, too")
	}
	resp, err := http.Post(p.URL, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %d, want 405", resp.StatusCode)
	}
	const simulated = `msg="this is a simulated host, its values are not real" source=simulator scenario=mixed host=HV01`
	if !strings.Contains(p.Logs.String(), simulated) {
		t.Errorf("no %s in the log:\n%s", simulated, p.Logs)
	}
	if code := p.Stop(); code != exporter.ExitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A capture is served with the values of the captured host, and is marked as a capture everywhere.
func TestReplay(t *testing.T) {
	p := exportertest.Start(t, "--source=replay:../../wmiquery/replay/testdata/sample")
	_, body := exportertest.Get(t, p.URL)
	for _, want := range []string{
		`hyperv_replica_source_info{source="replay"} 1`,
		"hyperv_replica_up 1\n",
		`hyperv_replica_collector_success{collector="relationship"} 1`,
		`hyperv_replica_state{relationship="primary",state="unknown",vm="vm002 <&>\"'ü",vm_id="AAAAAAAA-0000-0000-0000-000000000002"} 1`,
		`hyperv_replica_window_missed_cycles{relationship="primary",vm="vm001",vm_id="AAAAAAAA-0000-0000-0000-000000000001"} 21`,
		`hyperv_replica_collector_success{collector="statistics"} 0`, // vm003 was refused
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in:\n%s", want, body)
		}
	}
	// 600 s at the time of the capture, plus the time since the start.
	lag := regexp.MustCompile(`hyperv_replica_lag_seconds\{relationship="primary",vm="vm001",[^}]*\} (6\d\d)\.`)
	if !lag.MatchString(body) {
		t.Errorf("the lag is not 600 s plus some seconds:\n%s", body)
	}
	log := p.Logs.String()
	if !strings.Contains(log, "this is a replayed capture, its values are not live") || strings.Contains(log, "simulated") {
		t.Errorf("the log does not say that the host is a capture:\n%s", log)
	}
	if _, body := exportertest.Get(t, strings.TrimSuffix(p.URL, "/metrics")); !strings.Contains(body, "Source: replay") {
		t.Error("the pages does not say that the host is a capture")
	}
}

// The format and the compression depend on the request header.
func TestNegotiation(t *testing.T) {
	p := exportertest.Start(t, "--simulator.vms=1")
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, tt := range []struct{ accept, encoding, wantType, wantEncoding string }{
		{"", "", "text/plain", ""},
		{"application/openmetrics-text;version=1.0.0", "", "application/openmetrics-text", ""},
		{"", "gzip", "text/plain", "gzip"},
		{"", "zstd", "text/plain", "zstd"},
	} {
		resp, body := exportertest.GetWith(t, client, p.URL, "Accept", tt.accept, "Accept-Encoding", tt.encoding)
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, tt.wantType) {
			t.Errorf("accept %q: type %q", tt.accept, got)
		}
		if got := resp.Header.Get("Content-Encoding"); got != tt.wantEncoding {
			t.Errorf("accept-encoding %q: %q", tt.encoding, got)
		}
		if strings.Contains(tt.accept, "openmetrics") && !strings.HasSuffix(body, "# EOF\n") {
			t.Error("OpenMetrics does not end in # EOF")
		}
	}
}

// A disabled collector is not scraped and cannot be selected.
func TestDisabledCollector(t *testing.T) {
	p := exportertest.Start(t, "--no-collector.statistics", "--simulator.vms=1", "--web.telemetry-path=/probe/m")
	_, body := exportertest.Get(t, p.URL)
	if strings.Contains(body, "hyperv_replica_pending_bytes") || !strings.Contains(body, "hyperv_replica_lag_seconds") {
		t.Error("--no-collector.statistics does not disable the statistics, or more than them")
	}
	if resp, _ := exportertest.Get(t, p.URL+"?collect[]=statistics"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("collect[]= with a disabled collector: %d, want 400", resp.StatusCode)
	}
}

// A scrape beyond the limit is refused. When the running scrape ends, the next is accepted.
func TestMaxRequests(t *testing.T) {
	p := exportertest.Start(t, "--simulator.vms=1", "--simulator.fault=hung", "--web.max-requests=1",
		"--wmi.call-timeout=1m", "--scrape.timeout=4s", "--scrape.timeout-margin=0s")
	codes := make(chan int, 2)
	for range 2 {
		go func() {
			resp, err := http.Get(p.URL)
			if err != nil {
				codes <- 0
				return
			}
			io.Copy(io.Discard, resp.Body) // reading to the end frees the slot
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	if first, second := <-codes, <-codes; first != http.StatusServiceUnavailable || second != http.StatusOK {
		t.Errorf("two concurrent scrapes: %d and %d, want 503 and 200", first, second)
	}
	if status := exportertest.Status(t, p.URL, "X-Prometheus-Scrape-Timeout-Seconds", "0.1"); status != http.StatusOK {
		t.Errorf("next scrape: %d, want 200", status)
	}
}

// When the program stops, a scrape that waits for a host that hangs is answered, and the exit code is 0.
func TestStopWhileHostHangs(t *testing.T) {
	p, answered := startHungScrape(t.Context(), t)
	if code := p.Stop(); code != exporter.ExitOK {
		t.Errorf("exit code %d\n%s", code, p.Logs)
	}
	if code := <-answered; code != http.StatusOK {
		t.Errorf("running scrape: %d, want 200", code)
	}
}

// startHungScrape starts the program and a scrape that waits for a host that hangs. It returns when the scrape is
// running. The scrape ends with ctx. Its status goes to answered, 0 if it got no response.
func startHungScrape(ctx context.Context, t *testing.T) (p *exportertest.Program, answered <-chan int) {
	t.Helper()
	p = exportertest.Start(t, "--simulator.vms=1", "--simulator.fault=hung", "--wmi.call-timeout=10m",
		"--scrape.timeout=1m", "--web.max-requests=1")
	codes := make(chan int, 2)
	for range 2 {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
			if err != nil {
				t.Error(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				codes <- 0
				return
			}
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	// One of the two is refused while the other one runs.
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Fatalf("two scrapes at once: the first response is %d, want 503", code)
	}
	return p, codes
}

// A client that disconnects during a scrape causes no error in the log.
func TestClientDisconnects(t *testing.T) {
	ctx, disconnect := context.WithCancel(t.Context())
	p, answered := startHungScrape(ctx, t)
	disconnect()
	if code := <-answered; code != 0 {
		t.Errorf("the scrape was answered with %d", code)
	}
	p.Stop() // waits for the handler
	if strings.Contains(p.Logs.String(), "level=error") {
		t.Errorf("the log has errors:\n%s", p.Logs)
	}
}

// With a web config file that has users, scrapes need a password.
func TestBasicAuth(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("test"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := exportertest.TempFile(t, fmt.Sprintf("basic_auth_users:\n  prometheus: %s\n", hash))
	p := exportertest.Start(t, "--simulator.vms=1", "--web.config.file="+file)
	url := "http://" + p.Logs.Await(t, `address=(\S+)`) + "/metrics"
	if resp, _ := exportertest.Get(t, url); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %d, want 401", resp.StatusCode)
	}
	if status := exportertest.Status(t, url, "Authorization", "Basic cHJvbWV0aGV1czp0ZXN0"); status != http.StatusOK {
		t.Errorf("with the password: %d, want 200", status)
	}
}

// A program that cannot start reports why on one line, with the right exit code.
func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bad := exportertest.TempFile(t, "nonsense: 1\n")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--nonsense", 2, "unknown long flag '--nonsense'"},
		{"--source=nonsense", 2, "enum value must be one of auto,wmi,simulator"},
		{"--source=nonsense:dir", 2, "enum value must be one of auto,wmi,simulator,replay:DIR, got 'nonsense:dir'"},
		{"--source=replay", 2, "replay: the directory of the capture is missing, use replay:DIR"},
		{"--source=replay:", 2, "replay:: the directory of the capture is missing"},
		{"--source=replay:../../wmiquery/nonexistent", 2, "--source=replay:../../wmiquery/nonexistent: not a capture, or not a complete one"},
		{"--source=replay:../../wmiquery/replay/testdata", 2, "manifest.xml"},
		{"--log.level=loud", 2, "debug,info,warn,error"},
		{"--wmi.workers=0", 2, "--wmi.workers must be 1 to 64"},
		{"--scrape.timeout=0s", 2, "--scrape.timeout must be above zero"},
		{"--scrape.timeout=soon", 2, "soon"},
		{"--web.telemetry-path=metrics", 2, "must start with /"},
		{"--web.telemetry-path=/-/ready", 2, "/-/"},
		{"--web.telemetry-path=//metrics", 2, "must start with /"},
		{"--web.telemetry-path=/a/../b", 2, "must start with /"},
		{"--web.telemetry-path=/metrics/", 2, "must start with /"},
		{"--web.telemetry-path=/%zz", 2, "must start with /"},
		{"--web.config.file=" + bad, 2, "--web.config.file"},
		{"--web.config.file=/nonexistent/web.yml", 2, "/nonexistent/web.yml"},
		{"--rpo.objective=soon", 2, "soon"},
		{"--simulator.fault=nonsense", 2, "nonsense"},
		{"--simulator.scenario=nonsense", 2, "nonsense"},
		{"--simulator.host=nonsense", 2, "nonsense"},
		{"--simulator.vms=-1", 2, "-1"},
		{"--simulator.vms=1000000", 2, "10000"},
		{"surplus", 2, "unexpected surplus"},
		{"--web.listen-address=" + taken.Addr().String(), 1, "listen tcp " + taken.Addr().String() + ": bind"},
		{"--web.listen-address=nonsense", 1, "missing port in address"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			args := append([]string{"--log.level=error"}, strings.Fields(tt.args)...)
			if !strings.Contains(tt.args, "--source") {
				args = append(args, "--source=simulator")
			}
			if strings.Contains(tt.args, "--log.level") {
				args = args[1:]
			}
			code, stderr := exportertest.RunToEnd(t, args...)
			if code != tt.code || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d, want %d and one line with %q; got:\n%s", code, tt.code, tt.want, stderr)
			}
		})
	}
}

// Fatal errors go to the output of the environment, whatever the log level.
func TestFatalErrorGoesToEventLog(t *testing.T) {
	var events eventlogtest.Recorder
	code := exporter.Run(t.Context(), []string{"--log.level=error", "--nonsense"}, exporter.Environment{
		Stdout: io.Discard, Output: eventlog.Output{Log: &events}, Ready: func() { t.Error("Ready was called") },
	})
	want := []string{"error 2 unknown long flag '--nonsense', try --help"}
	if got := events.Events(); code != exporter.ExitUsage || !slices.Equal(got, want) {
		t.Errorf("exit code %d, events %q, want 2 and %q", code, got, want)
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"--version", "hyperv_replica_exporter, version"},
		{"--help", "--[no-]collector.statistics"},
		{"--help", "--simulator.fault"},
	} {
		var stdout, stderr bytes.Buffer
		code := exportertest.Run(t.Context(), []string{tt.arg}, &stdout, &stderr)
		if code != exporter.ExitOK || !strings.Contains(stdout.String(), tt.want) || stderr.Len() > 0 {
			t.Errorf("%s: exit %d, %q in:\n%s%s", tt.arg, code, tt.want, &stdout, &stderr)
		}
	}
}

// A request with a body is refused at once, since a client could take its time to send it.
func TestScrapeWithBodyIsRefused(t *testing.T) {
	p := exportertest.Start(t, "--simulator.vms=1", "--web.max-requests=1")
	for _, body := range []string{"Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimSuffix(strings.TrimPrefix(p.URL, "http://"), "/metrics"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"+body+"\r\n"); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(c) // until the server closes the connection
		if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 400 ") {
			t.Errorf("%s: %q, %v, want 400 and the end of the connection", body, all, err)
		}
	}
}
