//go:build wine

package main

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
)

// wineLog is the file to which Wine's event log goes: Wine keeps no events, but
// prints each. Wine must start anew for that, so that the test waits for what ran
// before to end.
func wineLog(t *testing.T) string {
	t.Helper()
	awaitWine(t)
	file := filepath.Join(t.TempDir(), "wine.log")
	t.Setenv("WINELOG", file)
	t.Setenv("WINEDEBUG", "-all,+eventlog,fixme+advapi")
	t.Cleanup(func() { awaitWine(t) }) // nothing of this test is left
	return file
}

// awaitWine waits until Wine and all its programs have ended, as they do soon when
// nobody uses them.
func awaitWine(t *testing.T) {
	t.Helper()
	prefix, err := filepath.Abs(".tools/wine")
	if p := os.Getenv("WINEPREFIX"); p != "" {
		prefix = p
	} else if err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("programs are left under Wine, and now killed: %v", err)
		_ = wineserver("-k")
	}
}

// serviceControl runs sc.exe.
func serviceControl(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // that of the test has ended in a cleanup
	defer cancel()
	cmd := exec.CommandContext(ctx, "scripts/winexec.sh", append([]string{"--become", "sc"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		t.Errorf("sc %q: %v\n%s", args, err, &out)
	}
	return out.String()
}

// createService creates a service for the time of the test.
func createService(t *testing.T, name, exe string, args ...string) {
	t.Helper()
	serviceControl(t, "create", name, "binPath=", `"Z:`+strings.ReplaceAll(exe, "/", `\`)+`" `+strings.Join(args, " "))
	t.Cleanup(func() { serviceControl(t, "delete", name) })
}

// await asks until the answer matches, and returns the first group.
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

// The exporter for Windows, as it is shipped, is a service: it starts, serves, writes
// its log and its audit log to the event log, stops in order, and does not start with
// bad flags.
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
			t.Logf("Wine's log:\n%s", logs())
		}
	}()
	startWine(t, windowsProgram(t, "./internal/wine/hold")).logs.await(t, "(holding)")
	exe := windowsProgram(t, ".")
	args, _ := adminFiles(t)
	for i, a := range args {
		args[i] = strings.Replace(a, "=/", "=Z:/", 1)
	}
	args = append(args, "--source=simulator", "--web.listen-address=127.0.0.1:0")
	const url, off = `url=(http://[^\\"\s]+)`, "STATE +: (1  STOPPED)"

	createService(t, programName, exe, args...)
	query := func() string { return serviceControl(t, "query", programName) }
	serviceControl(t, "start", programName)
	await(t, query, "STATE +: (4  RUNNING)")
	metrics := await(t, logs, url)
	if _, body := get(t, http.DefaultClient, metrics); !strings.Contains(body, `hyperv_replica_source_info{source="simulator"} 1`) {
		t.Error("it does not serve the metrics of the simulated host")
	}
	reload(t, "http://"+await(t, logs, `admin_address=([\d.:]+)`))
	serviceControl(t, "stop", programName)
	await(t, query, off)
	if out := query(); !regexp.MustCompile(`WIN32_EXIT_CODE +: 0 (?s:.*)SERVICE_EXIT_CODE +: 0 `).MatchString(out) {
		t.Errorf("stopped in order, and the service manager has:\n%s", out)
	}

	createService(t, "nonsense", exe, "--nonsense")
	serviceControl(t, "start", "nonsense")
	await(t, func() string { return serviceControl(t, "query", "nonsense") }, `WIN32_EXIT_CODE +: 1066 (?s:.*)(SERVICE_EXIT_CODE +: 2) `)

	text := logs()
	for _, event := range []struct{ kind, id, line string }{
		{"0004", "00000001", `L"level=info msg=\"starting hyperv_replica_exporter\"`},
		{"0002", "00000001", `L"level=warn msg=\"this is a simulated host`},
		{"0004", "00000064", `L"{\"time\":\"[^"]*\",\"event\":\"reload\"`},
		{"0004", "00000001", `L"level=info msg=stopped"`},
		{"0001", "00000002", `L"unknown long flag '--nonsense', try --help"`},
	} {
		line := strings.NewReplacer(`\`, `\\`, `{`, `\{`).Replace(event.line)
		re := regexp.MustCompile(`ReportEventW? \(\w+,0x` + event.kind + `,0x0000,0x` + event.id + `,.*\n.*ReportEventW? ` + line)
		if !re.MatchString(text) {
			t.Errorf("no event of type %s, number %s with %s", event.kind, event.id, event.line)
		}
	}
}
