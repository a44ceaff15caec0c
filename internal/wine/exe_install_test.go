//go:build wine

package wine_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
)

// The Windows binary installs, starts, stops and removes its service. Wine has no group of Hyper-V administrators, so
// the installation ends at that step and says so; all steps before it are done.
func TestExeInstallsService(t *testing.T) {
	awaitWine(t)
	t.Cleanup(func() { awaitWine(t) })
	startWine(t, windowsProgram(t, module+"/internal/wine/hold")).logs.Await(t, "(holding)")
	// Only administrators can change the folder of the program.
	folder := filepath.Join(winePrefix(t), "drive_c", "Program Files", exporter.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	copyFile(t, windowsProgram(t, module), filepath.Join(folder, "a.exe"))
	service := func(args ...string) string {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		args = append([]string{"--become", `C:\Program Files\` + exporter.Name + `\a.exe`, "service"}, args...)
		cmd := exec.CommandContext(ctx, winexec, args...)
		cmd.WaitDelay = time.Second // Wine's services may keep the output open
		out, _ := cmd.CombinedOutput()
		return strings.ReplaceAll(string(out), "\r", "")
	}
	t.Cleanup(func() { service("uninstall") })
	install := []string{"install", "--", "--source=simulator", "--web.listen-address=127.0.0.1:0"}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "service hyperv_replica_exporter: not installed; run: hyperv_replica_exporter service install\n"},
		{install, "event source   hyperv_replica_exporter: created\n" +
			"service        hyperv_replica_exporter: created\n" +
			"data folder    C:\\ProgramData\\hyperv_replica_exporter: c"},
		{install, "service        hyperv_replica_exporter: unchanged\n"},
		{install, "step 4 of 8, group S-1-5-32-578: "},
		{append(install, "--log.level=debug"), `    command line: "C:\Program Files\hyperv_replica_exporter\a.exe" ` +
			`--source=simulator --web.listen-address=127.0.0.1:0 --log.level=debug, was "`},
		{[]string{"start"}, "The service runs.\n"},
		{[]string{"status"}, "service hyperv_replica_exporter: running\n"},
		{[]string{"status"}, "    account: NT SERVICE\\hyperv_replica_exporter\n"},
		{[]string{"stop"}, "The service has stopped.\n"},
		{append(install, "--nonsense"), ": changed\n"},
		{[]string{"start"}, "ended with exit code 2; the last event in the event log Application with the source "},
		// Wine has no objects of the firewall either.
		{[]string{"uninstall"}, "service        hyperv_replica_exporter: removed\nevent source   hyperv_replica_exporter: removed\n"},
		{[]string{"uninstall"}, "service        hyperv_replica_exporter: already absent\n"},
		{[]string{"status"}, "service hyperv_replica_exporter: not installed; "},
	} {
		if got := service(step.args...); !strings.Contains(got, step.want) {
			t.Errorf("service %q: no %q in:\n%s", step.args, step.want, got)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
