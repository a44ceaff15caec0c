package exporter

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/internal/filetest"
)

// The default file is used if it exists and the command line has none. Others must not be able to change it, even
// without the admin endpoint.
func TestDefaultConfigurationFile(t *testing.T) {
	file := filepath.Join(filetest.Dir(t), "config.yml")
	parse := func(args ...string) (*config, error) {
		return commandLine{args: append([]string{"--source=simulator"}, args...), stdout: io.Discard, defaultFile: file}.parse()
	}
	if c, err := parse(); err != nil || c.file != nil || c.workers != 4 {
		t.Fatalf("without the file: %v", err)
	}
	if err := os.WriteFile(file, []byte("wmi: {workers: 7}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	filetest.Protect(t, file)
	if c, err := parse(); err != nil || c.workers != 7 {
		t.Fatalf("the file is not used: %v", err)
	}
	if c, err := parse("--config.file="); err != nil || c.workers != 4 {
		t.Errorf("--config.file= does not leave out the file: %v", err)
	}
	if runtime.GOOS == "windows" {
		return // the tests of package access cover access control lists
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(); err == nil || !strings.Contains(err.Error(), "other users can change it") {
		t.Errorf("a file that others can change: %v", err)
	}
	if _, err := parse("--help"); err != errHelpShown { //nolint:errorlint // the very error
		t.Errorf("--help with a bad file: %v", err)
	}
}

// A default file that is removed while the program runs is a mistake: its values stay in effect.
func TestRemovedDefaultFileKeepsValues(t *testing.T) {
	file := filepath.Join(filetest.Dir(t), "config.yml")
	if err := os.WriteFile(file, []byte("rpo: {objective: 7m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	filetest.Protect(t, file)
	line := commandLine{args: []string{"--source=simulator"}, stdout: io.Discard, defaultFile: file}
	c, err := line.parse()
	if err != nil {
		t.Fatal(err)
	}
	r := newReloader(line, c, log.NewNopLogger())
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.reload()
	if rules := c.effective.Load().objectives; len(rules) != 1 {
		t.Errorf("%d objectives, want 1", len(rules))
	}
}
