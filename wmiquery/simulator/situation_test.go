package simulator_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Both hosts report each situation for any seed: the state, the health, its reasons, and the time of the
// last replication.
func TestSituations(t *testing.T) {
	const (
		ok      = "replicating/ok"
		initial = "waiting_to_complete_initial_replication/warning 99007"
		never   = -1
	)
	situations := []struct {
		name             string
		inbound          bool // HV02 sends to HV01
		sender, receiver string
		other            string  // another VM that belongs to the VM
		youngest, oldest float64 // age of the last replication in minutes
	}{
		{"replicating", false, ok, ok, "", 0, 6},
		{"replicating inbound", true, ok, ok, "", 0, 6},
		{"every 30 s", false, ok, ok, "", 0, 2},
		{"every 900 s", false, ok, ok, "", 0, 31},
		{"never replicated", false, "disabled/not_applicable", "", "", never, 0},
		{"slow link", false, "replicating/warning 99006", "replicating/warning 99006", "", 0, 20},
		{"paused on the primary", false, "suspended/warning 99008", ok, "", 40, 50},
		{"initial replication", false, initial, initial, "", never, 0},
		{"resynchronization required", false, "waiting_to_start_resynchronization/critical 99002 33414", "replicating/warning 33414", "", 90, 100},
		{"critical", false, "critical/critical 99001 33414", "critical/critical 99001 33414", "", 80, 90},
		{"freshly enabled", false, "ready_for_replication/warning 99007", initial, "", never, 0},
		{"paused on the replica", true, "replicating/critical 99004", "suspended/critical 99003", "", 25, 35},
		{"resynchronizing", false, "resynchronizing/warning 99010", "resynchronizing/warning 99010", "", 20, 30},
		{"resynchronization suspended", false, "resynchronization_suspended/warning 99010", "resynchronizing/warning 99010", "", 50, 60},
		{"prepared for planned failover", false, "synced_replication_complete/ok last planned", "replicating/ok last planned", "", 5, 5},
		{"failover in progress", true, "critical/critical 99001", "failover_in_progress/warning 99009", "", 2, 12},
		{"failed over", true, "critical/critical 99001", "recovered/warning failed over regular 99009", "", 30, 40},
		{"failover committed", true, "critical/critical 99001 33414", "committed/warning failed over regular 99009", "", 100, 110},
		{"extended", true, ok, ok + " " + ok, "extended_replica: " + ok, 0, 6},
		{"test failover", true, ok, ok, "test_replica: disabled/not_applicable", 0, 6},
		{"initial replication inbound", true, initial, initial, "", never, 0},
	}
	for seed := range uint64(5) {
		w, c := newWorld(t, simulator.Config{Seed: seed})
		hv01, hv02, hv03 := open(t, w, "HV01"), open(t, w, "HV02"), open(t, w, "HV03")
		ids := vms(t, hv01)
		if len(ids) != len(situations) {
			t.Fatalf("%d VMs, want %d", len(ids), len(situations))
		}
		tests := map[string]string{}
		for _, c := range read[msvm.ComputerSystem](t, hv01) {
			if name, test := strings.CutSuffix(*c.ElementName, " - Test"); test {
				tests[name] = describe(t, hv01, c.Name)
			}
		}
		for i, want := range situations {
			from, to, mode := hv01, hv02, "primary: "
			if want.inbound {
				from, to = hv02, hv01
			}
			switch {
			case want.receiver == "":
				mode = "none: "
			case want.name == "extended":
				want.receiver = "replica: " + want.receiver
			default:
				want.receiver = "replica: " + want.receiver + " disabled/not_applicable"
			}
			rows := append(relationships(t, from, ids[i]), relationships(t, to, ids[i])...)
			got := describe(t, from, ids[i]) + "; " + describe(t, to, ids[i]) + "; " + describe(t, hv03,
				ids[i]) + tests[*rows[0].ElementName]
			if want := mode + want.sender + "; " + want.receiver + "; " + want.other; got != want {
				t.Errorf("seed %d, %s: got %s, want %s", seed, situations[i].name, got, want)
			}
			for j, r := range rows {
				last, replicated := msvm.Known(r.LastReplicationTime)
				_, applied := msvm.Known(r.LastApplyTime)
				age := c.Now().Sub(last).Minutes()
				wanted := want.youngest != never && r.Replicates()
				receives := j > 0 && strings.HasSuffix(r.InstanceID, `\0`)
				if replicated != wanted || wanted && (age < want.youngest || age > want.oldest) ||
					applied != (wanted && receives) ||
					replicated == (*r.LastReplicationType == msvm.TypeNone) {
					t.Errorf("seed %d, %s: last replication in row %d is %s at %v, applied at %v",
						seed, want.name, j, r.LastReplicationType, last, r.LastApplyTime)
				}
			}
		}
	}
}
