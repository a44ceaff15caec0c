package collector_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// shownBy names the collectors that show properties of a class, and so fail if one of them is invalid. For all other
// properties no collector fails.
var shownBy = []struct{ class, collectors, properties string }{
	{
		"Msvm_ComputerSystem",
		"consistency failover_network job perf recovery_point relationship settings statistics test_replica", "Name",
	},
	{"Msvm_ComputerSystem", "failover_network job perf recovery_point relationship test_replica", "ElementName"},
	{"Msvm_ComputerSystem", "relationship", "EnabledState"},
	{"Msvm_ComputerSystem", "consistency recovery_point relationship settings statistics", "ReplicationMode"},
	{
		"Msvm_ReplicationRelationship", "consistency relationship settings statistics",
		"InstanceID ElementName ReplicationState",
	},
	{
		"Msvm_ReplicationRelationship", "relationship",
		"ReplicationHealth FailedOverReplicationType LastReplicationType LastReplicationTime " +
			"LastApplicationConsistentReplicationTime LastApplyTime",
	},
	{
		"Msvm_ReplicationSettingData", "settings",
		"InstanceID CompressionEnabled BypassProxyServer RecoveryConnectionPoint RecoveryHostSystem " +
			"PrimaryConnectionPoint PrimaryHostSystem RecoveryServerPortNumber ReplicateHostKvpItems " +
			"ApplicationConsistentSnapshotInterval " +
			"RecoveryHistory IncludedDisks AutoResynchronizeEnabled AutoResynchronizeIntervalStart " +
			"AutoResynchronizeIntervalEnd ReplicationProvider ReplicationInterval",
	},
	{"Msvm_ReplicationSettingData", "certificate settings", "AuthenticationType"},
	{"Msvm_ReplicationSettingData", "certificate", "CertificateThumbPrint RootCertificateThumbPrint"},
	{
		"Msvm_ReplicationStatistics", "statistics",
		"StartStatisticTime EndStatisticTime ReplicationSuccessCount ReplicationMissCount ReplicationSize " +
			"MaxReplicationSize ReplicationLatency MaxReplicationLatency NetworkFailureCount " +
			"ReplicationFailureCount ApplicationConsistentSnapshotFailureCount PendingReplicationSize " +
			"LastTestFailoverTime",
	},
	{
		"Msvm_ReplicationService", "certificate statistics",
		"Name CreationClassName SystemName SystemCreationClassName",
	},
	{"Msvm_ReplicationService", "service", "OperationalStatus"},
	{
		"Msvm_ReplicationServiceSettingData", "certificate service",
		"RecoveryServerEnabled AllowedAuthenticationType",
	},
	{"Msvm_ReplicationServiceSettingData", "certificate", "CertificateThumbPrint"},
	{"Msvm_ReplicationServiceSettingData", "service", "HttpPort HttpsPort MonitoringInterval MonitoringStartTime"},
	{
		"Msvm_ReplicationAuthorizationSettingData", "authorization",
		"AllowedPrimaryHostSystem TrustGroup ReplicaStorageLocation",
	},
	{"Msvm_ReplicationProvider", "provider", "Name ElementName OperationalStatus"},
	{"Msvm_ReplicaSystemDependency", "test_replica", "Antecedent Dependent"},
	{"Msvm_SystemReplicationRelationship", "consistency", "Antecedent Dependent"},
	{
		"Msvm_FailoverNetworkAdapterSettingData", "failover_network",
		"ProtocolIFType DHCPEnabled IPAddresses",
	},
	{"Msvm_EthernetPortFailoverSettingDataComponent", "failover_network", "GroupComponent PartComponent"},
	{"Msvm_ConcreteJob", "job", "InstanceID JobType JobState PercentComplete StartTime"},
	{"Msvm_AffectedJobElement", "job", "AffectedElement AffectingElement"},
	{
		"Msvm_VirtualSystemSettingData", "recovery_point",
		"InstanceID VirtualSystemIdentifier VirtualSystemType CreationTime",
	},
	{"Msvm_SnapshotOfVirtualSystem", "recovery_point", "Antecedent Dependent"},
	{
		"Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM", "perf",
		"Name NetworkBytesSent NetworkBytesRecv ResynchronizedBytes ReplicationCount",
	},
	{"Msvm_Error", "statistics", "MessageID PerceivedSeverity Message RecommendedActions"},
}

// seriesByCollector returns the series without those about the scrape, by collector.
func seriesByCollector(r *testRig, t *testing.T) (series map[string]map[string]string, success map[string]string) {
	series, success = map[string]map[string]string{}, map[string]string{}
	for _, name := range r.scraper.Collectors() {
		got := parseSeries(r.gather(t, scrapeTimeout, name))
		success[name] = got[successSeries(name)]
		maps.DeleteFunc(got, func(s, _ string) bool { return strings.HasPrefix(s, "hyperv_replica_collector_") })
		series[name] = got
	}
	return series, success
}

// An invalid value of a property fails the collectors that show it, and changes no series of any other.
func TestInvalidValueFailsCollectorsThatShowIt(t *testing.T) {
	clock := newFakeClock()
	r := newTestRig(t, simulator.Config{Seed: 1, Now: clock.Now})
	healthy, _ := seriesByCollector(r, t)
	want := map[string]string{}
	for _, s := range shownBy {
		for p := range strings.FieldsSeq(s.properties) {
			want[s.class+"."+p] = s.collectors
		}
	}
	for _, class := range append(msvm.Classes(), msvm.Error{}) {
		for f := range reflect.TypeOf(class).Fields() {
			property := class.WMIClass().Name + "." + f.Name
			r.world.SetFaults(parseFaults(t, "invalid-value="+property))
			got, success := seriesByCollector(r, t)
			var failing []string
			for name, s := range got {
				if success[name] != "1" {
					failing = append(failing, name)
				} else if !maps.Equal(s, healthy[name]) {
					t.Errorf("%s: collector %s succeeds with other series", property, name)
				}
			}
			slices.Sort(failing)
			if got := strings.Join(failing, " "); got != want[property] {
				t.Errorf("%s: collectors %q fail, want %q", property, got, want[property])
			}
			delete(want, property)
		}
	}
	if len(want) > 0 {
		t.Errorf("properties %v do not exist", want)
	}
}
