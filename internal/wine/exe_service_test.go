//go:build wine

package wine_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// wineLog returns the file that receives the events written to Wine's event log: Wine keeps no events, but prints each.
// That is set when Wine starts, so wineLog waits until Wine has stopped.
func wineLog(t *testing.T) string {
	t.Helper()
	awaitWine(t)
	file := filepath.Join(t.TempDir(), "wine.log")
	t.Setenv("WINELOG", file)
	t.Setenv("WINEDEBUG", "-all,+eventlog,fixme+advapi")
	t.Cleanup(func() { awaitWine(t) }) // leaves no program of this test running
	return file
}

// winePrefix returns the directory that has the drive C: of Wine.
func winePrefix(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("WINEPREFIX"); p != "" {
		return p
	}
	prefix, err := filepath.Abs("../../.tools/wine")
	if err != nil {
		t.Fatal(err)
	}
	return prefix
}

// awaitWine waits until Wine and all its programs have stopped, which happens some seconds after the last program of a
// test has ended.
func awaitWine(t *testing.T) {
	t.Helper()
	prefix := winePrefix(t)
	server := "/usr/lib/wine/wineserver"
	if _, err := os.Stat(server); err != nil {
		server = "wineserver"
	}
	wineserver := func(arg string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, server, arg)
		cmd.Env = append(os.Environ(), "WINEPREFIX="+prefix)
		return cmd.Run()
	}
	if err := wineserver("-w"); err != nil {
		t.Errorf("programs still run under Wine, killing them: %v", err)
		_ = wineserver("-k")
	}
}

// serviceControl runs sc.exe.
func serviceControl(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the context of the test is done during cleanup
	defer cancel()
	cmd := exec.CommandContext(ctx, winexec, append([]string{"--become", "sc"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("sc %q: %v\n%s", args, err, &out)
	}
	return out.String()
}

// createService creates a service, which is deleted when the test ends.
func createService(t *testing.T, name, exe string, args ...string) {
	t.Helper()
	serviceControl(t, "create", name, "binPath=", `"Z:`+strings.ReplaceAll(exe, "/", `\`)+`" `+strings.Join(args, " "))
	t.Cleanup(func() { serviceControl(t, "delete", name) })
}

// await calls ask until the result matches pattern, and returns the first group of the match.
func await(t *testing.T, ask func() string, pattern string) string {
	t.Helper()
	re, answer := regexp.MustCompile(pattern), ""
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); {
		answer = ask()
		if m := re.FindStringSubmatch(answer); m != nil {
			return m[1]
		}
		select {
		case <-t.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("no %s in:\n%s", pattern, answer)
	return ""
}

// The Windows binary runs as a service: it starts, serves, writes its log and its audit log to the event log, stops
// with exit code 0, and does not start with invalid flags.
func TestExeService(t *testing.T) {
	file := wineLog(t)
	logs := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	defer func() {
		if t.Failed() {
			t.Logf("log of Wine:\n%s", logs())
		}
	}()
	startWine(t, windowsProgram(t, module+"/internal/wine/hold")).logs.Await(t, "(holding)")
	exe := windowsProgram(t, module)
	// The program refuses files of the admin endpoint in the directory for temporary files, which others can change.
	drive := filepath.Join(winePrefix(t), "drive_c")
	t.Setenv("TMPDIR", drive)
	args, _ := exportertest.AdminArgs(t)
	for i, a := range args {
		args[i] = strings.Replace(a, "="+drive, "=C:", 1)
	}
	args = append(args, "--source=simulator", "--web.listen-address=127.0.0.1:0")

	createService(t, exporter.Name, exe, args...)
	query := func() string { return serviceControl(t, "query", exporter.Name) }
	serviceControl(t, "start", exporter.Name)
	await(t, query, "STATE +: (4  RUNNING)")
	metrics := await(t, logs, exportertest.MetricsURL)
	_, body := exportertest.Get(t, metrics)
	if !strings.Contains(body, `hyperv_replica_source_info{source="simulator"} 1`) {
		t.Error("the metrics of the simulated host are not served")
	}
	adminURL := "http://" + await(t, logs, exportertest.AdminAddress)
	if resp, body := exportertest.Post(t, adminURL+"/-/reload", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("reload: %d %s", resp.StatusCode, body)
	}
	serviceControl(t, "stop", exporter.Name)
	await(t, query, "STATE +: (1  STOPPED)")
	if out := query(); !regexp.MustCompile(`WIN32_EXIT_CODE +: 0 (?s:.*)SERVICE_EXIT_CODE +: 0 `).MatchString(out) {
		t.Errorf("exit codes after a stop, want 0 and 0:\n%s", out)
	}

	createService(t, "nonsense", exe, "--nonsense")
	serviceControl(t, "start", "nonsense")
	queryNonsense := func() string { return serviceControl(t, "query", "nonsense") }
	await(t, queryNonsense, `WIN32_EXIT_CODE +: 1066 (?s:.*)(SERVICE_EXIT_CODE +: 2) `)

	text := logs()
	for _, event := range []struct{ kind, id, line string }{
		{"0004", "00000001", `L"level=info msg=\"starting hyperv_replica_exporter\"`},
		{"0002", "00000001", `L"level=warn msg=\"this is a simulated host`},
		{"0004", "00000064", `L"{\"time\":\"[^"]*\",\"event\":\"reload\"`},
		{"0004", "00000001", `L"level=info msg=stopped"`},
		{"0001", "00000002", `L"unknown long flag '--nonsense', try --help"`},
	} {
		line := strings.NewReplacer(`\`, `\\`, `{`, `\{`).Replace(event.line)
		re := regexp.MustCompile(`ReportEventW? \(\w+,0x` + event.kind + `,0x0000,0x` + event.id + `,.*\n` +
			`.*ReportEventW? ` + line)
		if !re.MatchString(text) {
			t.Errorf("no event of type %s with ID %s and text %s", event.kind, event.id, event.line)
		}
	}
}
