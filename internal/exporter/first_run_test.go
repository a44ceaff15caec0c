package exporter_test

import (
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// A program that cannot start says on one line what to do.
func TestStartErrorsSayWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := func(text string) string { return exportertest.TempFile(t, text) }
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string // a pattern
	}{
		{
			"port taken",
			[]string{"--web.listen-address=" + taken.Addr().String()},
			exporter.ExitRuntime,
			`--web\.listen-address: another program uses the port: stop it, or use another port \(listen tcp 127`,
		},
		{
			"address of another computer",
			[]string{"--web.listen-address=192.0.2.1:0"},
			exporter.ExitRuntime,
			`--web\.listen-address: this computer does not have the address: use one that it has \(listen`,
		},
		{"address that is none", []string{"--web.listen-address=a b"}, exporter.ExitRuntime, `--web\.listen-address: listen tcp`},
		{"missing file", []string{"--config.file=missing"}, exporter.ExitUsage, `--config\.file: .*missing: `},
		{"folder", []string{"--config.file=."}, exporter.ExitUsage, `--config\.file: \.: is a directory, not a file`},
		{
			"bad file",
			[]string{"--config.file=" + file("log:\n\tlevel: info\n")},
			exporter.ExitUsage,
			`: line 2: begins with a tab; indent with spaces`,
		},
		{
			"value of a file that makes no sense",
			[]string{"--config.file=" + file("\nwmi: {workers: 65}\n")},
			exporter.ExitUsage,
			`: line 2: --wmi\.workers must be 1 to 64`,
		},
		{
			"objective of a file",
			[]string{"--config.file=" + file("rpo:\n  objective:\n    - sql=5m\n    - soon\n")},
			exporter.ExitUsage,
			`: line 4: rpo\.objective: "soon": "soon" is not a positive duration such as 15m or 1h30m`,
		},
		{"bad value", []string{"--scrape.timeout=soon"}, exporter.ExitUsage, `--scrape\.timeout: "soon" must be a duration such as`},
		{"bad policy", []string{"--admin.enabled", "--admin.policy.file=missing"}, exporter.ExitUsage, `admin endpoint: policy: .*missing: `},
	} {
		code, stderr := exportertest.RunToEnd(t, append([]string{"--source=simulator", "--log.level=error"}, tt.args...)...)
		if code != tt.code || strings.Count(stderr, "\n") != 1 || !regexp.MustCompile(tt.want).MatchString(stderr) {
			t.Errorf("%s: exit code %d, errors\n%s\nwant %d and %s", tt.name, code, stderr, tt.code, tt.want)
		}
	}
}

// The log of a host that cannot be read says once what to do.
func TestUnreadableHostSaysWhatToDo(t *testing.T) {
	for name, tt := range map[string]struct{ fault, want string }{
		"no rights":       {"denied", `do="Run the program in a console that was started with Run as administrator, or make its account a member`},
		"no Hyper-V role": {"class-missing=Msvm_ReplicationService", `do="Install the Hyper-V role`},
	} {
		p := exportertest.Start(t, "--simulator.fault="+tt.fault)
		for range 2 {
			exportertest.Get(t, p.URL)
		}
		var advice []string
		for line := range strings.Lines(p.Logs.String()) {
			if strings.Contains(line, " do=") {
				advice = append(advice, line)
			}
		}
		if len(advice) != 1 || !strings.Contains(advice[0], tt.want) {
			t.Errorf("%s: got %q, want %s once", name, advice, tt.want)
		}
	}
}

// A configuration file that others can change is refused if it enables the admin endpoint.
func TestConfigurationFileThatOthersCanChange(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("the tests of package access cover access control lists")
		return
	}
	args, _ := exportertest.AdminArgs(t)
	path := exportertest.TempFile(t, "log: {level: info}\n")
	check := append([]string{"--source=simulator", "--config.check", "--config.file=" + path}, args...)
	if code, stderr := exportertest.RunToEnd(t, check...); code != exporter.ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if code, stderr := exportertest.RunToEnd(t, check...); code != exporter.ExitUsage || !strings.Contains(stderr, "configuration file: ") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, stderr := exportertest.RunToEnd(t, "--source=simulator", "--config.check", "--config.file="+path); code != exporter.ExitOK {
		t.Errorf("without the admin endpoint: exit code %d: %s", code, stderr)
	}
}
