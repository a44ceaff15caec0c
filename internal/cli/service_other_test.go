//go:build !windows

package cli_test

import (
	"testing"

	"hyperv_replica_exporter/internal/exporter"
)

// Without Windows, a command that would change it says so in one line.
func TestServiceNeedsWindows(t *testing.T) {
	for _, name := range []string{"install", "uninstall", "start", "stop", "status"} {
		got := run(t, false, "service", name)
		want := "hyperv_replica_exporter: error: this system is not Windows; --dry-run prints what would be done there\n"
		if got.code != exporter.ExitRuntime || got.stderr != want || got.stdout != "" {
			t.Errorf("%s: exit code %d, errors %q, output %q", name, got.code, got.stderr, got.stdout)
		}
	}
}
