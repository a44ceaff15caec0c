package simulator_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-error.md, PerceivedSeverity, with the numbers of the schema: 3 is
// degraded, 6 is critical. The texts and the recommended actions, of which some are null, contain the name of the VM.
// The probable cause is unknown, 0.
func TestHealthIssues(t *testing.T) {
	w, _ := newWorld(t, simulator.Config{Seed: 1})
	s := open(t, w, "HV01")
	for _, tt := range []struct {
		vm         int
		name       string
		severities string // of the issues, as digits
		health     uint32
		actions    int
	}{
		{healthy, "web01", "", 1, 0},
		{slowLink, "mail01", "3", 2, 0},
		{pausedOnPrimary, "print01", "3", 2, 1},
		{initialReplication, "erp-db-01", "3", 2, 0},
		{critical, "backup-proxy-01", "63", 3, 2},
	} {
		r := relationships(t, s, vms(t, s)[tt.vm])[0]
		got, actions := "", 0
		for _, issue := range r.issues {
			got += string(rune('0' + *issue.PerceivedSeverity))
			if !strings.Contains(*issue.Message, "'"+tt.name+"'") || issue.MessageArguments[0] != tt.name {
				t.Errorf("%s: issue is %q with arguments %q", tt.name, *issue.Message, issue.MessageArguments)
			}
			for _, action := range issue.RecommendedActions {
				if actions++; !strings.Contains(action, "'"+tt.name+"'") {
					t.Errorf("%s: the recommended action is %q", tt.name, action)
				}
			}
			checkFact(t, "ProbableCause", issue.ProbableCause, 0)
		}
		if actions != tt.actions {
			t.Errorf("%s: %d recommended actions, want %d", tt.name, actions, tt.actions)
		}
		if got != tt.severities || *r.stats.ReplicationHealth != tt.health {
			t.Errorf("%s: severities are %s, health is %d, want %s, %d",
				tt.name, got, *r.stats.ReplicationHealth, tt.severities, tt.health)
		}
	}
}

// Source: Microsoft's virtualization blog, 2012-06-15: more than an hour since the last replication is a warning.
func TestReplicationAgeOfAnHour(t *testing.T) {
	for _, host := range hosts[:2] {
		d := newVMDriver(t, healthy)
		d.do("HV01", method("ResetReplicationStatisticsEx", d.relationshipParam(msvm.Primary)...))
		d.do("HV01", request(7))
		last := *d.rows(host)[0].LastReplicationTime
		behind := func() bool { return strings.Contains(relationships(t, d.hosts[host], d.vm)[0].String(), " 33414") }
		d.clock.Set(last.Add(time.Hour))
		if behind() {
			t.Errorf("%s: behind after an hour", host)
		}
		d.clock.Advance(time.Second)
		if !behind() {
			t.Errorf("%s: not behind after more than an hour", host)
		}
	}
}
