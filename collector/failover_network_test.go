package collector_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// adapter describes a network adapter and its failover settings as the host returns them.
type adapter struct {
	owner string        // GUID of the VM, or of a checkpoint
	id    *string       // InstanceID of the settings
	part  wmiquery.Ref  // PartComponent of the association
	ip    []string      // IPAddresses of the settings
	dhcp  *bool         // DHCPEnabled of the settings
	only  associationOf // which of the two instances exist
}

type associationOf string

const (
	both            associationOf = ""
	onlySettings    associationOf = "settings"
	onlyAssociation associationOf = "association"
)

// The InstanceID of failover settings is documented as always null. The settings of an adapter are then known only if
// it does not matter which settings belong to which adapter. It is not known which path the host returns for settings
// without InstanceID: one with a key of its own, the same for all settings, or none.
func TestFailoverSettingsWithoutInstanceID(t *testing.T) {
	static := func(owner string) adapter { return adapter{owner: owner, ip: []string{"10.0.0.4"}} }
	dhcp := func(owner string) adapter { return adapter{owner: owner, dhcp: new(true)} }
	one := func(configuration string) map[string]string { return map[string]string{configuration: "1"} }
	for _, tt := range []struct {
		name     string
		adapters []adapter
		app, sql map[string]string // adapters of app01 and sql01 by configuration, without zeros
		warning  bool
	}{
		{name: "one adapter", adapters: []adapter{static(appID)}, app: one("static")},
		{
			name: "adapters of one VM", adapters: []adapter{static(appID), dhcp(appID), dhcp(appID)},
			app: map[string]string{"static": "1", "dhcp": "2"},
		},
		{
			name: "VMs with the same configuration", adapters: []adapter{static(appID), static(sqlID), static(sqlID)},
			app: one("static"), sql: map[string]string{"static": "2"},
		},
		{
			name: "VMs with different configurations", adapters: []adapter{static(appID), dhcp(sqlID)},
			app: one("unknown"), sql: one("unknown"), warning: true,
		},
		{
			name: "a VM and a checkpoint with different configurations", adapters: []adapter{static(appID), dhcp(checkpointID)},
			app: one("unknown"), warning: true,
		},
		{
			name: "a VM and a checkpoint with the same configuration", adapters: []adapter{static(appID), static(checkpointID)},
			app: one("static"),
		},
		{
			name:     "settings that belong to no adapter",
			adapters: []adapter{static(appID), {ip: []string{"10.0.0.5"}, only: onlySettings}},
			app:      one("static"),
		},
		{
			name:     "other settings that belong to no adapter",
			adapters: []adapter{static(appID), {dhcp: new(true), only: onlySettings}},
			app:      one("unknown"), warning: true,
		},
		{
			name:     "an adapter without settings",
			adapters: []adapter{static(appID), {owner: sqlID, only: onlyAssociation}},
			app:      one("unknown"), sql: one("unknown"), warning: true,
		},
		{name: "no settings at all", adapters: []adapter{{owner: appID, only: onlyAssociation}}, app: one("unknown")},
		{
			name: "some hosts have an InstanceID for some", app: one("static"), sql: one("dhcp"),
			adapters: []adapter{
				static(appID),
				{owner: sqlID, id: new("7"), part: `Msvm_FailoverNetworkAdapterSettingData.InstanceID="7"`, dhcp: new(true)},
			},
		},
	} {
		for form, path := range map[string]func(n int) wmiquery.Ref{
			"key of its own": func(n int) wmiquery.Ref {
				return wmiquery.Ref(fmt.Sprintf(`Msvm_FailoverNetworkAdapterSettingData.InstanceID="Microsoft:%d"`, n))
			},
			"empty key": func(int) wmiquery.Ref { return `Msvm_FailoverNetworkAdapterSettingData.InstanceID=""` },
			"null":      func(int) wmiquery.Ref { return "" },
		} {
			for _, id := range []*string{nil, new("")} {
				t.Run(tt.name+", "+form, func(t *testing.T) {
					h := newHostWithVM(newFakeClock())
					setRows(h, newVM(appID, "app01", 2), newVM(sqlID, "sql01", 2))
					setAdapters(h, tt.adapters, id, path)
					r := newFakeHostRig(h)
					got := parseSeries(r.gather(t, scrapeTimeout, "failover_network"))
					checkAdapters(t, got, "app01", appID, tt.app)
					checkAdapters(t, got, "sql01", sqlID, tt.sql)
					log := strings.Join(r.logs.takeLines(), "\n")
					if strings.Contains(log, "not assigned to adapters") != tt.warning {
						t.Errorf("log is %q, want a warning: %v", log, tt.warning)
					}
				})
			}
		}
	}
}

// setAdapters sets the failover settings and their associations. Settings without an id of their own get id, and
// associations without a path that of their number.
func setAdapters(h *fakeHost, adapters []adapter, id *string, path func(n int) wmiquery.Ref) {
	var settings []msvm.FailoverNetworkAdapterSettingData
	var components []msvm.EthernetPortFailoverSettingDataComponent
	for n, a := range adapters {
		if a.only != onlyAssociation {
			s := msvm.FailoverNetworkAdapterSettingData{InstanceID: id, IPAddresses: a.ip, DHCPEnabled: a.dhcp}
			if a.id != nil {
				s.InstanceID = a.id
			}
			settings = append(settings, s)
		}
		if a.only != onlySettings {
			part := a.part
			if part == "" {
				part = path(n)
			}
			components = append(components, msvm.EthernetPortFailoverSettingDataComponent{
				GroupComponent: adapterRef(a.owner, n), PartComponent: part,
			})
		}
	}
	setRows(h, settings...)
	setRows(h, components...)
}

// checkAdapters checks the adapters of a VM by configuration; want lacks zeros, and is nil for a VM without series.
func checkAdapters(t *testing.T, got map[string]string, vm, id string, want map[string]string) {
	t.Helper()
	values := map[string]string{}
	for _, configuration := range []string{"static", "dhcp", "none", "unknown"} {
		series := fmt.Sprintf("hyperv_replica_failover_network_adapters{configuration=%q,vm=%q,vm_id=%q}",
			configuration, vm, id)
		if v, ok := got[series]; ok && v != "0" {
			values[configuration] = v
		}
	}
	if !maps.Equal(values, want) {
		t.Errorf("adapters of %s by configuration: %v, want %v", vm, values, want)
	}
}

// The simulated host has null for InstanceID, as documented. With the fault failover-network-ids, the InstanceID assigns
// each configuration to its adapter.
func TestFailoverNetworkOfSimulatedHosts(t *testing.T) {
	configurations := func(faults ...string) map[string]bool {
		r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now, Faults: parseFaults(t, faults...)})
		seen := map[string]bool{}
		for s, v := range parseSeries(r.gather(t, scrapeTimeout, "failover_network")) {
			if _, after, ok := strings.Cut(s, `failover_network_adapters{configuration="`); ok && v != "0" {
				configuration, _, _ := strings.Cut(after, `"`)
				seen[configuration] = true
			}
		}
		return seen
	}
	if got, want := configurations(), map[string]bool{"unknown": true}; !maps.Equal(got, want) {
		t.Errorf("configurations %v, want %v", got, want)
	}
	want := map[string]bool{"static": true, "dhcp": true, "none": true}
	if got := configurations("failover-network-ids"); !maps.Equal(got, want) {
		t.Errorf("configurations with InstanceID %v, want %v", got, want)
	}
}
