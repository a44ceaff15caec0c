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

// Tool returns the path of a program, such as promtool, in the directory that the environment variable TOOLS names:
// `make prometheus` installs the programs there and sets it.
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

// Promtool runs promtool, which must succeed.
func Promtool(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), Tool(t, "promtool"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// RunServer runs one of the programs until the test ends.
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

// FreeAddress returns a loopback address with a port that nothing listened on a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Poll calls condition until it returns true, and reports whether it did so within limit.
func Poll(limit time.Duration, condition func() bool) bool {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	end := time.After(limit)
	for !condition() {
		select {
		case <-ticker.C:
		case <-end:
			return false
		}
	}
	return true
}

// Await calls condition until it returns true. The test fails if that takes more than a minute; what describes the
// condition.
func Await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !Poll(time.Minute, condition) {
		t.Fatalf("not within a minute: %s", what)
	}
}
