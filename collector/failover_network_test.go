package collector_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// adapter describes a network adapter and its failover settings as the host returns them.
type adapter struct {
	owner    string        // GUID of the VM, or of a checkpoint
	id       *string       // InstanceID of the settings
	part     wmiquery.Ref  // PartComponent of the association
	ip       []string      // IPAddresses of the settings
	dhcp     *bool         // DHCPEnabled of the settings
	only     associationOf // which of the two instances exist
	settings int           // number of times that a query for the adapter returns the settings; by default once if they exist
}

type associationOf string

const (
	both            associationOf = ""
	onlySettings    associationOf = "settings"
	onlyAssociation associationOf = "association"
)

// The InstanceID of failover settings is documented as always null. The settings of an adapter are then those that the
// association connects with it. It is not known which path the host returns for settings without InstanceID: one with a
// key of its own, the same for all settings, or none.
func TestFailoverSettingsWithoutInstanceID(t *testing.T) {
	static := func(owner string) adapter { return adapter{owner: owner, ip: []string{"10.0.0.4"}} }
	dhcp := func(owner string) adapter { return adapter{owner: owner, dhcp: new(true)} }
	one := func(configuration string) map[string]string { return map[string]string{configuration: "1"} }
	for _, tt := range []struct {
		name     string
		adapters []adapter
		app, sql map[string]string // adapters of app01 and sql01 by configuration, without zeros
		queries  int               // one for each adapter of a VM without InstanceID
	}{
		{name: "one adapter", adapters: []adapter{static(appID)}, app: one("static"), queries: 1},
		{
			name: "adapters of one VM", adapters: []adapter{static(appID), dhcp(appID), dhcp(appID)},
			app: map[string]string{"static": "1", "dhcp": "2"}, queries: 3,
		},
		{
			name: "VMs with different configurations", adapters: []adapter{static(appID), dhcp(sqlID), static(sqlID)},
			app: one("static"), sql: map[string]string{"static": "1", "dhcp": "1"}, queries: 3,
		},
		{
			name:     "checkpoints and the defaults for new adapters",
			adapters: []adapter{static(appID), dhcp(checkpointID), dhcp("Definition")},
			app:      one("static"), queries: 1,
		},
		{
			name:     "settings that belong to no adapter",
			adapters: []adapter{static(appID), {dhcp: new(true), only: onlySettings}},
			app:      one("static"), queries: 1,
		},
		{
			name:     "an adapter without settings",
			adapters: []adapter{static(appID), {owner: sqlID, only: onlyAssociation}},
			app:      one("static"), sql: one("unknown"), queries: 2,
		},
		{
			name: "settings that the class does not return", app: one("dhcp"), queries: 1,
			adapters: []adapter{{owner: appID, dhcp: new(true), only: onlyAssociation, settings: 1}},
		},
		{
			name: "settings that the host returns twice", app: one("dhcp"), queries: 1,
			adapters: []adapter{{owner: appID, dhcp: new(true), settings: 2}},
		},
		{
			name: "some hosts have an InstanceID for some", app: one("static"), sql: one("dhcp"), queries: 1,
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
					if got[successSeries("failover_network")] != "1" {
						t.Errorf("the collector failed: %q", r.logs.TakeLines())
					}
					requests := r.gatherRequests(t)[`hyperv_replica_wmi_requests_total{operation="AssociatorsOf",result="ok"}`]
					if requests != fmt.Sprint(tt.queries) {
						t.Errorf("got %s queries, want %d", requests, tt.queries)
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
	h.failoverNetworks = map[wmiquery.Ref][]msvm.FailoverNetworkAdapterSettingData{}
	for n, a := range adapters {
		s := msvm.FailoverNetworkAdapterSettingData{InstanceID: cmp.Or(a.id, id), IPAddresses: a.ip, DHCPEnabled: a.dhcp}
		if a.only != onlyAssociation {
			settings = append(settings, s)
			a.settings = max(a.settings, 1)
		}
		if a.only != onlySettings {
			components = append(components, msvm.EthernetPortFailoverSettingDataComponent{
				GroupComponent: adapterRef(a.owner, n), PartComponent: cmp.Or(a.part, path(n)),
			})
			h.failoverNetworks[adapterRef(a.owner, n)] = slices.Repeat(
				[]msvm.FailoverNetworkAdapterSettingData{s}, a.settings)
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

// The simulated host has null for InstanceID, as documented: it gets one query for each adapter. With the fault
// failover-network-ids, the InstanceID assigns each configuration to its adapter, without a query.
func TestFailoverNetworkOfSimulatedHosts(t *testing.T) {
	scrape := func(faults ...string) (series map[string]string, queries int) {
		r := newTestRig(t, simulator.Config{Seed: 1, Now: newFakeClock().Now, Faults: parseFaults(t, faults...)})
		series = parseSeries(r.gather(t, scrapeTimeout, "failover_network"))
		maps.DeleteFunc(series, func(s, _ string) bool { return strings.HasPrefix(s, "hyperv_replica_collector_") })
		return series, r.countCalls("AssociatorsOf")
	}
	byID, queries := scrape("failover-network-ids")
	configurations := map[string]bool{}
	for s, v := range adaptersOf(byID) {
		if v != "0" {
			configurations[labelValue(s, "configuration")] = true
		}
	}
	if want := map[string]bool{"static": true, "dhcp": true, "none": true}; !maps.Equal(configurations, want) || queries != 0 {
		t.Errorf("with InstanceID: configurations %v, %d queries; want %v, 0", configurations, queries, want)
	}
	byQuery, queries := scrape()
	if !maps.Equal(byQuery, byID) || queries != countAdapters(t, byID) {
		t.Errorf("without InstanceID: got %v with %d queries, want %v with %d", byQuery, queries, byID, countAdapters(t, byID))
	}
}
