package cli_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
)

// The exit code is 1 if a check fails. The output has the host's names only if the user wants it.
func TestDoctorCommand(t *testing.T) {
	const replaced = "Names, addresses and GUIDs of the host are replaced. Read the list before you share it."
	for _, tt := range []struct {
		args   string
		code   int
		stdout []string
		stderr string
	}{
		{"", exporter.ExitOK, []string{
			"hyperv_replica_exporter doctor, version ", ", source simulator, call timeout 5s\n", replaced,
			"\nChecks\n  ok           rights             Hyper-V returns its replication service\n",
			"\nClasses\n", "\nOpen questions (docs/fidelity.md)\n", "\nChecks: failed 0, warnings 0, ok ",
			`InstanceID="Microsoft:AAAAAAAA-`,
		}, ""},
		{"--keep-names", exporter.ExitOK, []string{
			"\nThe list has names of the host.\n",
			`InstanceID="Microsoft:0ECCE6FC-962B-455B-BB33-7139545FA990`,
		}, ""},
		{"--simulator.fault=denied", exporter.ExitRuntime, []string{
			"\n  failed       rights             all 17 classes are without instances", "\nChecks: failed 2, ",
		}, "hyperv_replica_exporter: error: a check failed\n"},
		{"--simulator.fault=slow=30ms --wmi.call-timeout=1ms", exporter.ExitRuntime, []string{
			", call timeout 1ms\n", "  no answer within 1ms after ",
		}, "a check failed"},
		{"--simulator.fault=slow=30ms --scrape.timeout=510ms", exporter.ExitOK, []string{
			"\n  warning      duration ", "adapters, of 510ms. Increase",
		}, ""},
	} {
		got := run(t, false, append([]string{"doctor", "--source=simulator"}, strings.Fields(tt.args)...)...)
		if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%s: got exit code %d, errors:\n%s", tt.args, got.code, got.stderr)
		}
		for _, part := range tt.stdout {
			if !strings.Contains(got.stdout, part) {
				t.Errorf("%s: got:\n%s\nwant %q", tt.args, got.stdout, part)
			}
		}
	}
}

// Progress is for people who watch it. It leaves no trace on the terminal, and the output has none of it.
func TestDoctorOnTerminal(t *testing.T) {
	got := run(t, true, "doctor", "--source=simulator")
	if !strings.Contains(got.stderr, "\r0 of 20: Msvm_ComputerSystem ") ||
		!strings.HasSuffix(got.stderr, "\r"+strings.Repeat(" ", 79)+"\r") || strings.Contains(got.stdout, "\r") {
		t.Errorf("got errors %q", got.stderr)
	}
}

// A captured host can be checked, too, with its failures and its build.
func TestDoctorOfCapture(t *testing.T) {
	got := run(t, false, "doctor", "--source=replay:../../wmiquery/replay/testdata/sample")
	for _, want := range []string{
		"  failed       rights             read Msvm_VirtualSystemSettingData: Zugriff verweigert (0x80041003): access denied. Run",
		"  ok           windows build      20348\n",
		"  ok           statistics         sending side: code 0 after ",
		"  answer       pending-size-on-replica         41943040\n",
		"  answer       statistics-null-elements        1 of 8 elements are null or empty\n",
		"  answer       unknown-column                  a read with a column that does not exist returns the rows after ",
	} {
		if got.code != exporter.ExitRuntime || !strings.Contains(got.stdout, want) {
			t.Errorf("got exit code %d, want %q:\n%s\n%s", got.code, want, got.stdout, got.stderr)
		}
	}
}
