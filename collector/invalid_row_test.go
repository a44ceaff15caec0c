package collector_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A value that no collector shows fails none: one of a job that does not concern replication, and one of a relationship
// that does not replicate.
func TestInvalidValueThatIsNotShown(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h, newJob("1", 1, msvm.JobRunning), newJob("2", msvm.JobStartInitialReplication, msvm.JobRunning))
	disabled := newRelationship(otherID, "db01")
	*disabled.ReplicationState = msvm.Disabled
	setRows(h, newRelationship(appID, "app01"), disabled)
	for _, tt := range []struct {
		class, property string
		row             int
		collector       string
		want            string
	}{
		{jobClass, "ElapsedTime", 0, "job", "1"},
		{jobClass, "ElapsedTime", 1, "job", "1"},
		{jobClass, "StartTime", 0, "job", "1"},
		{jobClass, "StartTime", 1, "job", "0"},
		{relationshipClass, "LastReplicationTime", 1, "relationship", "1"},
		{relationshipClass, "LastReplicationTime", 0, "relationship", "0"},
		{relationshipClass, "LastReplicationTime", 0, "settings", "1"},
		{relationshipClass, "LastReplicationTime", 0, "statistics", "1"},
		{relationshipClass, "LastReplicationTime", -1, "settings", "0"}, // the instance could not be read
	} {
		r := newFakeHostRig(h)
		setInvalid(h, tt.class, wmiquery.InvalidValue{Row: tt.row, Property: tt.property})
		got := parseSeries(r.gather(t, scrapeTimeout, tt.collector))
		if got[successSeries(tt.collector)] != tt.want {
			t.Errorf("%+v: got success %s; log %s", tt, got[successSeries(tt.collector)], r.logs.TakeLines())
		}
		if valuesOf(got, "operation_running", "operation")["start_initial_replication"] != "1" && tt.collector == "job" {
			t.Errorf("%+v: the job is missing", tt)
		}
		h.setError(tt.class, nil)
	}
}

const otherID = "B0000000-0000-4000-8000-00000000000B"

// A row with an empty key is left out. The other rows are shown, the collector fails, and the log names the property.
func TestRowWithEmptyKeyIsLeftOut(t *testing.T) {
	var h *fakeHost
	for _, tt := range []struct {
		class, instance, property, collector, series string
		set                                          func()
	}{
		{relationshipClass, "x", "InstanceID", "relationship", `vm_protected{vm="app01",vm_id="` + appID + `"}`, func() {
			setRows(h, msvm.ReplicationRelationship{ElementName: new("x")}, newRelationship(appID, "app01"))
		}},
		{"Msvm_ReplicationSettingData", "", "InstanceID", "settings", "interval_seconds", func() {
			setRows(h, msvm.ReplicationSettingData{}, newSettings(appID))
		}},
		{"Msvm_ComputerSystem", "x", "Name", "relationship", "mode", func() {
			setRows(h, msvm.ComputerSystem{ElementName: new("x"), ReplicationMode: new(msvm.ModePrimary)},
				newVM(appID, "app01", 1))
		}},
		{jobClass, "", "InstanceID", "job", "operation_running", func() {
			setRows(h, newJob("", msvm.JobStartInitialReplication, msvm.JobRunning),
				newJob("1", msvm.JobResynchronize, msvm.JobRunning))
		}},
		{"Msvm_ReplicationProvider", "x", "Name", "provider", "provider_info", func() {
			setRows(h, msvm.ReplicationProvider{ElementName: new("x")}, msvm.ReplicationProvider{Name: msvm.BuiltinProvider})
		}},
	} {
		h = newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		tt.set()
		exposition := r.gather(t, scrapeTimeout, tt.collector)
		got := parseSeries(exposition)
		if got[successSeries(tt.collector)] != "0" || !strings.Contains(exposition, "hyperv_replica_"+tt.series) {
			t.Errorf("%s: got\n%s", tt.class, exposition)
		}
		if strings.Contains(exposition, `="x"`) || strings.Contains(exposition, `start_initial_replication",vm=""`) {
			t.Errorf("%s: the row with the empty key is shown:\n%s", tt.class, exposition)
		}
		want := "class=" + tt.class + " instance=" + tt.instance + ` property=` + tt.property + ` value= err="the key of the instance is empty"`
		if lines := invalidLines(r); len(lines) != 1 || lines[0] != want {
			t.Errorf("%s: got lines %q, want %s", tt.class, lines, want)
		}
	}
}

// A service without a usable instance is an error, not a host without permission.
func TestServiceThatCannotBeRead(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	r := newFakeHostRig(h)
	setRows[msvm.ReplicationService](h)
	setInvalid(h, "Msvm_ReplicationService", wmiquery.InvalidValue{Row: -1})
	got := parseSeries(r.gather(t, scrapeTimeout, "service", "statistics", "certificate"))
	for _, c := range []string{"service", "statistics", "certificate"} {
		if got[successSeries(c)] != "0" {
			t.Errorf("collector %s succeeds", c)
		}
	}
	if lines := strings.Join(takeErrorLines(r), "\n"); strings.Contains(lines, "Administrator") ||
		!strings.Contains(lines, "Msvm_ReplicationService: no instance can be read") {
		t.Errorf("got log %s", lines)
	}
}

// Of a certificate that cannot be read, the thumbprint is not known: it may be the one that is missing.
func TestCertificateThatCannotBeRead(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	der, present := newCertificate(t, noon)
	for thumbprint, want := range map[string]string{present: "1", missingThumbprint: "0"} {
		r := newFakeHostRig(h)
		s := newSettings(appID)
		s.AuthenticationType, s.CertificateThumbPrint = new(msvm.AuthenticationCertificate), &thumbprint
		setRows(h, s)
		h.certificates = certificatesReply(der)
		h.certificates.Out["EncodedCertificates"] = append(h.certificates.Out["EncodedCertificates"].([]string), "?")
		got := parseSeries(r.gather(t, scrapeTimeout, "certificate"))
		if got[successSeries("certificate")] != want || hasMetric(got, "certificate_present") != (want == "1") {
			t.Errorf("%s: got success %s, want %s", thumbprint, got[successSeries("certificate")], want)
		}
	}
}

// The configuration of an adapter is unknown if one of its properties is invalid: the others do not suffice.
func TestConfigurationWithInvalidValueIsUnknown(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	s := msvm.FailoverNetworkAdapterSettingData{InstanceID: new("1"), ProtocolIFType: new(uint16(4096))}
	setRows(h, s)
	setRows(h, msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: adapterRef(appID, 0), PartComponent: s.Ref()})
	for property, want := range map[string]string{"IPAddresses": "unknown", "DHCPEnabled": "unknown", "Subnets": "none"} {
		setInvalid(h, "Msvm_FailoverNetworkAdapterSettingData", wmiquery.InvalidValue{Property: property})
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "failover_network"))
		if values := valuesOf(got, "failover_network_adapters", "configuration"); values[want] != "1" {
			t.Errorf("%s: got adapters by configuration %v, want one %s", property, values, want)
		}
	}
}
