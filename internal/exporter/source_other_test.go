//go:build !windows

package exporter_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// --source=wmi is refused on other systems, in one line that names an alternative.
func TestWMINeedsWindows(t *testing.T) {
	code, stderr := exportertest.RunToEnd(t, "--source=wmi")
	lines := strings.Count(stderr, "\n")
	if code != exporter.ExitUsage || !strings.Contains(stderr, "--source=wmi needs Windows") || lines != 1 {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
