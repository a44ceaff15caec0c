package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/cli"
	"hyperv_replica_exporter/internal/exporter"
)

// result is what a command line has printed, and its exit code.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, terminal bool, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), args, cli.Environment{Stdout: &stdout, Stderr: &stderr, Terminal: terminal})
	return result{code, stdout.String(), stderr.String()}
}

// Without the name of a command, the command line is that of the exporter.
func TestCommandLines(t *testing.T) {
	for _, tt := range []struct {
		args           string
		code           int
		stdout, stderr string // a part of the output
	}{
		{"--version", exporter.ExitOK, "hyperv_replica_exporter, version", ""},
		{"--help", exporter.ExitOK, "--web.listen-address", ""},
		{"--help", exporter.ExitOK, "\n  capture        Save what the exporter reads", ""},
		{"--help", exporter.ExitOK, "\n  doctor         Check what makes the exporter fail", ""},
		{"--help", exporter.ExitOK, "\n  hash-password  Read a password from the terminal", ""},
		{"doctor --help", exporter.ExitOK, "usage: hyperv_replica_exporter doctor [<flags>]", ""},
		{"doctor a", exporter.ExitUsage, "", "error: unexpected a, try doctor --help\n"},
		{"doctor --source=replay:missing", exporter.ExitUsage, "", "not a capture"},
		{"doctor --wmi.call-timeout=0s --source=simulator", exporter.ExitUsage, "", "--wmi.call-timeout and --scrape.timeout must be above"},
		{"doctor --scrape.timeout=0s --source=simulator", exporter.ExitUsage, "", "--wmi.call-timeout and --scrape.timeout must be above"},
		{"--help", exporter.ExitOK, "\n  service        Install, remove, start or stop", ""},
		{"service install --help", exporter.ExitOK, "usage: hyperv_replica_exporter service install [<flags>] [<exporter-flags>...]", ""},
		{"service", exporter.ExitOK, "usage: hyperv_replica_exporter service <command>", ""},
		{"service nonsense", exporter.ExitUsage, "", "error: expected command but got \"nonsense\", try service --help\n"},
		{"service install --firewall.allow=a --dry-run", exporter.ExitUsage, "", "--firewall.allow=a: not an address such as 192.0.2.10"},
		{"service install --dry-run -- --rpo.objective 15m", exporter.ExitUsage, "", "argument \"15m\": not a flag"},
		{"service install --rpo.objective=15m", exporter.ExitUsage, "", "unknown long flag '--rpo.objective'"},
		{"service uninstall --dry-run", exporter.ExitOK, "5. undo service hyperv_replica_exporter\n   PS> Stop-Service hyperv_replica_exporter\n", ""},
		{"-h", exporter.ExitOK, "--web.listen-address", ""},
		{"--nonsense", exporter.ExitUsage, "", "error: unknown long flag '--nonsense', try --help\n"},
		{"nonsense", exporter.ExitUsage, "", "error: unexpected nonsense, try --help\n"},
		{"--source=simulator capture", exporter.ExitUsage, "", "error: unexpected capture, try --help\n"},
		{"capture --help", exporter.ExitOK, "usage: hyperv_replica_exporter capture [<flags>] <dir>", ""},
		{"capture", exporter.ExitUsage, "", "error: required argument 'dir' not provided, try capture --help\n"},
		{"capture a b", exporter.ExitUsage, "", "error: unexpected b, try capture --help\n"},
		{"capture --web.listen-address=:1 a", exporter.ExitUsage, "", "unknown long flag '--web.listen-address'"},
		{"capture --source=nonsense a", exporter.ExitUsage, "", "enum value must be one of"},
		{"capture --timeout=0s --source=simulator a", exporter.ExitUsage, "", "--timeout must be above zero"},
		{"capture --source=simulator --simulator.host=x a", exporter.ExitUsage, "", "x"},
		{"capture --source=replay:missing a", exporter.ExitUsage, "", "not a capture"},
	} {
		got := run(t, false, strings.Fields(tt.args)...)
		if got.code != tt.code || !strings.Contains(got.stdout, tt.stdout) || !strings.Contains(got.stderr, tt.stderr) ||
			tt.stderr == "" && got.stderr != "" || tt.stdout == "" && got.stdout != "" {
			t.Errorf("%s: got exit code %d, output %q, errors %q", tt.args, got.code, got.stdout, got.stderr)
		}
	}
	if _, err := os.Lstat("a"); err == nil {
		t.Error("a folder was created")
	}
}

// The command captures a simulated host, and captures the capture: both have the same data.
func TestCaptureCommand(t *testing.T) {
	first, second := newFolder(t), newFolder(t)
	got := run(t, false, "capture", "--source=simulator", first)
	if got.code != exporter.ExitOK || !strings.Contains(got.stdout, "The capture is in "+first+".") ||
		!strings.Contains(got.stdout, "The list of replacements is in "+first+"-mapping.txt.") ||
		!regexp.MustCompile(`(?m)^  machine +[1-9]\d+$`).MatchString(got.stdout) {
		t.Errorf("got exit code %d, output:\n%s\nerrors:\n%s", got.code, got.stdout, got.stderr)
	}
	if strings.Contains(got.stderr, "\r") || !strings.Contains(got.stderr, "this is a simulated host") {
		t.Errorf("got errors %q", got.stderr)
	}
	got = run(t, false, "capture", "--source=replay:"+first, second)
	if got.code != exporter.ExitOK || !strings.Contains(got.stderr, "this is a replayed capture") {
		t.Errorf("got exit code %d, errors:\n%s", got.code, got.stderr)
	}
	for _, name := range []string{"Msvm_ReplicationRelationship.xml", "GetReplicationStatisticsEx.xml"} {
		if a, b := withoutTimes(t, first, name), withoutTimes(t, second, name); a != b || len(a) < 1000 {
			t.Errorf("%s differs:\n%s\n%s", name, a, b)
		}
	}
}

func withoutTimes(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`MILLISECONDS="\d+"`).ReplaceAllString(string(text), "")
}

// Progress is for people who watch it. It leaves no trace on the terminal.
func TestProgressOnTerminal(t *testing.T) {
	got := run(t, true, "capture", "--source=simulator", "--dry-run", newFolder(t))
	if !strings.Contains(got.stderr, "\r0 of 17: Msvm_ComputerSystem ") || !strings.HasSuffix(got.stderr, "\r"+strings.Repeat(" ", 79)+"\r") {
		t.Errorf("got errors %q", got.stderr)
	}
	if !strings.Contains(got.stdout, "Nothing was written.") || strings.Contains(got.stdout, "The capture is in") {
		t.Errorf("got output %q", got.stdout)
	}
}

// Problems of the host are reported, and the capture has them.
func TestReportOfProblems(t *testing.T) {
	for fault, want := range map[string]string{
		"denied":                         "the capture has no data",
		"class-missing=Msvm_ConcreteJob": "captured a failure of the host: Msvm_ConcreteJob: ",
	} {
		got := run(t, false, "capture", "--source=simulator", "--simulator.fault="+fault, newFolder(t))
		if got.code != exporter.ExitOK || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: got exit code %d, errors:\n%s", fault, got.code, got.stderr)
		}
	}
	folder := newFolder(t)
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, false, "capture", "--source=simulator", folder); got.code != exporter.ExitRuntime {
		t.Errorf("got exit code %d for a file, want 1", got.code)
	}
}
