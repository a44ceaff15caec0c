package collector_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// outcome is what a scrape must look like under a fault.
type outcome struct {
	fault  string
	fails  string // collectors with success 0
	lacks  string // collectors with supported 0
	log    string // in the one log line of each of both
	within time.Duration
	// changes are metrics whose values may differ from those without the fault;
	// all others must be the same or absent.
	changes []string
	more    bool // there may be series that there are not without the fault
}

// Q63, Q65: every fault, a slow host and a class that client editions lack among
// them: answered before the deadline, no other collector harmed, no value that is
// not true, and one log line however often it is scraped.
func TestFaults(t *testing.T) {
	const all = "relationship settings statistics service authorization provider test_replica failover_network job recovery_point certificate perf"
	names := []string{"state", "health", "mode", "last_replication_type", "failover_type", "relationship_info", "server_info", "service_status", "vm_protected", "provider_info", "failover_network_adapters"}
	for _, tt := range []outcome{
		{fault: "denied", fails: all, log: "Hyper-V Administrators", changes: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationSettingData", fails: "settings certificate", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicationService", fails: "statistics service test_replica job recovery_point certificate", log: "not supported by this host", changes: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationServiceSettingData", fails: "service certificate", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ComputerSystem", fails: "relationship settings statistics test_replica failover_network job recovery_point perf", log: "not supported by this host", changes: []string{"relationship_info"}},
		{fault: "class-missing=Msvm_ReplicationAuthorizationSettingData", fails: "authorization", log: "not supported by this host"},
		{fault: "class-missing=Msvm_EthernetPortFailoverSettingDataComponent", fails: "failover_network", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicaSystemDependency", fails: "test_replica", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ConcreteJob", fails: "job", log: "not supported by this host"},
		{fault: "class-missing=Msvm_AffectedJobElement", fails: "job", log: "not supported by this host"},
		{fault: "class-missing=Msvm_VirtualSystemSettingData", fails: "recovery_point", log: "not supported by this host"},
		{fault: "class-missing=Msvm_SnapshotOfVirtualSystem", fails: "recovery_point", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicationRelationship", lacks: "relationship settings statistics", log: "as on Windows Server 2012", changes: []string{"vm_protected"}},
		{fault: "class-missing=Msvm_ReplicationProvider", lacks: "provider", log: "as on Windows Server 2012"},
		{fault: "class-missing=Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM", lacks: "perf", log: "as on client editions"},
		{fault: "slow=1s", within: 9 * time.Second},
		{fault: "slow=20s", fails: all, log: "timed out", within: deadline, changes: []string{"up"}},
		{fault: "hung", fails: all, log: "timed out", within: deadline, changes: []string{"up"}},
		{fault: "hung=Msvm_ReplicationSettingData", fails: "settings certificate", log: "timed out", within: 5 * time.Second},
		{fault: "hung=Msvm_FailoverNetworkAdapterSettingData", fails: "failover_network", log: "timed out", within: 5 * time.Second},
		{fault: "hung=GetReplicationStatisticsEx", fails: "statistics", log: "timed out", within: deadline},
		{fault: "hung=GetSystemCertificates", fails: "certificate", log: "timed out", within: 5 * time.Second},
		{fault: "relationship-failing", fails: "statistics", log: "failed (32768)"},
		{fault: "relationship-hung", fails: "statistics", log: "timed out", within: 5 * time.Second},
		{fault: "disconnected", fails: all, log: "connection lost", changes: []string{"up"}},
		// A VM whose state is null or unknown may replicate, so it is asked for
		// statistics; two of these do not, and the host says so.
		{fault: "nulls", fails: "statistics", log: "invalid state", changes: names, more: true},
		{fault: "unknown-enum", fails: "statistics", log: "invalid state", changes: names, more: true},
		{fault: "duplicate-names"},
		{fault: "hostile-names"},
		{fault: "statistics-job", fails: "statistics", log: "job"},
		{fault: "statistics-empty", fails: "statistics", log: "returned no statistics"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFault(t, tt) })
		})
	}
}

func testFault(t *testing.T, want outcome) {
	config := simulator.Config{Seed: 1, VMs: 6, Now: newClock().Now}
	healthy := series(newRig(t, config).gather(t, deadline))

	faults, err := simulator.ParseFaults([]string{want.fault})
	if err != nil {
		t.Fatal(err)
	}
	config.Faults = faults
	r := newRig(t, config)
	start := time.Now()
	got := series(r.gather(t, deadline))
	if d := time.Since(start); d > want.within {
		t.Errorf("answered after %v, want within %v", d, want.within)
	}
	for _, c := range r.scraper.Collectors() {
		for metric, not := range map[string]string{"success": want.fails, "supported": want.lacks} {
			value := "1"
			if slices.Contains(strings.Fields(not), c) {
				value = "0"
			}
			if s := got[fmt.Sprintf("hyperv_replica_collector_%s{collector=%q}", metric, c)]; s != value {
				t.Errorf("collector %s: %s %s, want %s", c, metric, s, value)
			}
		}
	}
	checkTruth(t, healthy, got, want)

	r.gather(t, deadline)
	r.gather(t, deadline)
	lines := map[string]int{}
	for _, line := range r.logs.Take() {
		if _, c, ok := strings.Cut(line, "collector="); ok && strings.Contains(line, "err=") && !strings.Contains(line, "level=debug") {
			lines[strings.Fields(c)[0]]++
			if !strings.Contains(line, want.log) {
				t.Errorf("the log does not say %q: %s", want.log, line)
			}
		}
	}
	expected := map[string]int{}
	for c := range strings.FieldsSeq(want.fails + " " + want.lacks) {
		expected[c] = 1
	}
	if !maps.Equal(lines, expected) {
		t.Errorf("log lines by collector %v, want %v", lines, expected)
	}
	r.world.SetFaults(simulator.Faults{}) // lets hung calls end
	time.Sleep(time.Minute)               // and slow ones, by the bubble's clock
}

// checkTruth checks that each value is that of the host without the fault. VMs
// are told apart by GUID, which no fault changes.
func checkTruth(t *testing.T, healthy, got map[string]string, want outcome) {
	t.Helper()
	may := map[string]bool{"collector_success": true, "collector_supported": true, "collector_duration_seconds": true, "statistics_age_seconds": true, "snapshot_timestamp_seconds": true}
	for _, c := range want.changes {
		may[c] = true
	}
	truth := map[string]string{}
	for s, v := range healthy {
		truth[vmName.ReplaceAllString(s, "")] = v
	}
	for s, v := range got {
		name, _, _ := strings.Cut(strings.TrimPrefix(s, collector.Namespace+"_"), "{")
		real, known := truth[vmName.ReplaceAllString(s, "")]
		if v != real && !may[name] && (known || !want.more) {
			t.Errorf("%s is %s, without the fault %q", s, v, real)
		}
	}
}

// vmName is the label that has a VM's name.
var vmName = regexp.MustCompile(`vm="(?:[^"\\]|\\.)*",`)
