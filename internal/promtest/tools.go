//go:build prometheus

package promtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Tool returns the path of a program, such as amtool. The environment variable TOOLS names the directory of the
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

// RunServer runs the program of a Prometheus or an Alertmanager until the test ends, and returns its URL. The server
// listens on a port that the system chooses, and says in its log which one that is.
func RunServer(t testing.TB, name string, args ...string) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, Tool(t, name), append(args, "--web.listen-address=127.0.0.1:0", "--log.level=info")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, logged := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(logged)
		defer close(address)
		scanLog(stderr, address)
	}()
	t.Cleanup(func() {
		cancel()
		<-logged
		_ = cmd.Wait()
	})
	listening, ok := <-address
	if !ok {
		t.Fatalf("%s ended before it listened", name)
	}
	return "http://" + listening
}

var listeningOn = regexp.MustCompile(`msg="Listening on".* address=(\S+)`)

// scanLog reads the log of a server until its end. It sends the address on which the server listens, and prints the
// messages that are not only information.
func scanLog(log io.Reader, address chan<- string) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if m := listeningOn.FindStringSubmatch(lines.Text()); m != nil {
			address <- m[1]
		}
		if !strings.Contains(strings.ToLower(lines.Text()), "level=info") {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
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
