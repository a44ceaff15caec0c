//go:build prometheus

package promtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// Release is a release of Prometheus, as its major version. scripts/setup.sh has the complete versions.
type Release string

// The releases that the tests run.
const (
	Current Release = "3" // a recent release, which most tests use
	Oldest  Release = "2" // the oldest supported release
)

// ForEachRelease runs a test with each release, as a subtest that is named by it.
func ForEachRelease(t *testing.T, test func(t *testing.T, r Release)) {
	t.Helper()
	for _, r := range []Release{Current, Oldest} {
		t.Run("Prometheus "+string(r), func(t *testing.T) { test(t, r) })
	}
}

// Promtool returns a command that runs promtool.
func (r Release) Promtool(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), Tool(t, "promtool-"+string(r)), args...)
}

// RunPromtool runs promtool. The test fails if promtool does.
func (r Release) RunPromtool(t testing.TB, args ...string) {
	t.Helper()
	if out, err := r.Promtool(t, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Start starts a server with the given text of the configuration file and additional command-line flags. The server
// runs until the test ends.
func (r Release) Start(t testing.TB, config string, flags ...string) *Prometheus {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	url := RunServer(t, "prometheus-"+string(r),
		append(flags, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"))...)
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		t.Fatal(err)
	}
	return &Prometheus{URL: url, API: v1.NewAPI(client)}
}
