package collector_test

import (
	"maps"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Tests of the collectors failover_network, perf, provider, authorization, test_replica and service.

// The configuration of an adapter follows from three properties of its failover settings.
func TestFailoverConfiguration(t *testing.T) {
	addresses := []string{"10.0.0.4"}
	for _, tt := range []struct {
		name      string
		protocol  *uint16 // 0 unknown, 4096 IPv4, 4097 IPv6, 4098 both
		dhcp      *bool
		addresses []string
		want      string
	}{
		{"static IPv4", new(uint16(4096)), new(false), addresses, "static"},
		{"static IPv6, DHCP for IPv4", new(uint16(4098)), new(true), []string{"fd00::4"}, "static"},
		{"DHCP", new(uint16(4096)), new(true), nil, "dhcp"},
		{"DHCP, protocol null", nil, new(true), nil, "dhcp"},
		{"not configured, DHCP left true", new(uint16(0)), new(true), nil, "none"},
		{"not configured, addresses left", new(uint16(0)), new(false), addresses, "none"},
		{"no DHCP and no address", new(uint16(4096)), new(false), nil, "none"},
		{"no DHCP, protocol null", nil, new(false), nil, "none"},
		{"DHCP null", new(uint16(4096)), nil, nil, "none"},
		{"all null", nil, nil, nil, "unknown"},
		{"only addresses", nil, nil, addresses, "static"},
	} {
		h := newHostWithVM(newFakeClock())
		s := msvm.FailoverNetworkAdapterSettingData{
			InstanceID: new("1"), ProtocolIFType: tt.protocol, DHCPEnabled: tt.dhcp, IPAddresses: tt.addresses,
		}
		setRows(h, s)
		component := msvm.EthernetPortFailoverSettingDataComponent{
			GroupComponent: adapterRef(appID, 0), PartComponent: s.Ref(),
		}
		setRows(h, component, component) // the host may return an association twice
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "failover_network"))
		want := map[string]string{"static": "0", "dhcp": "0", "none": "0", "unknown": "0"}
		want[tt.want] = "1"
		if values := valuesOf(got, "failover_network_adapters", "configuration"); !maps.Equal(values, want) {
			t.Errorf("%s: adapters by configuration %v, want one %s", tt.name, values, tt.want)
		}
	}
}

// Q21: a performance instance belongs to the VM with its name, without the number that Windows added.
// Names of several VMs or instances have no series, and an instance of no VM has an empty vm_id.
func TestPerfInstances(t *testing.T) {
	vms := []msvm.ComputerSystem{
		newVM(appID, "app01", 1), newVM(sqlID, "sql01", 1), newVM(mailID, "sql01", 1), newVM(labID, "lab#2", 1),
	}
	for _, tt := range []struct {
		name      string
		instances []string
		want      map[string]string // vm_id by vm
	}{
		{"one VM", []string{"app01"}, map[string]string{"app01": appID}},
		{"numbered instance of one VM", []string{"app01#1"}, map[string]string{"app01": appID}},
		{"name of a VM that ends in a number", []string{"lab#2"}, map[string]string{"lab#2": labID}},
		{"number in the middle of a name", []string{"app01#1 - Test"}, map[string]string{"app01#1 - Test": ""}},
		{"number before letters", []string{"app01#1a"}, map[string]string{"app01#1a": ""}},
		{"numbered instance of no VM", []string{"gone#1"}, map[string]string{"gone#1": ""}},
		{"no VM", []string{"gone"}, map[string]string{"gone": ""}},
		{"one instance of two VMs", []string{"sql01"}, map[string]string{"sql01": ""}},
		{"two instances of two VMs", []string{"sql01", "sql01#1", "app01"}, map[string]string{"app01": appID}},
		{"total", []string{"_Total", "app01"}, map[string]string{"app01": appID}},
		{"no name", []string{"", "app01"}, map[string]string{"app01": appID}},
	} {
		h := newHostWithVM(newFakeClock())
		setRows(h, vms...)
		var rows []msvm.ReplicaPerformance
		for _, name := range tt.instances {
			rows = append(rows, msvm.ReplicaPerformance{Name: name, NetworkBytesSent: new(uint64(1))})
		}
		setRows(h, rows...)
		got := map[string]string{}
		for s := range parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "perf")) {
			if vm := labelValue(s, "vm"); vm != "" {
				got[vm] = labelValue(s, "vm_id")
			}
		}
		if !maps.Equal(got, tt.want) {
			t.Errorf("%s: vm_id by vm %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Each performance counter is the property of its name. Null is absent, and 0 is 0.
func TestPerfProperties(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	setRows(h, msvm.ReplicaPerformance{
		Name: "app01", NetworkBytesSent: new(uint64(1)), NetworkBytesRecv: new(uint64(2)),
		ResynchronizedBytes: new(uint64(3)), ReplicationCount: new(uint32(4)),
	})
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "perf")), map[string]string{
		"network_sent_bytes_total" + appVM: "1", "network_received_bytes_total" + appVM: "2",
		"resynchronized_bytes_total" + appVM: "3", "replications_total" + appVM: "4",
	})
	setRows(h, msvm.ReplicaPerformance{Name: "app01", NetworkBytesSent: new(uint64(0))})
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "perf")), map[string]string{
		"network_sent_bytes_total" + appVM: "0", "network_received_bytes_total" + appVM: "",
		"resynchronized_bytes_total" + appVM: "", "replications_total" + appVM: "",
	})
}

// Providers that differ in the case of their GUID are the same. Only that of Hyper-V is built in. 2 is ok, 6 error; a
// provider without a status has none.
func TestProviders(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h,
		msvm.ReplicationProvider{Name: "22391cdc-272c-4ddf-ba88-9befb1a0975c", ElementName: new("Hyper-V"), OperationalStatus: []uint16{6, 2}},
		msvm.ReplicationProvider{Name: "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"},
		msvm.ReplicationProvider{Name: "b8b5c7e6-4d2c-4f0b-9c53-6c2a5d7b9f10"},
		msvm.ReplicationProvider{})
	got := valuesOf(parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "provider")), "provider_info", "provider_id")
	want := map[string]string{"22391CDC-272C-4DDF-BA88-9BEFB1A0975C": "1", "B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10": "1"}
	if !maps.Equal(got, want) {
		t.Errorf("providers %v, want %v", got, want)
	}
	exposed := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "provider"))
	checkSeries(t, exposed, map[string]string{
		`provider_info{builtin="true",name="Hyper-V",provider_id="22391CDC-272C-4DDF-BA88-9BEFB1A0975C"}`: "1",
		`provider_info{builtin="false",name="",provider_id="B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10"}`:       "1",
		`provider_status{provider_id="22391CDC-272C-4DDF-BA88-9BEFB1A0975C",status="ok"}`:                 "0",
		`provider_status{provider_id="22391CDC-272C-4DDF-BA88-9BEFB1A0975C",status="error"}`:              "1",
		`provider_status{provider_id="22391CDC-272C-4DDF-BA88-9BEFB1A0975C",status="other"}`:              "0",
		`provider_status{provider_id="B8B5C7E6-4D2C-4F0B-9C53-6C2A5D7B9F10",status="ok"}`:                 "",
	})
}

// The number of authorization entries is that of the host. The same server may have entries of several
// trust groups and folders.
func TestAuthorizationEntries(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "authorization")), map[string]string{
		"authorization_entries": "0",
	})
	setRows(h,
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*"), TrustGroup: new("A")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*"), TrustGroup: new("B")},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*"), TrustGroup: new("B")},
		msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: new("*"), TrustGroup: new("B"), ReplicaStorageLocation: new(`D:\Replica`),
		},
		msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*")},
		msvm.ReplicationAuthorizationSettingData{ReplicaStorageLocation: new(`E:\Replica`)})
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "authorization")), map[string]string{
		"authorization_entries": "6",
		`authorization_entry_info{primary_server="*",storage_location="",trust_group="A"}`:            "1",
		`authorization_entry_info{primary_server="*",storage_location="",trust_group="B"}`:            "1",
		`authorization_entry_info{primary_server="*",storage_location="D:\\Replica",trust_group="B"}`: "1",
		`authorization_entry_info{primary_server="*",storage_location="",trust_group=""}`:             "1",
		`authorization_entry_info{primary_server="",storage_location="E:\\Replica",trust_group=""}`:   "",
	})
}

// On a cluster a replica may have two test VMs. A dependency that the host returns twice has one series.
func TestTestReplicas(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	one := msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM1ID)}
	setRows(h, one, one, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM2ID)})
	checkSeries(t, parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "test_replica")), map[string]string{
		`test_replica_present{test_vm_id="` + testVM1ID + `",vm="app01",vm_id="` + appID + `"}`: "1",
		`test_replica_present{test_vm_id="` + testVM2ID + `",vm="app01",vm_id="` + appID + `"}`: "1",
		`collector_success{collector="test_replica"}`:                                           "1",
	})
}

// A dependency that is not between two VMs fails the collector and has no series.
func TestInvalidTestReplica(t *testing.T) {
	for _, d := range []msvm.ReplicaSystemDependency{
		{},
		{Antecedent: msvm.VMRef(appID)},
		{Dependent: msvm.VMRef(testVM1ID)},
		{Antecedent: msvm.VMRef(appID), Dependent: "nonsense"},
		{Antecedent: msvm.VMRef("HV09"), Dependent: msvm.VMRef(testVM1ID)},
	} {
		h := newHostWithVM(newFakeClock())
		setRows(h, d)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "test_replica"))
		if hasMetric(got, "test_replica_present") {
			t.Errorf("test_replica_present is exposed for the dependency %+v", d)
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="test_replica"}`: "0"})
	}
}

// The settings of the replica server are exposed as far as they are known. Of several instances, which
// Windows does not have, the first counts.
func TestReplicaServer(t *testing.T) {
	full := msvm.ReplicationServiceSettingData{
		AllowedAuthenticationType: new(msvm.Authentication(3)), HttpPort: new(uint16(80)), HttpsPort: new(uint16(443)),
		RecoveryServerEnabled: new(true), MonitoringInterval: new(uint32(43200)),
	}
	info := map[string]string{"both": "1"}
	for _, tt := range []struct {
		name string
		set  func(*msvm.ReplicationServiceSettingData)
		want map[string]string
	}{
		{"all", func(*msvm.ReplicationServiceSettingData) {}, info},
		{"no authentication", func(s *msvm.ReplicationServiceSettingData) { s.AllowedAuthenticationType = nil }, nil},
		{"no HTTP port", func(s *msvm.ReplicationServiceSettingData) { s.HttpPort = nil }, nil},
		{"no HTTPS port", func(s *msvm.ReplicationServiceSettingData) { s.HttpsPort = nil }, nil},
	} {
		h := newHostWithVM(newFakeClock())
		s := full
		tt.set(&s)
		setRows(h, s, msvm.ReplicationServiceSettingData{RecoveryServerEnabled: new(false)})
		service := msvm.ReplicationService{Name: "replicasvc", OperationalStatus: []uint16{2}}
		setRows(h, service, service)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "service"))
		if v := valuesOf(got, "server_info", "authentication"); !maps.Equal(v, tt.want) {
			t.Errorf("%s: server_info %v, want %v", tt.name, v, tt.want)
		}
		checkSeries(t, got, map[string]string{
			"up": "1", "server_enabled": "1", "monitoring_interval_seconds": "43200", "monitoring_start_seconds": "",
			`collector_success{collector="service"}`: "1",
		})
	}
}

// up reports the replication service alone: a host whose settings cannot be read is up.
func TestUpWithoutServerSettings(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	h.setError("Msvm_ReplicationServiceSettingData", wmiquery.ErrInvalidState)
	got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "service"))
	checkSeries(t, got, map[string]string{"up": "1", `collector_success{collector="service"}`: "0"})
	if status := currentState(t, got, "service_status", "status"); status != "ok" {
		t.Errorf("service status %q, want ok", status)
	}
}
