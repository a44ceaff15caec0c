package doctor_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Each fault of a host has its lines, which say what to do.
func TestFaults(t *testing.T) {
	const noService = "without the replication service there are no calls"
	for fault, tt := range map[string]struct {
		failed bool
		lines  map[string][]string // parts of lines, by the name of the row
	}{
		"denied": {true, map[string][]string{
			"rights": {
				"failed rights all 17 classes are without instances, as for an account without rights; elevated: no",
				"Check that the service vmms is running. Run the program in a console that was started with Run as administrator",
			},
			"service vmms":                 {"failed service vmms no replication service. Check that the service vmms is running"},
			"statistics":                   {"not checked statistics " + noService},
			"certificates":                 {"not checked certificates " + noService},
			"statistics-embedded-instance": {"not checked", noService},
			"enabled-state":                {"not checked enabled-state no VM"},
		}},
		"disconnected": {true, map[string][]string{
			"service vmms":   {"failed service vmms", ": connection lost. Check the services winmgmt and vmms."},
			"rights":         {"not checked rights Msvm_ReplicationService cannot be read"},
			"unknown-column": {"not checked"},
		}},
		"class-missing=Msvm_ConcreteJob": {true, map[string][]string{
			"Msvm_ConcreteJob": {"failed", "not supported by this host after 0s. Install the Hyper-V role", "HyperVReplicaHostUnreadable"},
			"rights":           {"ok rights"},
		}},
		"class-missing=Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM": {false, map[string][]string{
			"Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM": {"warning", "Only the collector perf needs it"},
		}},
		"class-missing=Msvm_SystemReplicationRelationship": {true, map[string][]string{
			"consistency":                 {"not checked consistency a class cannot be read: class Msvm_SystemReplicationRelationship"},
			"association-of-relationship": {"not checked"},
		}},
		"hung": {true, map[string][]string{
			"Msvm_ComputerSystem": {"failed", "no answer within 5s after 5s. Repeat the command with a longer --wmi.call-timeout"},
			// The first reads hang in all workers of the pool.
			"Msvm_ConcreteJob": {"failed", "busy", "after 0s. Earlier calls have not returned"},
			"rights":           {"not checked"},
			"duration":         {"failed duration Msvm_ComputerSystem: no answer within 5s"},
			"unknown-column":   {"not checked"},
			"call-duration":    {"not checked call-duration classes could not be read"},
		}},
		"hung=Msvm_VirtualSystemSettingData": {true, map[string][]string{
			"Msvm_VirtualSystemSettingData": {"failed", "no answer within 5s after 5s"},
			"Msvm_SnapshotOfVirtualSystem":  {"ok", "instances in 0s"},
			"duration":                      {"failed duration Msvm_VirtualSystemSettingData: no answer within 5s"},
		}},
		"hung=GetReplicationStatisticsEx": {true, map[string][]string{
			"statistics":              {"failed", "sending side: no answer within 5s after 5s", "restart the service vmms"},
			"duration":                {"failed duration GetReplicationStatisticsEx: no answer within 5s"},
			"certificates":            {"ok certificates"},
			"pending-size-on-replica": {"not checked"},
			"statistics-return-code":  {"not checked"},
		}},
		"hung=GetSystemCertificates": {true, map[string][]string{
			"certificates": {"failed certificates no answer within 5s after 5s"},
			"statistics":   {"ok statistics"},
			"duration":     {"failed duration GetSystemCertificates: no answer within 5s"},
		}},
		"slow=8s": {true, map[string][]string{
			"Msvm_ComputerSystem": {"failed", "no answer within 5s after 5s. Repeat the command with a longer --wmi.call-timeout"},
			"duration":            {"failed"},
		}},
		"slow=3s": {false, map[string][]string{
			"Msvm_ComputerSystem": {"ok", "instances in 3s"},
			"call-duration": {
				"answer call-duration the 4 slowest classes take at most 3s for each, 12s one after another, and 3s at the same time",
			},
			"duration": {
				"warning duration 54s for all classes one after another; at most 3s for a call",
				"with 4 workers about 20.25s for a scrape of 21 relationships and 9 adapters, of 10s. Increase the scrape timeout",
			},
		}},
		"nulls": {false, map[string][]string{
			"service vmms":  {"warning service vmms OperationalStatus is null"},
			"clock":         {"not checked clock", "0 past, 0 never"},
			"enabled-state": {"answer enabled-state null ("},
			"statistics":    {"ok statistics unknown side: code 0"},
		}},
		"invalid-value": {true, map[string][]string{
			"Msvm_VirtualSystemSettingData": {"failed", `invalid values: CreationTime (`, `such as "00000000000000.000000+000" of Microsoft:AAAAAAAA-`},
			"statistics":                    {"failed", "invalid values: "},
			"call-duration":                 {"answer call-duration the 4 slowest classes"},
			"invalid-values":                {"answer", "Msvm_VirtualSystemSettingData.CreationTime ("},
		}},
		"invalid-value=Msvm_ComputerSystem.EnabledState": {true, map[string][]string{
			"Msvm_ComputerSystem": {"failed", `invalid values: EnabledState (`, `such as "invalid" of HOST1. Collectors that show such a value fail`},
			"statistics":          {"ok"},
			"invalid-values":      {"answer invalid-values Msvm_ComputerSystem.EnabledState (12), such as"},
		}},
		"clock-back": {false, map[string][]string{
			"clock":        {"warning clock", "in the future, by up to ", "Msvm_ReplicationRelationship.LastReplicationTime (", "HyperVReplicaClockAnomaly"},
			"future-times": {"answer future-times by up to "},
		}},
		"service-error": {true, map[string][]string{
			"service vmms": {"failed service vmms OperationalStatus is 6: ", "see HyperVReplicaListenerDown in docs/runbooks.md"},
		}},
		"statistics-job": {true, map[string][]string{
			"statistics":             {"failed statistics sending side: the host started a job instead of returning data after 0s"},
			"statistics-return-code": {"answer statistics-return-code 4096 (4)"},
		}},
		"statistics-empty": {true, map[string][]string{
			"statistics":             {"failed statistics sending side: the host returned no statistics after 0s", "The collector statistics fails"},
			"statistics-return-code": {"answer statistics-return-code 0 (4)"},
			"window-end":             {"not checked"},
			"window-start-jitter":    {"not checked"},
		}},
		"method-failing=GetReplicationStatisticsEx": {true, map[string][]string{
			"statistics":                     {"failed statistics sending side: failed (32768) after 0s"},
			"statistics-return-code":         {"answer statistics-return-code 32768 (4)"},
			"statistics-without-replication": {"answer statistics-without-replication failed (32768)"},
		}},
		"method-failing=GetSystemCertificates": {true, map[string][]string{
			"certificates": {"failed certificates failed (32768) after 0s"},
		}},
		"failover-network-ids": {false, map[string][]string{
			"failover networks":            {"ok failover networks 9 associations, none needs a query"},
			"failover-network-association": {"answer failover-network-association InstanceID is null in 0 of 9 instances; the first association has the paths "},
		}},
		"saved": {false, map[string][]string{
			"enabled-state": {"answer enabled-state 32769 saved (8), 32779 saved (7), 6 saved (7)"},
		}},
		"unknown-enum": {false, map[string][]string{
			"test-vm-relationship": {"not checked"},
		}},
	} {
		r := examine(t, simulator.Config{Seed: 7}, []string{fault}, doctor.Options{Account: "elevated: no"})
		for name, parts := range tt.lines {
			got := line(t, r, name)
			if !strings.HasPrefix(got, parts[0]) {
				t.Errorf("%s: got %q, want it to start with %q", fault, got, parts[0])
			}
			for _, part := range parts {
				if !strings.Contains(got, part) {
					t.Errorf("%s: got %q, want %q", fault, got, part)
				}
			}
		}
		if text, _ := output(t, r); r.Failed() != tt.failed {
			t.Errorf("%s: failed is %v, want %v:\n%s", fault, r.Failed(), tt.failed, text)
		}
	}
}

// The oldest builds that the exporter supports are accepted, older ones are not.
func TestBuilds(t *testing.T) {
	for build, want := range map[string]string{
		"":      "not checked windows build the build is not known",
		"9600":  "failed windows build 9600. The exporter needs Windows Server 2016 or Windows 10.",
		"10239": "failed windows build 10239",
		"10240": "ok windows build 10240",
		"14393": "ok windows build 14393",
		"20348": "ok windows build 20348",
	} {
		r := examine(t, simulator.Config{}, nil, doctor.Options{Build: build})
		if got := line(t, r, "windows build"); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q", build, got, want)
		}
	}
}
