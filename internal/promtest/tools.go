//go:build prometheus

package promtest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Tool returns the path of a program, such as promtool. The environment variable TOOLS names the directory of the
// programs: `make prometheus` installs them and sets the variable.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(os.Getenv("TOOLS"), name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("run these tests with `make prometheus`: %v", err)
	}
	return path
}

// Promtool runs promtool. The test fails if promtool does.
func Promtool(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), Tool(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// RunServer runs a program, such as prometheus, until the test ends.
func RunServer(t testing.TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, Tool(t, name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
}

// FreeAddress returns a loopback address with a port that was free at the time of the call.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Poll calls condition repeatedly until it returns true, and reports whether it did so within the timeout.
func Poll(timeout time.Duration, condition func() bool) bool {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(timeout)
	for !condition() {
		select {
		case <-ticker.C:
		case <-end:
			return false
		}
	}
	return true
}

// Await calls condition repeatedly until it returns true. The test fails if that takes more than a minute; description
// describes the condition.
func Await(t testing.TB, description string, condition func() bool) {
	t.Helper()
	if !Poll(time.Minute, condition) {
		t.Fatalf("timeout after one minute, waiting for: %s", description)
	}
}
