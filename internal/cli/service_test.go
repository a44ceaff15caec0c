package cli_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
)

// The dry run prints the command line that the service gets: the configuration file and the flags after --.
func TestServiceDryRunPrintsCommandLine(t *testing.T) {
	got := run(t, false, "service", "install", "--dry-run", `--config.file=C:\a b.yml`, "--", "--rpo.objective=15m")
	program := `C:\Program Files\hyperv_replica_exporter\hyperv_replica_exporter.exe`
	if runtime.GOOS == "windows" { // the service is this program
		var err error
		if program, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	want := `command line: "` + program + `" "--config.file=C:\a b.yml" --rpo.objective=15m` + "\n"
	if got.code != exporter.ExitOK || got.stderr != "" || !strings.Contains(got.stdout, want) {
		t.Errorf("exit code %d, errors %q, no %s in:\n%s", got.code, got.stderr, want, got.stdout)
	}
}

// Help of a command that has commands is printed once.
func TestServiceHelpIsPrintedOnce(t *testing.T) {
	for _, args := range [][]string{{"service"}, {"service", "--help"}, {"service", "install", "--help"}} {
		if got := run(t, false, args...); strings.Count(got.stdout, "usage: ") != 1 {
			t.Errorf("%q prints:\n%s", args, got.stdout)
		}
	}
}
