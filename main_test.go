//go:build !windows

package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
)

// The program continues when its terminal is closed: the signal SIGHUP, and a log that nobody reads any more, do not
// end it.
func TestClosedTerminal(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "exporter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stderr, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), binary, "--source=simulator", "--simulator.fault=relationship-failing",
		"--web.listen-address=127.0.0.1:0", "--log.level=debug")
	p.Stderr = writer
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	url := ""
	for lines := bufio.NewScanner(stderr); url == "" && lines.Scan(); {
		if m := regexp.MustCompile(`url=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
	}
	stderr.Close()
	scrape := func(when string) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		resp.Body.Close()
	}
	scrape("with a closed log") // logs that a collector fails
	if err := p.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	scrape("after SIGHUP")
	scrape("after SIGHUP, again")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
}
