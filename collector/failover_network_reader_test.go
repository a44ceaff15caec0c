package collector_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// adaptersOf returns the series of failover_network_adapters.
func adaptersOf(got map[string]string) map[string]string {
	series := maps.Clone(got)
	maps.DeleteFunc(series, func(s, _ string) bool {
		return !strings.HasPrefix(s, "hyperv_replica_failover_network_adapters{")
	})
	return series
}

// countAdapters returns the number of adapters in the series of a scrape.
func countAdapters(t *testing.T, got map[string]string) int {
	t.Helper()
	adapters := 0
	for s, v := range adaptersOf(got) {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		adapters += n
	}
	return adapters
}

// A query for one adapter that hangs costs the series of its VM and no other, and holds at most two workers.
func TestHungAdapterDoesNotAffectOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := simulator.Config{Seed: 1, VMs: 40, Now: time.Now}
		healthy := adaptersOf(parseSeries(newTestRig(t, config).gather(t, scrapeTimeout, "failover_network")))
		hang, hungVM := make(chan struct{}), ""
		for s := range healthy {
			hungVM = max(hungVM, labelValue(s, "vm_id"))
		}
		hooks := sessionHooks{associated: func(s wmiquery.Session, dst any, of wmiquery.Ref, by wmiquery.Class) error {
			if msvm.VMOf(of) == hungVM {
				<-hang
			}
			return s.Associated(dst, of, by)
		}}
		r := newTestRigWith(t, config, hooks.wrap)
		want := maps.Clone(healthy)
		maps.DeleteFunc(want, func(s, _ string) bool { return labelValue(s, "vm_id") == hungVM })
		if len(want) < 8 || len(want) == len(healthy) {
			t.Fatalf("%d of %d series are of other VMs", len(want), len(healthy))
		}
		scrapeFor(t, r, 10*time.Minute, func(got map[string]string) {
			if a := adaptersOf(got); !maps.Equal(a, want) || got[successSeries("failover_network")] != "0" ||
				got[successSeries("relationship")] != "1" {
				t.Errorf("got %v, want %v and the failure of this collector only", a, want)
			}
		})
		if s := r.pool.Stats(); s.Stuck > 4 { // at most two adapters of the VM
			t.Errorf("%d workers are stuck", s.Stuck)
		}
		close(hang)
		synctest.Wait()
	})
}

// If the host does not answer the queries for adapters any more, their last configurations are exposed until the
// maximum age.
func TestLastConfigurationsAreExposedUntilMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		hangs := false
		hooks := sessionHooks{associated: func(s wmiquery.Session, dst any, of wmiquery.Ref, by wmiquery.Class) error {
			if hangs {
				<-hang
			}
			return s.Associated(dst, of, by)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, Now: time.Now}, hooks.wrap)
		healthy := adaptersOf(parseSeries(r.gather(t, scrapeTimeout, "failover_network")))
		hangs = true
		for _, tt := range []struct {
			after time.Duration
			want  map[string]string
		}{{time.Minute, healthy}, {10 * time.Minute, map[string]string{}}} {
			time.Sleep(tt.after)
			got := parseSeries(r.gather(t, scrapeTimeout, "failover_network"))
			if a := adaptersOf(got); !maps.Equal(a, tt.want) || got[successSeries("failover_network")] != "0" {
				t.Errorf("%v later: got %v, success %s; want %v, 0", tt.after, a, got[successSeries("failover_network")], tt.want)
			}
		}
		close(hang)
		synctest.Wait()
	})
}

// A query that the host refuses costs the series of its VM and fails the collector. The log names the VM.
func TestRefusedQueryForAdapter(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setRows(h, newVM(appID, "app01", 2), newVM(sqlID, "sql01", 2))
	setAdapters(h, []adapter{
		{owner: appID, dhcp: new(true)}, {owner: sqlID, dhcp: new(true)}, {owner: sqlID, dhcp: new(true)},
	}, nil, noPath)
	delete(h.failoverNetworks, adapterRef(sqlID, 2)) // the answer is ErrNotFound
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout, "failover_network"))
	checkAdapters(t, got, "app01", appID, map[string]string{"dhcp": "1"})
	if n := len(adaptersOf(got)); n != 4 {
		t.Errorf("got %d series, want the four of app01", n)
	}
	const text = "failover settings of 1 network adapters: sql01 (" + sqlID + "): not found"
	if log := strings.Join(r.logs.TakeLines(), "\n"); got[successSeries("failover_network")] != "0" || !strings.Contains(log, text) {
		t.Errorf("success %s, log %q; want 0, %q", got[successSeries("failover_network")], log, text)
	}
}

// noPath is the path of settings without InstanceID on some hosts.
func noPath(int) wmiquery.Ref { return "" }

// When an adapter is gone, its last configuration is forgotten: if an adapter with the same path appears later and the
// host does not answer, the configuration is not known.
func TestConfigurationOfRemovedAdapterIsForgotten(t *testing.T) {
	for name, without := range map[string][]adapter{
		"removed": nil,
		"has an InstanceID": {{
			owner: appID, dhcp: new(true), id: new("1"), part: `Msvm_FailoverNetworkAdapterSettingData.InstanceID="1"`,
		}},
	} {
		h := newHostWithVM(newFakeClock())
		r := newFakeHostRig(h)
		adapters := []adapter{{owner: appID, dhcp: new(true)}}
		for i, all := range [][]adapter{adapters, without, adapters} {
			setAdapters(h, all, nil, noPath)
			if i == 2 {
				h.setError("AssociatorsOf", wmiquery.ErrTimeout)
			}
			got := adaptersOf(parseSeries(r.gather(t, scrapeTimeout, "failover_network")))
			if want := 4 * min(len(all), 2-i); len(got) != want {
				t.Errorf("%s, scrape %d: got %v, want %d series", name, i, got, want)
			}
		}
	}
}

// Settings that differ belong to no adapter, and an invalid value makes the configuration unknown.
func TestUnknownAnswersForAdapter(t *testing.T) {
	dhcp := msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(true)}
	static := msvm.FailoverNetworkAdapterSettingData{IPAddresses: []string{"10.0.0.4"}}
	invalid := func(row int, property string) error {
		return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{{Row: row, Property: property}})
	}
	for i, tt := range []struct {
		settings      []msvm.FailoverNetworkAdapterSettingData
		err           error
		want, success string
	}{
		{[]msvm.FailoverNetworkAdapterSettingData{dhcp}, nil, "dhcp", "1"},
		{[]msvm.FailoverNetworkAdapterSettingData{dhcp, dhcp}, nil, "dhcp", "1"},
		{[]msvm.FailoverNetworkAdapterSettingData{dhcp, static}, nil, "unknown", "1"},
		{nil, nil, "unknown", "1"},
		{[]msvm.FailoverNetworkAdapterSettingData{dhcp}, invalid(0, "IPAddresses"), "unknown", "0"},
		{[]msvm.FailoverNetworkAdapterSettingData{dhcp}, invalid(0, "DNSServers"), "dhcp", "1"},
		{nil, invalid(-1, ""), "unknown", "0"},
	} {
		h := newHostWithVM(newFakeClock())
		setAdapters(h, []adapter{{owner: appID, only: onlyAssociation}}, nil, noPath)
		h.failoverNetworks[adapterRef(appID, 0)] = tt.settings
		h.setError("AssociatorsOf", tt.err)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "failover_network"))
		t.Run(fmt.Sprint(i), func(t *testing.T) { checkAdapters(t, got, "app01", appID, map[string]string{tt.want: "1"}) })
		if success := got[successSeries("failover_network")]; success != tt.success {
			t.Errorf("%d: success %s, want %s", i, success, tt.success)
		}
	}
}

// An adapter counts once, however many associations it has. Windows may return a path in different cases.
func TestAdapterWithSeveralAssociations(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	setAdapters(h, []adapter{{owner: appID, dhcp: new(true)}}, nil, noPath)
	group := adapterRef(appID, 0)
	setRows(h,
		msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: group, PartComponent: "A.B=1"},
		msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: group, PartComponent: "A.B=2"},
		msvm.EthernetPortFailoverSettingDataComponent{GroupComponent: wmiquery.Ref(strings.ToLower(string(group)))})
	r := newFakeHostRig(h)
	checkAdapters(t, parseSeries(r.gather(t, scrapeTimeout, "failover_network")), "app01", appID, map[string]string{"dhcp": "1"})
	if n := r.gatherRequests(t)[`hyperv_replica_wmi_requests_total{operation="AssociatorsOf",result="ok"}`]; n != "1" {
		t.Errorf("got %s queries, want 1", n)
	}
}
