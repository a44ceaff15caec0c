package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// program is the exporter as a test runs it: run with its arguments.
type program struct {
	url  string // of the metrics
	stop func() int
	logs *logBuffer
}

// logBuffer is a log that can be read while it is written, and waited for.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	written chan struct{}
}

func newLogBuffer() *logBuffer { return &logBuffer{written: make(chan struct{}, 1)} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.written <- struct{}{}:
	default:
	}
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits for a line that matches, and returns its first group.
func (b *logBuffer) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		if m := re.FindStringSubmatch(b.String()); m != nil {
			return m[1]
		}
		select {
		case <-b.written:
		case <-time.After(20 * time.Second):
			t.Fatalf("no %s in the log:\n%s", pattern, b)
		}
	}
}

// start runs the program on a free port until the test ends or stop is called.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{logs: newLogBuffer()}
	code := make(chan int, 1)
	args = append([]string{"--web.listen-address=127.0.0.1:0", "--log.level=debug"}, args...)
	if !strings.Contains(strings.Join(args, " "), "--source") {
		// Monitoring windows that are six hours old: tests are to see the same at any
		// time of day.
		args = append(args, "--source=simulator", "--simulator.monitoring-start="+time.Now().UTC().Add(-6*time.Hour).Format("15:04"))
	}
	go func() { code <- run(ctx, args, io.Discard, p.logs) }()
	p.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { p.stop() })
	if !strings.Contains(strings.Join(args, " "), "--web.config.file") {
		p.url = p.logs.await(t, `url=(\S+)`)
	}
	return p
}

func get(t *testing.T, client *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestProgram(t *testing.T) {
	p := start(t)
	base := strings.TrimSuffix(p.url, "/metrics")
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
		{"/metrics?collect[]=nonsense", 400, `no collector "nonsense" is enabled; there are: relationship, settings, statistics, service`},
		{"/-/healthy", 200, "is healthy"},
		{"/-/ready", 200, "is ready"},
		{"/", 200, "Source: simulator"},
		{"/", 200, `href="/metrics?collect[]=statistics"`},
		{"/nonsense", 404, ""},
		{"/debug/pprof/", 404, ""},
	} {
		resp, body := get(t, http.DefaultClient, base+tt.path)
		if resp.StatusCode != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("GET %s: %d, want %d and %q in:\n%.2000s", tt.path, resp.StatusCode, tt.code, tt.body, body)
		}
	}
	if _, body := get(t, http.DefaultClient, p.url+"?collect[]=service"); strings.Contains(body, "hyperv_replica_lag_seconds") {
		t.Error("collect[]=service gives other collectors, too")
	}
	resp, err := http.Post(p.url, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST to the metrics: %d, want 405", resp.StatusCode)
	}
	if !strings.Contains(p.logs.String(), "this is a simulated host") {
		t.Error("the log does not say that the host is simulated")
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d after a stop in order", code)
	}
}

// A capture is served as the host that it was, and says what it is.
func TestReplay(t *testing.T) {
	p := start(t, "--source=replay:wmiquery/replay/testdata/sample")
	_, body := get(t, http.DefaultClient, p.url)
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
	// 600 s when it was captured, and the time since the start.
	lag := regexp.MustCompile(`hyperv_replica_lag_seconds\{relationship="primary",vm="vm001",[^}]*\} (6\d\d)\.`)
	if !lag.MatchString(body) {
		t.Errorf("the lag is not that of the capture:\n%s", body)
	}
	if log := p.logs.String(); !strings.Contains(log, "this is a replayed capture: nothing here is live") || strings.Contains(log, "simulated") {
		t.Errorf("the log does not say that the host is a capture:\n%s", log)
	}
	if _, body := get(t, http.DefaultClient, strings.TrimSuffix(p.url, "/metrics")); !strings.Contains(body, "Source: replay") {
		t.Error("the landing page does not say that the host is a capture")
	}
}

func TestNegotiation(t *testing.T) {
	p := start(t, "--simulator.vms=1")
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, tt := range []struct{ accept, encoding, wantType, wantEncoding string }{
		{"", "", "text/plain", ""},
		{"application/openmetrics-text;version=1.0.0", "", "application/openmetrics-text", ""},
		{"", "gzip", "text/plain", "gzip"},
		{"", "zstd", "text/plain", "zstd"},
	} {
		resp, body := get(t, client, p.url, "Accept", tt.accept, "Accept-Encoding", tt.encoding)
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

// A collector can be switched off, and is then not to be asked for.
func TestCollectorFlags(t *testing.T) {
	p := start(t, "--no-collector.statistics", "--simulator.vms=1", "--web.telemetry-path=/probe/m")
	_, body := get(t, http.DefaultClient, p.url)
	if strings.Contains(body, "hyperv_replica_pending_bytes") || !strings.Contains(body, "hyperv_replica_lag_seconds") {
		t.Error("--no-collector.statistics switches off the wrong thing")
	}
	if resp, _ := get(t, http.DefaultClient, p.url+"?collect[]=statistics"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a collector that is off was asked for: %d, want 400", resp.StatusCode)
	}
}

// The limit of scrapes at once refuses the second, and lets in again.
func TestMaxRequests(t *testing.T) {
	p := start(t, "--simulator.vms=1", "--simulator.fault=hung", "--web.max-requests=1", "--wmi.call-timeout=1m", "--scrape.timeout=4s", "--scrape.timeout-margin=0s")
	codes := make(chan int, 2)
	for range 2 {
		go func() {
			resp, err := http.Get(p.url)
			if err != nil {
				codes <- 0
				return
			}
			io.Copy(io.Discard, resp.Body) // to its end: then the place is free
			resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	if first, second := <-codes, <-codes; first != http.StatusServiceUnavailable || second != http.StatusOK {
		t.Errorf("two scrapes at once are answered %d and %d, want 503 at once and then 200", first, second)
	}
	if resp, _ := get(t, http.DefaultClient, p.url, timeoutHeader, "0.1"); resp.StatusCode != http.StatusOK {
		t.Errorf("the next scrape: %d", resp.StatusCode)
	}
}

// A scrape under way on a host that hangs is answered when the program stops,
// and the stop is in order.
func TestStopOnSickHost(t *testing.T) {
	p := start(t, "--simulator.vms=1", "--simulator.fault=hung", "--wmi.call-timeout=10m", "--scrape.timeout=1m", "--web.max-requests=1")
	answered := make(chan int, 1)
	go func() {
		code := http.StatusServiceUnavailable
		for code == http.StatusServiceUnavailable { // the place is taken by the probe below
			resp, err := http.Get(p.url)
			if err != nil {
				code = 0
				break
			}
			resp.Body.Close()
			code = resp.StatusCode
		}
		answered <- code
	}()
	for code := 0; code != http.StatusServiceUnavailable; { // then the place is taken by the scrape
		resp, _ := get(t, http.DefaultClient, p.url, timeoutHeader, "0.05")
		code = resp.StatusCode
	}
	if code := p.stop(); code != exitOK {
		t.Errorf("exit code %d\n%s", code, p.logs)
	}
	if code := <-answered; code != http.StatusOK {
		t.Errorf("the scrape under way was answered %d", code)
	}
}

// A client that leaves in the middle is no error of anybody's.
func TestClientLeaves(t *testing.T) {
	p := start(t, "--simulator.vms=1", "--simulator.fault=slow=100ms", "--web.max-requests=1")
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		for { // until it has the place, which the probe below may have
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return
			}
			resp.Body.Close()
		}
	}()
	for code := 0; code != http.StatusServiceUnavailable; { // then the place is taken
		resp, _ := get(t, http.DefaultClient, p.url)
		code = resp.StatusCode
	}
	leave()
	<-left
	p.stop() // waits for the handler
	if strings.Contains(p.logs.String(), "level=error") {
		t.Errorf("the log has errors:\n%s", p.logs)
	}
}

// tempFile is a file for the time of the test. Wine 8 cannot remove a folder
// that has files in it, as that of T.TempDir would.
func tempFile(t *testing.T, text string) string {
	t.Helper()
	f, err := os.CreateTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(f.Name()) })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("test"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := tempFile(t, fmt.Sprintf("basic_auth_users:\n  prometheus: %s\n", hash))
	p := start(t, "--simulator.vms=1", "--web.config.file="+file)
	url := "http://" + p.logs.await(t, `address=(\S+)`) + "/metrics"
	if resp, _ := get(t, http.DefaultClient, url); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a password: %d, want 401", resp.StatusCode)
	}
	if resp, _ := get(t, http.DefaultClient, url, "Authorization", "Basic cHJvbWV0aGV1czp0ZXN0"); resp.StatusCode != http.StatusOK {
		t.Errorf("with the password: %d, want 200", resp.StatusCode)
	}
}

// What cannot start says why in one line, with the right exit code.
func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bad := tempFile(t, "nonsense: 1\n")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--nonsense", 2, "unknown long flag '--nonsense'"},
		{"--source=nonsense", 2, "enum value must be one of auto,wmi,simulator"},
		{"--source=nonsense:dir", 2, "enum value must be one of auto,wmi,simulator,replay:DIR, got 'nonsense:dir'"},
		{"--source=replay", 2, "replay lacks the folder of a capture: it is written replay:DIR"},
		{"--source=replay:", 2, "replay: lacks the folder of a capture"},
		{"--source=replay:wmiquery/nonexistent", 2, "--source=replay:wmiquery/nonexistent: not a capture, or not a complete one"},
		{"--source=replay:wmiquery/replay/testdata", 2, "manifest.xml"},
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
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var stderr bytes.Buffer
			args := append([]string{"--log.level=error"}, strings.Fields(tt.args)...)
			if !strings.Contains(tt.args, "--source") {
				args = append(args, "--source=simulator")
			}
			if strings.Contains(tt.args, "--log.level") {
				args = args[1:]
			}
			code := run(ctx, args, io.Discard, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit %d, want %d and one line with %q; got:\n%s", code, tt.code, tt.want, stderr.String())
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"--version", "hyperv_replica_exporter, version"},
		{"--help", "--[no-]collector.statistics"},
		{"--help", "--simulator.fault"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{tt.arg}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), tt.want) || stderr.Len() > 0 {
			t.Errorf("%s: exit %d, %q in:\n%s%s", tt.arg, code, tt.want, &stdout, &stderr)
		}
	}
}
