package doctor_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var update = flag.Bool("update", false, "write the expected output in testdata")

// callTimeout is the timeout of a call in tests.
const callTimeout = 5 * time.Second

// examine runs the checks on a simulated host, by a clock that the test moves. No read or call takes longer than the
// timeout.
func examine(t *testing.T, config simulator.Config, faults []string, o doctor.Options) doctor.Report {
	t.Helper()
	var report doctor.Report
	synctest.Test(t, func(t *testing.T) {
		var err error
		if config.Faults, err = simulator.ParseFaults(faults); err != nil {
			t.Fatal(err)
		}
		world, err := simulator.New(config)
		if err != nil {
			t.Fatal(err)
		}
		pool := wmiquery.NewPool(wmiquery.PoolOptions{
			Open: world.Open, Now: world.Now, Workers: doctor.Workers, StuckAfter: callTimeout, MaxStuck: 8,
		})
		last, lastName := time.Now(), ""
		progress := func(done, total int, name string) {
			if took := time.Since(last); took > callTimeout {
				t.Errorf("%s took %v", lastName, took)
			}
			if done >= total {
				t.Errorf("progress is %d of %d", done, total)
			}
			last, lastName = time.Now(), name
		}
		o.Reader, o.CallTimeout, o.ScrapeTimeout, o.Progress = pool, callTimeout, 10*time.Second, progress
		if report, err = doctor.Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		progress(0, 1, "")
		world.SetFaults(simulator.Faults{}) // calls that hang return
		pool.Close()
		time.Sleep(time.Minute) // by the clock of the test: slow calls return
	})
	return report
}

// output returns the report as a user sees it, and its lines.
func output(t *testing.T, r doctor.Report) (string, []string) {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String(), strings.Split(b.String(), "\n")
}

// line returns the line of the output with the name of a row, without the spaces that align it.
func line(t *testing.T, r doctor.Report, name string) string {
	t.Helper()
	_, lines := output(t, r)
	const column = len("  not checked  ")
	for _, l := range lines {
		if len(l) > column && strings.HasPrefix(l[column:], name+" ") {
			return strings.Join(strings.Fields(l), " ")
		}
	}
	t.Fatalf("no line %q", name)
	return ""
}

// The output for a primary and a replica server is the expected one.
func TestExpectedOutput(t *testing.T) {
	for _, host := range []string{"HV01", "HV02"} {
		got, _ := output(t, examine(t, simulator.Config{Host: host, Seed: 7}, nil, doctor.Options{Build: "20348"}))
		file := filepath.Join("testdata", strings.ToLower(host)+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if wanted := strings.ReplaceAll(string(want), "\r", ""); got != wanted {
			t.Errorf("%s: got:\n%s\nwant:\n%s", host, got, wanted)
		}
	}
}

// The command reports no failure of a host that the exporter can read, whatever the state of its VMs is.
func TestScenariosDoNotFail(t *testing.T) {
	for _, scenario := range simulator.Scenarios() {
		for _, host := range []string{"HV01", "HV02", "HV03"} {
			r := examine(t, simulator.Config{Scenario: scenario, Host: host, Seed: 3}, nil, doctor.Options{})
			if text, _ := output(t, r); r.Failed() {
				t.Errorf("%s, %s:\n%s", scenario, host, text)
			}
			for name, want := range map[string]string{
				"rights":                      "ok rights Hyper-V returns its replication service",
				"Msvm_ReplicationService":     "ok Msvm_ReplicationService 1 instance in ",
				"consistency":                 "ok consistency all ",
				"association-of-relationship": "answer association-of-relationship ",
			} {
				if got := line(t, r, name); !strings.HasPrefix(got, want) {
					t.Errorf("%s, %s: got %q, want %q", scenario, host, got, want)
				}
			}
		}
	}
}

// The number of lines and of calls does not depend on the number of VMs, and no line is long.
func TestLengthIsBounded(t *testing.T) {
	var lengths []int
	for _, vms := range []int{3, 1000} {
		r := examine(t, simulator.Config{VMs: vms, Seed: 7}, []string{"invalid-value", "clock-back"}, doctor.Options{})
		_, lines := output(t, r)
		lengths = append(lengths, len(lines))
		for _, l := range lines {
			if len(l) > 1000 {
				t.Errorf("a line of %d characters: %s", len(l), l)
			}
		}
	}
	if lengths[0] != lengths[1] || lengths[0] < 40 {
		t.Errorf("got %v lines", lengths)
	}
}

// An interrupt ends the checks with an error.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	world, err := simulator.New(simulator.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: world.Open, Now: world.Now, Workers: 1, StuckAfter: callTimeout})
	defer pool.Close()
	if _, err := doctor.Run(ctx, doctor.Options{Reader: pool, CallTimeout: callTimeout}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}
