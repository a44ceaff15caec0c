package collector_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// infoSeries returns the series relationship_info of newHostWithVM with the values of its labels,
// without the prefix.
func infoSeries(authentication, primaryPoint, primary, provider, replicaPoint, port, replica string) string {
	return `relationship_info{authentication="` + authentication + `",mode="primary",primary_connection_point="` +
		primaryPoint + `",primary_server="` + primary + `",provider="` + provider +
		`",relationship="primary",replica_connection_point="` + replicaPoint +
		`",replica_port="` + port + `",replica_server="` + replica + `",vm="app01",vm_id="` + appID + `"}`
}

// Q15, Q24, Q25: disks are counted in both forms, and the servers are the current nodes. If the
// primary host is empty, the connection point is the primary server.
func TestSettingsProperties(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	s := msvm.ReplicationSettingData{
		InstanceID:               `Microsoft:` + appID + `\HVR\0`,
		AuthenticationType:       new(msvm.Authentication(1)),
		CompressionEnabled:       new(true),
		BypassProxyServer:        new(false),
		AutoResynchronizeEnabled: new(false),
		ReplicateHostKvpItems:    new(true),
		PrimaryHostSystem:        new("node1.contoso.com"), PrimaryConnectionPoint: new("broker.contoso.com"),
		RecoveryHostSystem: new("node2.contoso.com"), RecoveryConnectionPoint: new("replica-broker.contoso.com"),
		RecoveryServerPortNumber:              new(uint16(8080)),
		ReplicationProvider:                   new(`\\HV01\root\virtualization\v2:Msvm_ReplicationProvider.Name="22391cdc-272c-4ddf-ba88-9befb1a0975c"`),
		RecoveryHistory:                       new(uint16(24)),
		ReplicationInterval:                   new(uint16(900)),
		ApplicationConsistentSnapshotInterval: new(uint16(4)),
		AutoResynchronizeIntervalStart:        new(18*time.Hour + 30*time.Minute),
		AutoResynchronizeIntervalEnd:          new(6 * time.Hour),
		IncludedDisks: []string{
			`Microsoft:GUID\83F8638B\0\0\L`,
			`\\HV01\root\virtualization\v2:Msvm_StorageAllocationSettingData.InstanceID="x"`,
		},
	}
	setRows(h, s)
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout, "settings"))
	checkSeries(t, got, map[string]string{
		infoSeries("kerberos", "broker.contoso.com", "node1.contoso.com", "22391CDC-272C-4DDF-BA88-9BEFB1A0975C",
			"replica-broker.contoso.com", "8080", "node2.contoso.com"): "1",
		"compression_enabled" + appRelationship:                     "1",
		"proxy_bypass_enabled" + appRelationship:                    "0",
		"auto_resynchronize_enabled" + appRelationship:              "0",
		"kvp_replication_enabled" + appRelationship:                 "1",
		"recovery_points_configured" + appRelationship:              "24",
		"interval_seconds" + appRelationship:                        "900",
		"rpo_objective_seconds" + appRelationship:                   "1800",
		"application_consistent_interval_seconds" + appRelationship: "14400",
		"auto_resynchronize_window_start_seconds" + appRelationship: "66600",
		"auto_resynchronize_window_end_seconds" + appRelationship:   "21600",
		"included_disks" + appRelationship:                          "2",
		`collector_success{collector="settings"}`:                   "1",
	})
	s.CompressionEnabled, s.BypassProxyServer = new(false), new(true)
	s.AutoResynchronizeEnabled, s.ReplicateHostKvpItems = new(true), new(false)
	s.PrimaryHostSystem, s.IncludedDisks = new(""), []string{}
	setRows(h, s)
	checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "settings")), map[string]string{
		infoSeries("kerberos", "broker.contoso.com", "broker.contoso.com", "22391CDC-272C-4DDF-BA88-9BEFB1A0975C",
			"replica-broker.contoso.com", "8080", "node2.contoso.com"): "1",
		"compression_enabled" + appRelationship:        "0",
		"proxy_bypass_enabled" + appRelationship:       "1",
		"auto_resynchronize_enabled" + appRelationship: "1",
		"kvp_replication_enabled" + appRelationship:    "0",
		"included_disks" + appRelationship:             "0",
	})
}

// Q51: properties that are null, as those that an external provider does not use, have no series. So
// do snapshots that are disabled.
func TestSettingsThatAreNull(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	s := msvm.ReplicationSettingData{InstanceID: `Microsoft:` + appID + `\HVR\0`}
	for _, number := range []*uint16{nil, new(uint16(0))} {
		s.ApplicationConsistentSnapshotInterval, s.RecoveryServerPortNumber = number, number
		setRows(h, s)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "settings"))
		checkSeries(t, got, map[string]string{
			infoSeries("", "", "", "", "", "", ""):    "1",
			`collector_success{collector="settings"}`: "1",
		})
		for series := range got {
			if strings.Contains(series, appID) && !strings.Contains(series, "relationship_info") {
				t.Errorf("unexpected series %s", series)
			}
		}
	}
}

// Settings that are invalid or duplicates do not affect those of other relationships.
func TestInvalidSettings(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	other := newSettings(appID)
	other.ReplicationInterval = new(uint16(30))
	setRows(h, msvm.ReplicationSettingData{InstanceID: "nonsense"}, newSettings(appID), other, newSettings(sqlID))
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout, "settings")) // fails if a series is exposed twice
	checkSeries(t, got, map[string]string{
		"interval_seconds" + appRelationship:      "300", // of the first settings
		`collector_success{collector="settings"}`: "0",
	})
	if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, "nonsense") {
		t.Errorf("log does not name the invalid settings: %s", log)
	}
	for s := range got {
		if strings.Contains(s, sqlID) {
			t.Errorf("%s is exposed for a VM that does not replicate", s)
		}
	}
}

// If the settings cannot be read, the log names that error only, and not every relationship without settings.
func TestSettingsThatCannotBeRead(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	h.setError("Msvm_ReplicationSettingData", wmiquery.ErrInvalidState)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "settings")
	const want = `err="read Msvm_ReplicationSettingData: invalid state"`
	if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, want) {
		t.Errorf("log %s, want %s", log, want)
	}
}

// Q2: settings of a relationship that is disabled have no series.
func TestSettingsOfDisabledRelationship(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	relationship := newRelationship(appID, "app01")
	relationship.ReplicationState = new(msvm.ReplicationState(0))
	setRows(h, relationship)
	got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "settings"))
	checkSeries(t, got, map[string]string{
		"interval_seconds" + appRelationship: "", `collector_success{collector="settings"}`: "1",
	})
}

// The objective is that of the first rule that matches the name or the GUID of the VM, or twice the interval.
func TestObjectiveOfRelationship(t *testing.T) {
	for _, tt := range []struct {
		rules    []string
		interval *uint16
		want     string
	}{
		{nil, new(uint16(30)), "60"},
		{nil, nil, ""},
		{nil, new(uint16(0)), ""},
		{[]string{"15m"}, nil, "900"},
		{[]string{"app01=5m", "15m"}, new(uint16(900)), "300"},
		{[]string{appID + "=1h"}, new(uint16(900)), "3600"},
		{[]string{"web|app=5m"}, new(uint16(30)), "60"},
		{[]string{"web|app.*=5m"}, new(uint16(30)), "300"},
		{[]string{"app.*=5m", "app01=1h"}, new(uint16(30)), "300"},
	} {
		var objectives []collector.Objective
		for _, rule := range tt.rules {
			o, err := collector.ParseObjective(rule)
			if err != nil {
				t.Fatal(err)
			}
			objectives = append(objectives, o)
		}
		h := newHostWithVM(newFakeClock())
		s := newSettings(appID)
		s.ReplicationInterval = tt.interval
		setRows(h, s)
		r := newFakeHostRig(h)
		r.scraper = collector.NewScraper(collector.Options{
			Reader: h, Logger: newLogger(r.logs), Objectives: func() []collector.Objective { return objectives }, CallTimeout: time.Second,
		}, func(string) bool { return true })
		checkSeries(t, parseSeries(r.gather(t, scrapeTimeout, "settings")), map[string]string{
			"rpo_objective_seconds" + appRelationship: tt.want,
		})
	}
}

// Relationships without settings fail the collector: without an objective, no alert can fire. They are
// logged once, by their number and the first of them.
func TestMissingSettingsFailCollector(t *testing.T) {
	h := newHostWithVMs(newFakeClock(), 6)
	setRows(h, newSettings(vmNumber(3)))
	r := newFakeHostRig(h)
	for range 10 {
		got := parseSeries(r.gather(t, scrapeTimeout, "settings"))
		checkSeries(t, got, map[string]string{`collector_success{collector="settings"}`: "0"})
		if v := valuesOf(got, "interval_seconds", "vm"); !maps.Equal(v, map[string]string{"vm03": "300"}) {
			t.Errorf("interval_seconds %v, want that of vm03", v)
		}
	}
	const want = `settings of 5 replicating relationships, such as ` +
		`Microsoft:90000000-0000-4000-8000-000000000001\\HVR\\0: not found`
	if lines := takeErrorLines(r); len(lines) != 1 || !strings.Contains(lines[0], want) {
		t.Errorf("log: %s, want one line with %s", lines, want)
	}
}
