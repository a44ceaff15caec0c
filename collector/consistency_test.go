package collector_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// association associates a VM with the relationship of an InstanceID, as the client returns paths.
func association(vm wmiquery.Ref, instanceID string) msvm.SystemReplicationRelationship {
	escaped := strings.ReplaceAll(instanceID, `\`, `\\`)
	return msvm.SystemReplicationRelationship{
		Antecedent: vm,
		Dependent:  wmiquery.Ref(`Msvm_ReplicationRelationship.InstanceID="` + escaped + `"`),
	}
}

func pathOfVM(id string) wmiquery.Ref {
	return wmiquery.Ref(`Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + id + `"`)
}

const appInstanceID = `Microsoft:` + appID + `\HVR\0`

// A relationship is consistent if the host associates it with the VM that its InstanceID names, and with no other.
func TestRelationshipBelongsToItsVM(t *testing.T) {
	other := association(pathOfVM(sqlID), `Microsoft:`+sqlID+`\HVR\0`)
	own := association(pathOfVM(appID), appInstanceID)
	for _, tt := range []struct {
		name         string
		associations []msvm.SystemReplicationRelationship
		want, reason string
	}{
		{"its VM", []msvm.SystemReplicationRelationship{other, own}, "1", ""},
		{
			"its VM, in lower case", []msvm.SystemReplicationRelationship{
				association(pathOfVM(strings.ToLower(appID)), strings.ToLower(appInstanceID)),
			}, "1", "",
		},
		{"its VM, twice", []msvm.SystemReplicationRelationship{own, own}, "1", ""},
		{"no VM", []msvm.SystemReplicationRelationship{other}, "0", "the host associates it with no VM"},
		{
			"another VM",
			[]msvm.SystemReplicationRelationship{other, association(pathOfVM(sqlID), appInstanceID)},
			"0",
			"the host associates it with " + sqlID,
		},
		{
			"its VM and another one",
			[]msvm.SystemReplicationRelationship{own, association(pathOfVM(sqlID), appInstanceID)},
			"0",
			"the host associates it with " + sqlID,
		},
		{
			"the host itself",
			[]msvm.SystemReplicationRelationship{association(pathOfVM("HV09"), appInstanceID)},
			"0",
			"the host associates it with ",
		},
		{
			"the other relationship of its VM",
			[]msvm.SystemReplicationRelationship{association(pathOfVM(appID), `Microsoft:`+appID+`\HVR\1`)},
			"0",
			"the host associates it with no VM",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHostWithVM(newFakeClock())
			setRows(h, tt.associations...)
			r := newFakeHostRig(h)
			for range 2 {
				got := parseSeries(r.gather(t, scrapeTimeout))
				checkSeries(t, got, map[string]string{
					"relationship_consistent" + appRelationship:   tt.want,
					`collector_success{collector="consistency"}`:  "1",
					`collector_success{collector="relationship"}`: "1",
				})
			}
			checkInconsistency(t, r, appInstanceID, tt.reason)
		})
	}
}

// checkInconsistency checks that the log names the reason of an inconsistency once, or nothing if it is empty.
func checkInconsistency(t *testing.T, r *testRig, id, reason string) {
	t.Helper()
	var lines []string
	for _, line := range r.logs.TakeLines() {
		if strings.Contains(line, `msg="relationship is inconsistent"`) {
			lines = append(lines, strings.NewReplacer(`\\`, `\`, `\"`, "", `"`, "").Replace(line))
		}
	}
	want := "collector=consistency id=" + id + " reason=" + reason
	if reason == "" && len(lines) > 0 || reason != "" && (len(lines) != 1 || !strings.HasSuffix(lines[0], want)) {
		t.Errorf("log is %q, want one line that ends in %q", lines, want)
	}
}

// A relationship whose VM the host does not have, a VM that replicates by its mode and has no relationship, and one
// that replicates against its mode are inconsistent, too. Relationships that do not replicate are not checked.
func TestRelationshipFitsItsVM(t *testing.T) {
	disabled := newRelationship(appID, "app01")
	disabled.ReplicationState = new(msvm.Disabled)
	for _, tt := range []struct {
		name         string
		vm           msvm.ComputerSystem
		row          msvm.ReplicationRelationship
		want, reason string
	}{
		{"VM is missing", newVM(sqlID, "sql01", 0), newRelationship(appID, "app01"), "0", "the host does not have the VM"},
		{
			"relationship is missing", newVM(appID, "app01", 2), newRelationship(sqlID, "sql01"), "0",
			"not found, but the mode of the VM is replica",
		},
		{
			"mode is none", newVM(appID, "app01", 0), newRelationship(appID, "app01"), "0",
			"the state is replicating, but the mode of the VM is none",
		},
		{"does not replicate", newVM(appID, "app01", 0), disabled, "", ""},
		{"replicates", newVM(appID, "app01", 1), newRelationship(appID, "app01"), "1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeHost(newFakeClock(), tt.vm, newVM(sqlID, "sql01", 1))
			setRows(h, tt.row)
			if tt.row.InstanceID == appInstanceID { // sql01 has its own, which is not the subject
				setRows(h, tt.row, newRelationship(sqlID, "sql01"))
			}
			setRows(h, association(pathOfVM(appID), appInstanceID), association(pathOfVM(sqlID), `Microsoft:`+sqlID+`\HVR\0`))
			r := newFakeHostRig(h)
			got := parseSeries(r.gather(t, scrapeTimeout, "consistency"))
			checkSeries(t, got, map[string]string{
				"relationship_consistent" + appRelationship:                                        tt.want,
				`relationship_consistent{relationship="primary",vm="sql01",vm_id="` + sqlID + `"}`: "1",
				`collector_success{collector="consistency"}`:                                       "1",
			})
			checkInconsistency(t, r, appInstanceID, tt.reason)
		})
	}
}

// If the associations cannot be read, or the host returns none although VMs replicate, nothing is said about
// relationships, and the other collectors are not affected.
func TestConsistencyNeedsAssociations(t *testing.T) {
	for _, err := range []error{nil, wmiquery.ErrUnsupported, wmiquery.ErrInvalidState, wmiquery.ErrTimeout} {
		h := newHostWithVM(newFakeClock())
		h.setError("Msvm_SystemReplicationRelationship", err)
		r := newFakeHostRig(h)
		got := parseSeries(r.gather(t, scrapeTimeout))
		if hasMetric(got, "relationship_consistent") {
			t.Errorf("%v: relationship_consistent is exposed", err)
		}
		checkSeries(t, got, map[string]string{
			`collector_success{collector="consistency"}`: "0", `collector_supported{collector="consistency"}`: "1",
			`collector_success{collector="relationship"}`: "1", "up": "1",
			"window_successful_cycles" + appRelationship: "1",
		})
		log := strings.Join(takeErrorLines(r), "\n")
		if err == nil && !strings.Contains(log, "no associations with their VMs") {
			t.Errorf("log does not say why the collector fails: %s", log)
		}
	}
	h := newFakeHost(newFakeClock(), newVM(appID, "app01", 0))
	disabled := newRelationship(appID, "app01")
	disabled.ReplicationState = new(msvm.Disabled)
	setRows(h, disabled)
	got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "consistency"))
	checkSeries(t, got, map[string]string{`collector_success{collector="consistency"}`: "1"})
}

// On a simulated host all relationships are consistent, whatever happens to them within a day.
func TestSimulatedRelationshipsAreConsistent(t *testing.T) {
	for _, scenario := range []string{"mixed", "failover-drill"} {
		clock := newFakeClock()
		config := simulator.Config{Seed: 1, Scenario: scenario, Now: clock.Now}
		r := newTestRig(t, config)
		for range 12 {
			values := map[string]int{}
			for s, v := range parseSeries(r.gather(t, scrapeTimeout, "consistency")) {
				if strings.HasPrefix(s, "hyperv_replica_relationship_consistent{") {
					values[v]++
				}
			}
			if values["1"] < 10 || len(values) > 1 {
				t.Errorf("%s at %v: relationships by value: %v", scenario, clock.Now(), values)
			}
			clock.Advance(2 * time.Hour)
		}
	}
}
