//go:build !windows

package exporter_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// --source=wmi is refused on other systems, in one line that names an alternative.
func TestWMINeedsWindows(t *testing.T) {
	var stderr bytes.Buffer
	code := exportertest.Run(t.Context(), []string{"--source=wmi"}, io.Discard, &stderr)
	lines := strings.Count(stderr.String(), "\n")
	if code != exporter.ExitUsage || !strings.Contains(stderr.String(), "--source=wmi needs Windows") || lines != 1 {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}
