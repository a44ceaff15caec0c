package doctor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// changed is a Reader that changes the rows and replies of a host.
type changed struct {
	wmiquery.Reader
	rows  func(rows any)
	reply wmiquery.Reply // instead of all replies, if its code is not 0
}

func (r changed) Read(ctx context.Context, dst any) error {
	err := r.Reader.Read(ctx, dst)
	r.rows(dst)
	return err
}

func (r changed) Get(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	if r.reply.Code != 0 {
		return r.reply, nil
	}
	return r.Reader.Get(ctx, c)
}

// Rows that contradict each other, times in the future and missing rows have their lines.
func TestRows(t *testing.T) {
	const of = "failed consistency of 21 relationships that replicate: "
	for name, tt := range map[string]struct {
		rows func(any)
		code uint32
		want map[string]string // a part of a line, by the name of the row
	}{
		"no associations": {func(rows any) {
			if rows, ok := rows.(*[]msvm.SystemReplicationRelationship); ok {
				*rows = nil
			}
		}, 0, map[string]string{
			"consistency": of + "without the VM 0, without an association 21, associated with another VM 0, " +
				"of a VM whose mode is none 0; VMs without a relationship: 0; such as Microsoft:AAAAAAAA-",
			"association-of-relationship": "0 instances for 30 relationships, 21 of which replicate; of these, 21 without an instance",
		}},
		"associations with another VM": {func(rows any) {
			if rows, ok := rows.(*[]msvm.SystemReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].Antecedent = msvm.VMRef("88061596-509B-46FC-8B74-000000000000")
				}
			}
		}, 0, map[string]string{
			"consistency":                 of + "without the VM 0, without an association 0, associated with another VM 21, ",
			"association-of-relationship": "0 without an instance and 21 with that of another VM",
		}},
		"no VMs": {func(rows any) {
			if rows, ok := rows.(*[]msvm.ComputerSystem); ok {
				*rows = nil
			}
		}, 0, map[string]string{
			"consistency":   of + "without the VM 21, without an association 0, ",
			"enabled-state": "not checked enabled-state no VM",
			"statistics":    "ok statistics unknown side: code 0",
		}},
		"no mode": {func(rows any) {
			if rows, ok := rows.(*[]msvm.ComputerSystem); ok {
				for i := range *rows {
					(*rows)[i].ReplicationMode = new(msvm.ModeNone)
				}
			}
		}, 0, map[string]string{
			"consistency":          "of a VM whose mode is none 21; VMs without a relationship: 0; ",
			"relationship-missing": "now: VMs without a relationship: 0, with the mode 0: 21",
		}},
		"no relationships": {func(rows any) {
			if rows, ok := rows.(*[]msvm.ReplicationRelationship); ok {
				*rows = nil
			}
		}, 0, map[string]string{
			"consistency":          "failed consistency of 0 relationships that replicate: ",
			"statistics":           "not checked statistics no relationship replicates",
			"apply-time":           "not checked",
			"relationship-missing": "now: VMs without a relationship: 20, with the mode 0: 0",
		}},
		"no service": {func(rows any) {
			if rows, ok := rows.(*[]msvm.ReplicationService); ok {
				*rows = nil
			}
		}, 0, map[string]string{
			"rights":       "failed rights Msvm_ReplicationService has no instance, as for an account without rights. Check that the service",
			"service vmms": "failed service vmms no replication service",
		}},
		"unknown status": {func(rows any) {
			if rows, ok := rows.(*[]msvm.ReplicationService); ok {
				(*rows)[0].OperationalStatus, (*rows)[0].StatusDescriptions = []uint16{3}, []string{"one", "two\nlines"}
			}
		}, 0, map[string]string{
			"service vmms": "warning service vmms OperationalStatus is 3: one two lines. Look for the cause in the event log",
		}},
		"a time that is a minute in the future": {replicatedAt(noon.Add(time.Minute)), 0, map[string]string{
			"clock":        "ok clock 2026-11-22T12:00:00Z by the clock of the host; ",
			"future-times": "answer future-times none of ",
		}},
		"a time that is more than a minute in the future": {replicatedAt(noon.Add(time.Minute + time.Second)), 0, map[string]string{
			"clock":        "in the future, by up to 1m1s: Msvm_ReplicationRelationship.LastReplicationTime (30). Check the clocks",
			"future-times": "answer future-times by up to 1m1s: Msvm_ReplicationRelationship.LastReplicationTime (30)",
		}},
		"access denied for methods": {func(any) {}, 32769, map[string]string{
			"rights":       "failed rights GetReplicationStatisticsEx: access denied (32769). Run the program in a console",
			"statistics":   "failed statistics sending side: access denied (32769)",
			"certificates": "failed certificates access denied (32769)",
		}},
	} {
		r, err := doctor.Run(t.Context(), doctor.Options{
			Reader:      changed{simulated(t, "HV01"), tt.rows, wmiquery.Reply{Code: tt.code}},
			CallTimeout: time.Minute, ScrapeTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		for row, want := range tt.want {
			if got := line(t, r, row); !strings.Contains(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

// replicatedAt returns a function that sets the time of the last replication of all relationships.
func replicatedAt(at time.Time) func(any) {
	return func(rows any) {
		if rows, ok := rows.(*[]msvm.ReplicationRelationship); ok {
			for i := range *rows {
				(*rows)[i].LastReplicationTime = &at
			}
		}
	}
}

// withAdapters is a Reader that finds no settings of network adapters, or fails to do so.
type withAdapters struct {
	wmiquery.Reader
	err error
}

func (r withAdapters) Associated(context.Context, any, wmiquery.Ref, wmiquery.Class) error {
	return r.err
}

// Adapters whose settings cannot be read fail, those without settings are a warning.
func TestFailoverNetworks(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, "warning failover networks 9 adapters without a path to settings; the association has for the first of them: 0 instances after "},
		{
			wmiquery.NewHRESULTError(0x80041001, "failure on HV01"),
			"failed failover networks 9 adapters without a path to settings; the association has for the first of them: " +
				"failure on HOST1 (0x80041001) after ",
		},
	} {
		r, err := doctor.Run(t.Context(), doctor.Options{
			Reader: withAdapters{simulated(t, "HV01"), tt.err}, CallTimeout: time.Minute, ScrapeTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := line(t, r, "failover networks"); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

// textOnly is a Reader of a host that accepts a relationship only as its own text.
type textOnly struct {
	wmiquery.Reader
	texts map[string]bool
}

func (r textOnly) Texts(ctx context.Context, class wmiquery.Class) ([]wmiquery.Embedded, error) {
	texts, err := r.Reader.Texts(ctx, class)
	for _, text := range texts {
		r.texts[string(text)] = true
	}
	return texts, err
}

func (r textOnly) Get(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	if text := c.Text("ReplicationRelationship"); text != "" && !r.texts[text] {
		return wmiquery.Reply{Code: 32773}, nil
	}
	return r.Reader.Get(ctx, c)
}

// The answer says whether the host accepts only its own text. The check does not fail then, as the exporter does not.
func TestOwnTextOfRelationship(t *testing.T) {
	r, err := doctor.Run(t.Context(), doctor.Options{
		Reader:      textOnly{simulated(t, "HV01"), map[string]bool{}},
		CallTimeout: time.Minute, ScrapeTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"statistics": "ok statistics sending side: code 0 after ",
		"statistics-embedded-instance": "answer statistics-embedded-instance the host accepts only its own text of a relationship: " +
			"sending side: code 0 after ",
	} {
		if got := line(t, r, name); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
