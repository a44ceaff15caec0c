package collector_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// The collector relationship fails if a VM whose mode says that it replicates has no relationship, and if a VM that
// replicates has the mode none. Hyper-V has a relationship, in the state disabled, for VMs that do not replicate, and
// may have one for test VMs.
func TestModeContradictsRelationships(t *testing.T) {
	const primaryID, extendedID = `Microsoft:` + appID + `\HVR\0`, `Microsoft:` + appID + `\HVR\1`
	mode := func(n msvm.ReplicationMode) *msvm.ReplicationMode { return &n }
	state := func(n msvm.ReplicationState) *msvm.ReplicationState { return &n }
	row := func(id string, s *msvm.ReplicationState) []msvm.ReplicationRelationship {
		return []msvm.ReplicationRelationship{{InstanceID: id, ElementName: new("app01"), ReplicationState: s}}
	}
	for _, tt := range []struct {
		name  string
		mode  *msvm.ReplicationMode
		rows  []msvm.ReplicationRelationship
		error string // in the log; empty if the collector succeeds
	}{
		{"primary without relationship", mode(1), nil, primaryID + ": not found, but the mode of the VM is primary"},
		{"replica without relationship", mode(2), nil, primaryID + ": not found, but the mode of the VM is replica"},
		{"extended replica without relationship", mode(4), nil, "the mode of the VM is extended_replica"},
		{"VM that does not replicate, without relationship", mode(0), nil, ""},
		{"test VM without relationship", mode(3), nil, ""},
		{"unknown mode without relationship", mode(99), nil, ""},
		{"no mode and no relationship", nil, nil, ""},
		{"primary", mode(1), row(primaryID, state(3)), ""},
		{"primary with a disabled relationship", mode(1), row(primaryID, state(0)), ""},
		{"replica with an extended relationship only", mode(2), row(extendedID, state(3)), ""},
		{
			"replica with a disabled extended relationship only", mode(2), row(extendedID, state(0)),
			primaryID + ": not found, but the mode of the VM is replica",
		},
		{"replica with an extended relationship of unknown state only", mode(2), row(extendedID, nil), ""},
		{"none with a disabled relationship", mode(0), row(primaryID, state(0)), ""},
		{"none with a relationship of unknown state", mode(0), row(primaryID, nil), ""},
		{"test VM with a relationship", mode(3), row(primaryID, state(3)), ""},
		{"no mode, with a relationship", nil, row(primaryID, state(3)), ""},
		{
			"none, but replicating", mode(0), row(primaryID, state(3)),
			primaryID + ": the state is replicating, but the mode of the VM is none",
		},
		{
			"none, but critical on the extended relationship", mode(0), row(extendedID, state(8)),
			extendedID + ": the state is critical",
		},
		{
			"malformed InstanceID", mode(1), row(`Microsoft:`+appID+`\HVR\7`, state(3)),
			"is neither a primary (0) nor an extended (1)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(newFakeClock(), msvm.ComputerSystem{
				Name: appID, ElementName: new("app01"), ReplicationMode: tt.mode,
			})
			setRows(h, tt.rows...)
			r := newFakeHostRig(h)
			got := parseSeries(r.gather(t, scrapeTimeout, "relationship"))
			want := "1"
			if tt.error != "" {
				want = "0"
			}
			if v := got[successSeries("relationship")]; v != want {
				t.Errorf("success %s, want %s", v, want)
			}
			log := strings.ReplaceAll(strings.Join(r.logs.TakeLines(), "\n"), `\\`, `\`)
			if !strings.Contains(log, tt.error) || strings.Contains(log, "not found") && !strings.Contains(tt.error, "mode") {
				t.Errorf("log is %q, want %q", log, tt.error)
			}
		})
	}
}

// Without one of the two classes, nothing is known about the other.
func TestNoContradictionIfAClassCannotBeRead(t *testing.T) {
	for _, class := range []string{"Msvm_ComputerSystem", "Msvm_ReplicationRelationship"} {
		h := newFakeHost(newFakeClock(), newVM(appID, "app01", msvm.ModePrimary))
		h.setError(class, wmiquery.ErrInvalidState)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "relationship")
		if log := strings.Join(r.logs.TakeLines(), "\n"); strings.Contains(log, "mode of the VM") {
			t.Errorf("without %s: log %q", class, log)
		}
	}
}

// A relationship whose InstanceID cannot be read is not missing.
func TestNoContradictionIfAnInstanceIDIsInvalid(t *testing.T) {
	r := newTestRig(t, simulator.Config{
		Seed: 1, VMs: 4, Now: newFakeClock().Now,
		Faults: parseFaults(t, "invalid-value=Msvm_ReplicationRelationship.InstanceID"),
	})
	got := parseSeries(r.gather(t, scrapeTimeout, "relationship", "consistency"))
	log := strings.Join(r.logs.TakeLines(), "\n")
	if !strings.Contains(log, "invalid values: Msvm_ReplicationRelationship.InstanceID") {
		t.Errorf("log does not name the invalid property: %s", log)
	}
	consistent := valuesOf(got, "relationship_consistent", "vm")
	if strings.Contains(log, "mode of the VM") || len(consistent) != 2 {
		t.Errorf("relationship_consistent is %v, want it for the two relationships that can be read; log: %s", consistent, log)
	}
	for vm, v := range consistent {
		if v != "1" {
			t.Errorf("the relationship of %s counts as inconsistent", vm)
		}
	}
}

// A host whose relationships cannot be read is not up, whatever the reason.
func TestUpNeedsRelationships(t *testing.T) {
	for _, err := range []error{nil, wmiquery.ErrUnsupported, wmiquery.ErrInvalidState, wmiquery.ErrTimeout} {
		h := newHostWithVM(newFakeClock())
		h.setError("Msvm_ReplicationRelationship", err)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout))
		want := "0"
		if err == nil {
			want = "1"
		}
		checkSeries(t, got, map[string]string{
			"up": want, `collector_success{collector="service"}`: want, `collector_supported{collector="service"}`: "1",
			`service_status{status="ok"}`: "1",
		})
	}
}

// As long as the last good relationships are exposed, the host is up.
func TestUpWithLateRelationships(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout)
	h.setError("Msvm_ReplicationRelationship", wmiquery.ErrTimeout)
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout)), map[string]string{
		"up": "1", `collector_success{collector="relationship"}`: "0", `collector_success{collector="service"}`: "0",
	})
}
