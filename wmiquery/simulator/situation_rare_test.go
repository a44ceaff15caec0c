package simulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Sources: msvm-replicationrelationship.md in MicrosoftDocs/win32, HyperV_v2: the values of ReplicationState and of
// FailedOverReplicationType.
var (
	statesInScenarios = map[uint16]string{
		0: "mixed", 1: "mixed", 2: "mixed", 3: "mixed", 4: "mixed", 5: "mixed", 6: "mixed", 7: "mixed", 8: "mixed",
		9: "mixed", 10: "mixed", 11: "mixed", 12: "mixed",
		13: "every-state", // failback in progress
		14: "every-state", // failback complete
		15: "every-state", // disk update in progress
		16: "every-state", // disk update critical
		17: "every-state", // unknown
		18: "every-state", // repurpose in progress
		19: "every-state", // prepared for sync replication
		20: "every-state", // prepared for group reverse replication
		21: "every-state", // firedrill in progress
	}
	failoverTypesInScenarios = map[uint16]string{
		0: "mixed",       // none
		1: "mixed",       // regular
		2: "every-state", // application-consistent
		3: "every-state", // planned
	}
)

// Clients meet every documented state, and every documented type of failover, in a scenario, from the start and for an
// hour.
func TestEveryStateIsInAScenario(t *testing.T) {
	if len(statesInScenarios) != 22 || len(failoverTypesInScenarios) != 4 {
		t.Fatalf("%d states and %d types, want 22 and 4", len(statesInScenarios), len(failoverTypesInScenarios))
	}
	for seed := range uint64(3) {
		states, types := map[string]bool{}, map[string]bool{}
		for _, scenario := range []string{"mixed", "every-state"} {
			w, c := newWorld(t, simulator.Config{Seed: seed, Scenario: scenario})
			for _, when := range []string{"at the start", "an hour later"} {
				for _, h := range hosts[:2] {
					for _, r := range read[msvm.ReplicationRelationship](t, open(t, w, h)) {
						states[fmt.Sprint(uint16(*r.ReplicationState), scenario, when)] = true
						types[fmt.Sprint(uint16(*r.FailedOverReplicationType), scenario, when)] = true
					}
				}
				c.Advance(time.Hour)
			}
			if err := w.Invariants(); err != nil {
				t.Errorf("%s: %v", scenario, err)
			}
		}
		for state, scenario := range statesInScenarios {
			if !states[fmt.Sprint(state, scenario, "at the start")] {
				t.Errorf("seed %d: no relationship of %s is in state %d at the start", seed, scenario, state)
			}
			// What runs and what waits for the night ends by itself.
			if !states[fmt.Sprint(state, scenario, "an hour later")] && !slices.Contains([]uint16{10, 11}, state) {
				t.Errorf("seed %d: no relationship of %s is in state %d an hour later", seed, scenario, state)
			}
		}
		for kind, scenario := range failoverTypesInScenarios {
			if !types[fmt.Sprint(kind, scenario, "at the start")] {
				t.Errorf("seed %d: no relationship of %s has failed over with type %d", seed, scenario, kind)
			}
		}
	}
}

// replicaInState is a driver for the first replica VM on HV01 that is in a state in the scenario every-state, with an
// external provider or that of Hyper-V.
func replicaInState(t *testing.T, state uint16, external bool) *vmDriver {
	t.Helper()
	w, c := newWorld(t, simulator.Config{Seed: 1, Scenario: "every-state"})
	d := &vmDriver{t, w, c, map[string]wmiquery.Session{}, ""}
	for _, h := range hosts {
		d.hosts[h] = open(t, w, h)
	}
	for _, d.vm = range vms(t, d.hosts["HV01"]) {
		if strings.HasPrefix(d.states(), fmt.Sprintf("2[%d ", state)) && d.hasExternalProvider("HV01") == external {
			return d
		}
	}
	t.Fatalf("no replica in state %d", state)
	return nil
}

// hasExternalProvider reports whether the relationship of the VM has a provider that is not the one of Hyper-V.
func (d *vmDriver) hasExternalProvider(host string) bool {
	d.Helper()
	provider := d.settings(host).ProviderID()
	known := false
	for _, p := range read[msvm.ReplicationProvider](d.T, d.hosts[host]) {
		known = known || p.Name == provider
	}
	if !known {
		d.Errorf("the host has no provider %s", provider)
	}
	return provider != "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"
}

// Source: initiatefailback-msvm-replicationservice.md in MicrosoftDocs/win32, HyperV_v2: the call is forwarded to the
// provider of the relationship. 13 is failback in progress, 14 failback complete, 124 the type of the job. That the
// provider of Hyper-V does not support it is inferred.
func TestInitiateFailback(t *testing.T) {
	failback := withSettings("InitiateFailback", msvm.Primary, func(*msvm.ReplicationSettingData) {})
	d := replicaInState(t, 6, true)
	d.checkJob("fail back", "HV01", failback(d, "HV01"), 124, "2[13 0] 1[8] -", "2[14 0] 1[8] -")
	d.wantCode("fail back again", failback(d, "HV01"), 32775)

	d = replicaInState(t, 6, true)
	d.world.SetFaults(parseFaults(t, "job-failing"))
	d.wantFailedJob("fail back", "HV01", failback, 32768)
	d.wantStates("failed", "2[6 0] 1[8] -")

	d = replicaInState(t, 6, false)
	d.wantCode("provider of Hyper-V", failback(d, "HV01"), 32770)
	d.wantStates("provider of Hyper-V", "2[6 0] 1[8] -")
}

// Sources: the pages of the methods in MicrosoftDocs/win32, HyperV_v2: RemoveReplicationRelationshipEx and
// SetFailoverNetworkAdapterSettings do not support external providers. That a provider must exist is inferred.
func TestExternalProvider(t *testing.T) {
	d := replicaInState(t, 3, true)
	remove := withRelationship("RemoveReplicationRelationshipEx", msvm.Primary)
	d.wantCode("remove", remove(d, "HV01"), 32770)
	d.wantCode("failover network", d.call("HV01", "SetFailoverNetworkAdapterSettings", "NetworkSettings", []string{}), 32770)
	d.do("HV01", method("InitiateFailover"), method("CommitFailover"))

	d = newVMDriver(t, healthy)
	unknown := `Msvm_ReplicationProvider.Name="B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10"` // HV03 has it
	d.wantCode("unknown provider",
		modify(func(s *msvm.ReplicationSettingData) { s.ReplicationProvider = &unknown })(d, "HV01"), 32773)
	d.do("HV01", modify(func(*msvm.ReplicationSettingData) {}))
}

// Replication continues during a fire drill, which is a test failover of a group of VMs. That is inferred from the test
// failover of one VM.
func TestReplicationContinuesDuringFiredrill(t *testing.T) {
	d := replicaInState(t, 21, false)
	before := *d.statistics("HV01").ReplicationSuccessCount
	d.clock.Advance(time.Hour)
	d.wantStates("an hour later", "2[21 0] 1[3] -")
	if got := *d.statistics("HV01").ReplicationSuccessCount; got < before+3 {
		t.Errorf("%d replications within an hour, want at least 3", got-before)
	}
}

// A VM that requires a resynchronization from the start has nothing to send, like one that requires it later: changes are
// not tracked.
func TestNothingIsPendingBeforeResynchronization(t *testing.T) {
	d := newVMDriver(t, resyncRequired)
	d.wantStates("at the start", "1[9] 2[3 0] -")
	if got := *d.statistics("HV01").PendingReplicationSize; got != 0 {
		t.Errorf("%d bytes are pending, want 0", got)
	}
}

// A placeholder whose initial replica was exported can import it.
func TestImportOfExportedSituation(t *testing.T) {
	d := replicaInState(t, 2, false)
	for _, d.vm = range vms(t, d.hosts["HV01"]) {
		if d.states() == "2[2 0] 1[2] -" && d.runningJob("HV02") == 0 { // no disks are sent over the network
			break
		}
	}
	d.checkJob("import", "HV01", d.call("HV01", "ImportInitialReplica", "InitialReplicationImportLocation", `E:\`),
		95, "2[2 0] 1[2] -", "2[3 0] 1[3] -")
}
