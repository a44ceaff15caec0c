//go:build !windows

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestWMINeedsWindows(t *testing.T) {
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"--source=wmi"}, io.Discard, &stderr)
	if code != exitUsage || !strings.Contains(stderr.String(), "--source=wmi needs Windows") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}
