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

// faultCase is a fault of the simulated host, and its expected effect.
type faultCase struct {
	fault       string
	failing     string // collectors with success 0, separated by spaces
	unsupported string // collectors with supported 0, separated by spaces
	incomplete  string // collectors that succeed without some of their series, separated by spaces
	log         string // substring of the log line of each of these collectors
	within      time.Duration
	// changed are the metrics whose values may differ from those without the fault.
	// Series of all other metrics must have the same values, or be absent.
	changed     []string
	extraSeries bool // there may be series that do not exist without the fault
}

// Q63, Q65: with every fault, such as a slow host and a class that client editions do not
// have, a scrape is answered in time, other collectors are not affected, no wrong values
// are exposed, and each failure is logged once.
func TestFaults(t *testing.T) {
	const all = "relationship settings statistics service authorization provider test_replica consistency failover_network job recovery_point certificate perf"
	enums := []string{
		"state", "health", "mode", "last_replication_type", "failover_type", "relationship_info", "server_info",
		"service_status", "vm_protected", "provider_info", "provider_status", "failover_network_adapters",
	}
	for _, tt := range []faultCase{
		{fault: "denied", failing: all, log: "Hyper-V Administrators", changed: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationSettingData", failing: "settings certificate", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicationService", failing: "statistics service test_replica job recovery_point certificate", log: "not supported by this host", changed: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationServiceSettingData", failing: "service certificate", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ComputerSystem", failing: "relationship settings statistics test_replica consistency failover_network job recovery_point perf", log: "not supported by this host", changed: []string{"relationship_info"}},
		{fault: "class-missing=Msvm_ReplicationAuthorizationSettingData", failing: "authorization", log: "not supported by this host"},
		{fault: "class-missing=Msvm_EthernetPortFailoverSettingDataComponent", failing: "failover_network", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicaSystemDependency", failing: "test_replica", log: "not supported by this host"},
		{fault: "class-missing=Msvm_SystemReplicationRelationship", failing: "consistency", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ConcreteJob", failing: "job", log: "not supported by this host"},
		{fault: "class-missing=Msvm_AffectedJobElement", failing: "job", log: "not supported by this host"},
		{fault: "class-missing=Msvm_VirtualSystemSettingData", failing: "recovery_point", log: "not supported by this host"},
		{fault: "class-missing=Msvm_SnapshotOfVirtualSystem", failing: "recovery_point", log: "not supported by this host"},
		{fault: "class-missing=Msvm_ReplicationRelationship", failing: "relationship settings statistics service consistency", log: "not supported by this host", changed: []string{"up"}},
		{fault: "class-missing=Msvm_ReplicationProvider", failing: "provider", log: "not supported by this host"},
		{fault: "class-missing=Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM", unsupported: "perf", log: "as on client editions"},
		{fault: "slow=1s", within: 9 * time.Second},
		// The log says "busy" of a class whose query waits for a worker, else "timed out".
		{fault: "slow=20s", failing: all, log: "read ", within: scrapeTimeout, changed: []string{"up"}},
		{fault: "hung", failing: all, log: "read ", within: scrapeTimeout, changed: []string{"up"}},
		{fault: "hung=Msvm_ReplicationSettingData", failing: "settings certificate", log: "timed out", within: 5 * time.Second},
		{fault: "hung=Msvm_FailoverNetworkAdapterSettingData", failing: "failover_network", log: "timed out", within: 5 * time.Second},
		{fault: "hung=GetReplicationStatisticsEx", failing: "statistics", log: "timed out", within: scrapeTimeout},
		{fault: "hung=GetSystemCertificates", failing: "certificate", log: "timed out", within: 5 * time.Second},
		{fault: "relationship-failing", failing: "statistics", log: "failed (32768)"},
		{fault: "relationship-hung", failing: "statistics", log: "timed out", within: 5 * time.Second},
		{fault: "disconnected", failing: all, log: "connection lost", changed: []string{"up"}},
		// A VM whose state is null or unknown may replicate, so its statistics are read. Two of
		// these VMs do not replicate, and the host returns an error.
		{
			fault: "nulls", failing: "statistics", log: "invalid state", changed: enums, extraSeries: true,
			incomplete: "authorization certificate perf provider recovery_point relationship service settings",
		},
		{
			fault: "unknown-enum", failing: "statistics", log: "invalid state", changed: enums, extraSeries: true,
			incomplete: "recovery_point", // without the mode of a VM, it has no zeros
		},
		{fault: "duplicate-names", incomplete: "perf"},
		{fault: "hostile-names"},
		{fault: "statistics-job", failing: "statistics", log: "job"},
		{
			fault: "clock-back=8784h", changed: []string{"clock_anomaly", "window_end_timestamp_seconds"},
			incomplete: "relationship statistics job recovery_point", // without times and ages
		},
		{fault: "failover-network-ids"},
		{fault: "saved", changed: []string{"vm_running"}},
		{fault: "statistics-empty", failing: "statistics", log: "returned no statistics"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFault(t, tt) })
		})
	}
}

func testFault(t *testing.T, want faultCase) {
	config := simulator.Config{Seed: 1, VMs: 6, Now: newFakeClock().Now}
	healthy := parseSeries(newTestRig(t, config).gather(t, scrapeTimeout))

	faults := parseFaults(t, want.fault)
	config.Faults = faults
	r := newTestRig(t, config)
	start := time.Now()
	got := parseSeries(r.gather(t, scrapeTimeout))
	if d := time.Since(start); d > want.within {
		t.Errorf("scrape took %v, want at most %v", d, want.within)
	}
	for _, c := range r.scraper.Collectors() {
		for metric, collectors := range map[string]string{"success": want.failing, "supported": want.unsupported} {
			value := "1"
			if slices.Contains(strings.Fields(collectors), c) {
				value = "0"
			}
			if s := got[fmt.Sprintf("hyperv_replica_collector_%s{collector=%q}", metric, c)]; s != value {
				t.Errorf("collector %s: %s %s, want %s", c, metric, s, value)
			}
		}
	}
	checkValues(t, healthy, got, want)
	checkPresence(t, healthy, got, want)

	r.gather(t, scrapeTimeout)
	r.gather(t, scrapeTimeout)
	lines := map[string]int{}
	for _, line := range r.logs.TakeLines() {
		_, c, ok := strings.Cut(line, "collector=")
		if ok && strings.Contains(line, "err=") && !strings.Contains(line, "level=debug") {
			lines[strings.Fields(c)[0]]++
			if !strings.Contains(line, want.log) {
				t.Errorf("log line does not contain %q: %s", want.log, line)
			}
		}
	}
	expected := map[string]int{}
	for c := range strings.FieldsSeq(want.failing + " " + want.unsupported) {
		expected[c] = 1
	}
	if !maps.Equal(lines, expected) {
		t.Errorf("log lines by collector %v, want %v", lines, expected)
	}
	r.world.SetFaults(simulator.Faults{}) // ends hung calls
	time.Sleep(time.Minute)               // waits for slow calls
}

// checkValues checks that the values are the same as without the fault. It ignores the
// names of VMs, since faults may change them.
func checkValues(t *testing.T, healthy, got map[string]string, want faultCase) {
	t.Helper()
	mayChange := map[string]bool{
		"collector_success": true, "collector_supported": true, "collector_duration_seconds": true,
		"statistics_age_seconds": true, "snapshot_timestamp_seconds": true,
	}
	for _, m := range want.changed {
		mayChange[m] = true
	}
	healthyValues := map[string]string{}
	for s, v := range healthy {
		healthyValues[vmNameLabel.ReplaceAllString(s, "")] = v
	}
	for s, v := range got {
		name, _, _ := strings.Cut(strings.TrimPrefix(s, collector.Namespace+"_"), "{")
		healthyValue, known := healthyValues[vmNameLabel.ReplaceAllString(s, "")]
		if v != healthyValue && !mayChange[name] && (known || !want.extraSeries) {
			t.Errorf("%s = %s, without the fault %q", s, v, healthyValue)
		}
	}
}

// checkPresence checks that collectors that succeed have all series that they have without the fault, except those of
// metrics that may change. It ignores the names of VMs.
func checkPresence(t *testing.T, healthy, got map[string]string, want faultCase) {
	t.Helper()
	exposed := map[string]bool{}
	for s := range got {
		exposed[vmNameLabel.ReplaceAllString(s, "")] = true
	}
	for _, c := range collector.All(collector.Options{}) {
		if slices.Contains(strings.Fields(want.failing+" "+want.unsupported+" "+want.incomplete), c.Name) {
			continue
		}
		n := 0
		for s := range healthy {
			name, _, _ := strings.Cut(s, "{")
			if !slices.ContainsFunc(c.Metrics, func(m *collector.Metric) bool { return m.Name == name }) ||
				slices.Contains(want.changed, strings.TrimPrefix(name, collector.Namespace+"_")) {
				continue
			}
			n++
			if !exposed[vmNameLabel.ReplaceAllString(s, "")] {
				t.Errorf("%s of collector %s: missing", s, c.Name)
			}
		}
		if n == 0 && c.Name != "test_replica" && len(want.changed) == 0 {
			t.Errorf("collector %s: no series without the fault", c.Name)
		}
	}
}

// vmNameLabel matches the labels with the name of a VM.
var vmNameLabel = regexp.MustCompile(`(?:vm|message|recommended_action)="(?:[^"\\]|\\.)*",`)
