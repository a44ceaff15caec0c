// Package exportertest runs the exporter in the process of a test.
package exportertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/internal/logging"
)

// LogBuffer is a log that can be read, and waited for, while it is written.
type LogBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	written chan struct{}
}

// NewLogBuffer returns an empty log.
func NewLogBuffer() *LogBuffer { return &LogBuffer{written: make(chan struct{}, 1)} }

// Write implements io.Writer.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.written <- struct{}{}:
	default:
	}
	return b.buf.Write(p)
}

// String returns the log so far.
func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Await waits for a line that matches pattern and returns the first group of the match.
func (b *LogBuffer) Await(t testing.TB, pattern string) string {
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

// Patterns of log lines for LogBuffer.Await.
const (
	MetricsURL   = `url=(http://[^\\"\s]+)`
	AdminAddress = `admin_address=([\d.:]+)`
)

// Program is a running exporter.
type Program struct {
	URL  string     // of the metrics, "" with a web config file
	Stop func() int // stops the program and returns its exit code
	Logs *LogBuffer
}

// AdminURL returns the URL of the admin endpoint, without a path.
func (p *Program) AdminURL(t testing.TB) string {
	t.Helper()
	return "http://" + p.Logs.Await(t, AdminAddress)
}

// Run runs the program like exporter.Run, on a console.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return exporter.Run(ctx, args, exporter.Environment{
		Stdout: stdout, Output: logging.Console{Program: exporter.Name, Stderr: stderr},
	})
}

// RunToEnd runs the program with arguments with which it must end by itself, and returns its exit code and what it
// writes to standard error. It stops a program that does not end.
func RunToEnd(t testing.TB, args ...string) (code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	logs := NewLogBuffer()
	code = Run(ctx, args, io.Discard, logs)
	return code, logs.String()
}

// Start runs the program on a port that the system chooses, until the test ends or Stop is called. Unless args choose a
// source, it reads a simulated host whose monitoring windows started six hours ago, so that tests see the same at any
// time of day.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Program{Logs: NewLogBuffer()}
	code := make(chan int, 1)
	args = append([]string{"--web.listen-address=127.0.0.1:0", "--log.level=debug"}, args...)
	if !strings.Contains(strings.Join(args, " "), "--source") {
		windowStart := time.Now().UTC().Add(-6 * time.Hour).Format("15:04")
		args = append(args, "--source=simulator", "--simulator.monitoring-start="+windowStart)
	}
	go func() { code <- Run(ctx, args, io.Discard, p.Logs) }()
	p.Stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { p.Stop() })
	if !strings.Contains(strings.Join(args, " "), "--web.config.file") {
		p.URL = p.Logs.Await(t, MetricsURL)
	}
	return p
}

// Get sends a GET request with the given header fields, as names and values in turn, and returns the response and its
// body.
func Get(t testing.TB, url string, header ...string) (*http.Response, string) {
	t.Helper()
	return GetWith(t, http.DefaultClient, url, header...)
}

// Status returns the status of the response to a GET request.
func Status(t testing.TB, url string, header ...string) int {
	t.Helper()
	resp, _ := Get(t, url, header...) //nolint:bodyclose // closed by Get
	return resp.StatusCode
}

// GetWith is Get with a client of the caller.
func GetWith(t testing.TB, client *http.Client, url string, header ...string) (*http.Response, string) {
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
	defer resp.Body.Close() //nolint:errcheck // a test
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// Owner is the header field that authenticates the user omar, whose password is test.
var Owner = []string{"Authorization", "Basic b21hcjp0ZXN0"}

// AdminArgs returns flags that enable the admin endpoint with one user, Owner, who may do everything, and the file of
// the policy.
func AdminArgs(t testing.TB) (args []string, policy string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("test"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	dir := filetest.Dir(t)
	policy = TempFile(t, "rules: [{users: [omar], role: owner, vms: all, host: true}]\n...\n")
	return []string{
		"--admin.enabled", "--admin.listen-address=127.0.0.1:0", "--admin.data-dir=" + filepath.Join(dir, "data"),
		"--admin.web.config.file=" + TempFile(t, fmt.Sprintf("basic_auth_users:\n  omar: %s\n", hash)),
		"--admin.policy.file=" + policy,
	}, policy
}

// Post sends a JSON body to the admin endpoint as Owner and returns the response, whose body has been read and closed,
// and its body.
func Post(t testing.TB, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(Owner[0], Owner[1])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // a test
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TempFile returns a file with the given text, which only this account can read, that exists until the test ends.
// Wine 8 cannot remove a directory that has files in it, as t.TempDir would.
func TempFile(t testing.TB, text string) string {
	t.Helper()
	f, err := os.CreateTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	filetest.Protect(t, f.Name())
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
