package doctor_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/capture"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// simulated returns a reader of a simulated host.
func simulated(t *testing.T, host string, faults ...string) wmiquery.Reader {
	t.Helper()
	parsed, err := simulator.ParseFaults(faults)
	if err != nil {
		t.Fatal(err)
	}
	world, err := simulator.New(simulator.Config{Host: host, Seed: 7, Faults: parsed, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	pool := wmiquery.NewPool(wmiquery.PoolOptions{Open: world.Open, Now: world.Now, Workers: 1, StuckAfter: time.Minute})
	t.Cleanup(pool.Close)
	return pool
}

// originals returns the names of a host, as a capture of the host has found them.
func originals(t *testing.T, reader wmiquery.Reader) []string {
	t.Helper()
	parent := filetest.Dir(t)
	result, err := capture.Run(t.Context(), capture.Options{
		Reader: reader, Folder: filepath.Join(parent, "capture"), CallTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(result.MappingFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, record := range records {
		all = append(all, strings.ToLower(record[1]))
	}
	return all
}

// talkative is a Reader of a host whose errors and messages have names of the host.
type talkative struct{ wmiquery.Reader }

const message = `web01 on HV02.contoso.com (10.20.0.1) and \\HV01\d$\replica: ` + "\n" + `88061596-509B-46FC-8B74-D2DE7A538B41`

func (r talkative) Read(ctx context.Context, dst any) error {
	if err := r.Reader.Read(ctx, dst); err != nil {
		return err
	}
	if name := fmt.Sprintf("%T", dst); strings.Contains(name, "Job") {
		return wmiquery.NewHRESULTError(0x80041001, message)
	} else if strings.Contains(name, "VirtualSystemSettingData") {
		return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{
			{Class: "Msvm_VirtualSystemSettingData", Instance: "web01", Property: "CreationTime", Text: message},
		})
	}
	return nil
}

func (r talkative) Get(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	if c.Method == "GetReplicationStatisticsEx" {
		return r.Reader.Get(ctx, c)
	}
	return wmiquery.Reply{}, wmiquery.NewHRESULTError(0x80041001, message+string(c.Object))
}

// The output has none of the names of the host, in any case.
func TestOutputHasNoNamesOfHost(t *testing.T) {
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		for _, fault := range []string{
			"", "hostile-names", "service-error", "invalid-value", "relationship-failing", "clock-back",
			"failover-network-ids", "invalid-value=Msvm_ComputerSystem.ElementName",
		} {
			var faults []string
			if fault != "" {
				faults = []string{fault}
			}
			reader := simulated(t, host, faults...)
			names := originals(t, reader)
			if len(names) < 15 {
				t.Fatalf("%d names", len(names))
			}
			r, err := doctor.Run(t.Context(), doctor.Options{
				Reader: talkative{reader}, CallTimeout: time.Minute, ScrapeTimeout: time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			text, lines := output(t, r)
			if len(lines) != 55 {
				t.Errorf("%s, %s: %d lines:\n%s", host, fault, len(lines), text)
			}
			for _, name := range names {
				// The text of the fault is a word of the output, too.
				if name != "invalid" && strings.Contains(strings.ToLower(text), name) {
					t.Errorf("%s, %s: the output has %q:\n%s", host, fault, name, text)
				}
			}
		}
	}
}

// Names are replaced as a capture replaces them, or kept if the user wants it.
func TestNames(t *testing.T) {
	for keep, want := range map[bool]map[string]string{
		false: {
			"certificates":                  "on HOST2.domain1.example (198.18.0.",
			"Msvm_ConcreteJob":              `and \\server\folder00`,
			"Msvm_VirtualSystemSettingData": `such as "vm001 on HOST2.domain1.example`,
			"failover-network-association":  `InstanceID="Microsoft:AAAAAAAA-0000-0000-0000-0000000000`,
		},
		true: {
			"certificates":                  "web01 on HV02.contoso.com (10.20.0.1) and",
			"Msvm_ConcreteJob":              `\\HV01\d$\replica: 88061596-509B-46FC-8B74-D2DE7A538B41 (0x80041001)`,
			"Msvm_VirtualSystemSettingData": `such as "web01 on HV02.contoso.com`,
			"failover-network-association":  `InstanceID="Microsoft:`,
		},
	} {
		r, err := doctor.Run(t.Context(), doctor.Options{
			Reader: talkative{simulated(t, "HV01")}, CallTimeout: time.Minute, ScrapeTimeout: time.Minute, KeepNames: keep,
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, part := range want {
			if got := line(t, r, name); !strings.Contains(got, part) {
				t.Errorf("keep names %v: got %q, want %q", keep, got, part)
			}
		}
		if got := line(t, r, "failover-network-association"); strings.Contains(got, "AAAAAAAA") == keep {
			t.Errorf("keep names %v: got %q", keep, got)
		}
	}
}

// withInvalidName is a Reader of a host with a VM whose name is not text, and is not in another class.
type withInvalidName struct{ wmiquery.Reader }

func (r withInvalidName) Read(ctx context.Context, dst any) error {
	err := r.Reader.Read(ctx, dst)
	if rows, ok := dst.(*[]msvm.ComputerSystem); ok && err == nil {
		(*rows)[1].ElementName = nil
		return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{{
			Class: "Msvm_ComputerSystem", Row: 1, Property: "ElementName", Text: "secretvm", Err: wmiquery.ErrInvalidState,
		}})
	}
	return err
}

// A name in an invalid value is replaced, although no row has it.
func TestInvalidName(t *testing.T) {
	r, err := doctor.Run(t.Context(), doctor.Options{
		Reader: withInvalidName{simulated(t, "HV01")}, CallTimeout: time.Minute, ScrapeTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := line(t, r, "Msvm_ComputerSystem"); !strings.Contains(got, `1 invalid value: ElementName (1), such as "vm0`) {
		t.Errorf("got %q", got)
	}
	if text, _ := output(t, r); strings.Contains(text, "secretvm") {
		t.Errorf("the output has the name:\n%s", text)
	}
}
