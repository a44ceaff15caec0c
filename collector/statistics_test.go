package collector_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// vmNumber returns the GUID of the VM number n of newHostWithVMs.
func vmNumber(n int) string { return fmt.Sprintf("90000000-0000-4000-8000-%012d", n) }

// newHostWithVMs returns a host with n primary VMs that replicate, named vm01 and so on.
func newHostWithVMs(c *fakeClock, n int) *fakeHost {
	h := newHostWithVM(c)
	var vms []msvm.ComputerSystem
	var relationships []msvm.ReplicationRelationship
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("vm%02d", i)
		vms = append(vms, newVM(vmNumber(i), name, 1))
		relationships = append(relationships, newRelationship(vmNumber(i), name))
	}
	setRows(h, vms...)
	setRows(h, relationships...)
	return h
}

// Q7, Q9: sums are exposed as sums, maxima as maxima, each property in the series of its name; and the
// health may have 32 bits.
func TestStatisticsProperties(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply(
			property("ReplicationSuccessCount", "uint32", "100") + property("ReplicationMissCount", "uint32", "2") +
				property("ReplicationFailureCount", "uint32", "3") + property("NetworkFailureCount", "uint32", "4") +
				property("ApplicationConsistentSnapshotFailureCount", "uint32", "5") +
				property("ReplicationSize", "uint64", "9000000000") + property("MaxReplicationSize", "uint64", "6000000000") +
				property("ReplicationLatency", "uint32", "700") + property("MaxReplicationLatency", "uint32", "80") +
				property("PendingReplicationSize", "uint64", "7000000000") + property("ReplicationHealth", "uint32", "3") +
				property("StartStatisticTime", "datetime", "20261122090000.000000-000") +
				property("EndStatisticTime", "datetime", "20261122115900.500000-000") +
				property("LastTestFailoverTime", "datetime", "16010101000000.000000-000")), nil
	}
	got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "statistics"))
	checkSeries(t, got, map[string]string{
		"window_successful_cycles" + appRelationship:               "100",
		"window_missed_cycles" + appRelationship:                   "2",
		"window_failures" + appRelationship:                        "3",
		"window_network_failures" + appRelationship:                "4",
		"window_application_consistent_failures" + appRelationship: "5",
		"window_replicated_bytes" + appRelationship:                "9e+09",
		"window_max_cycle_bytes" + appRelationship:                 "6e+09",
		"window_transfer_seconds" + appRelationship:                "700",
		"window_max_cycle_seconds" + appRelationship:               "80",
		"pending_bytes" + appRelationship:                          "7e+09",
		"window_start_timestamp_seconds" + appRelationship:         "1.795338e+09",
		"window_end_timestamp_seconds" + appRelationship:           "1.7953487405e+09",
		"last_test_failover_timestamp_seconds" + appRelationship:   "", // never
	})
}

// Each counter grows by the increase of its own property.
func TestStatisticsCounters(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	first := true
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		names := []string{
			"ReplicationSuccessCount", "ReplicationMissCount", "ReplicationFailureCount", "NetworkFailureCount",
			"ApplicationConsistentSnapshotFailureCount", "ReplicationSize", "ReplicationLatency",
		}
		xml := ""
		for i, name := range names {
			kind, value := "uint32", 1000
			if name == "ReplicationSize" {
				kind = "uint64"
			}
			if !first {
				value += i + 1
			}
			xml += property(name, kind, fmt.Sprint(value))
		}
		return statisticsReply(xml), nil
	}
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "statistics")
	first = false
	got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
	const labels = `relationship="primary",vm="app01",vm_id="` + appID + `"}`
	checkSeries(t, got, map[string]string{
		`cycles_total{relationship="primary",result="success",vm="app01",vm_id="` + appID + `"}`: "1",
		`cycles_total{relationship="primary",result="missed",vm="app01",vm_id="` + appID + `"}`:  "2",
		`failures_total{kind="replication",` + labels:                                            "3",
		`failures_total{kind="network",` + labels:                                                "4",
		`failures_total{kind="application_consistent",` + labels:                                 "5",
		"replicated_bytes_total" + appRelationship:                                               "6",
		"transfer_seconds_total" + appRelationship:                                               "7",
		"window_resets_total" + appRelationship:                                                  "0",
	})
}

// The sending side of a relationship exposes pending bytes: the primary VM on its primary relationship
// (mode 1), and the replica VM (mode 2) on its extended one.
func TestPendingBytesOnSendingSide(t *testing.T) {
	for mode, want := range map[msvm.ReplicationMode]string{0: "", 1: "primary", 2: "extended", 3: "", 4: "", 5: ""} {
		h := newHostWithVM(newFakeClock())
		setRows(h, newVM(appID, "app01", mode))
		primary, extended := newRelationship(appID, "app01"), newRelationship(appID, "app01")
		extended.InstanceID = `Microsoft:` + appID + `\HVR\1`
		setRows(h, primary, extended)
		h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
			return statisticsReply(property("PendingReplicationSize", "uint64", "42")), nil
		}
		exposed := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "statistics"))
		got := valuesOf(exposed, "pending_bytes", "relationship")
		if len(got) != min(1, len(want)) || want != "" && got[want] != "42" {
			t.Errorf("pending_bytes of a VM in mode %d: %v, want it for %q", mode, got, want)
		}
	}
}

// The error names at most three relationships, in the order of their names, and the number of all.
func TestStatisticsErrorNamesThreeRelationships(t *testing.T) {
	for n, want := range map[int]string{
		1: "statistics of 1 relationships: vm01 (…): timed out",
		3: "statistics of 3 relationships: vm01 (…): timed out; vm02 (…): timed out; vm03 (…): timed out",
		4: "statistics of 4 relationships: vm01 (…): timed out; vm02 (…): timed out; vm03 (…): timed out; …",
	} {
		h := newHostWithVMs(newFakeClock(), n)
		h.setError("GetReplicationStatisticsEx", wmiquery.ErrTimeout)
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "statistics")
		log := strings.Join(r.logs.TakeLines(), "\n")
		for i := range n {
			log = strings.ReplaceAll(log, `Microsoft:`+vmNumber(i+1)+`\\HVR\\0`, "…")
		}
		if !strings.Contains(log, `err="`+want+`"`) {
			t.Errorf("log of %d failures: %s, want %s", n, log, want)
		}
	}
}

// The order is that of the names of the VMs, also of primary and extended relationships.
func TestStatisticsErrorIsSorted(t *testing.T) {
	h := newHostWithVMs(newFakeClock(), 1)
	extended := newRelationship(vmNumber(2), "vm02")
	extended.InstanceID = `Microsoft:` + vmNumber(2) + `\HVR\1`
	setRows(h, extended, newRelationship(vmNumber(1), "vm01"))
	h.setError("GetReplicationStatisticsEx", wmiquery.ErrInvalidState)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "statistics")
	log := strings.Join(r.logs.TakeLines(), "\n")
	if one, two := strings.Index(log, "vm01 ("), strings.Index(log, "vm02 ("); one < 0 || two < one {
		t.Errorf("log %s, want vm01 before vm02", log)
	}
}

// When the time of the scrape is over, the statistics that have not been read are those of the last
// response: they are exposed with their age, and the collector fails. The host continues to answer, and
// the next scrape exposes its responses.
func TestStatisticsAtEndOfScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newFakeClock()
		h := newHostWithVMs(clock, 12)
		var calls atomic.Int32
		takes := time.Duration(0)
		h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
			calls.Add(1)
			time.Sleep(takes)
			return statisticsReply(property("ReplicationSuccessCount", "uint32", "1")), nil
		}
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "statistics")
		clock.Advance(time.Minute)
		takes = 10 * time.Second
		calls.Store(0)
		got := parseSeries(r.gather(t, 3*time.Second, "statistics"))
		if n := calls.Load(); n != 12 {
			t.Errorf("%d calls of the host in a scrape, want one for each relationship", n)
		}
		if n := len(valuesOf(got, "window_successful_cycles", "vm")); n != 12 {
			t.Errorf("statistics of %d relationships are exposed, want 12", n)
		}
		for vm, age := range valuesOf(got, "statistics_age_seconds", "vm") {
			if age != "60" {
				t.Errorf("age of the statistics of %s is %s, want 60", vm, age)
			}
		}
		checkSeries(t, got, map[string]string{
			`collector_success{collector="statistics"}`: "0",
			snapshotSeries("statistics"):                "1.7953488e+09", // noon, when all statistics were read
		})
		const want = "GetReplicationStatisticsEx (12): timed out"
		if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, want) {
			t.Errorf("log %s, want %s", log, want)
		}
		time.Sleep(time.Minute)
		clock.Advance(time.Minute)
		for vm, age := range valuesOf(parseSeries(r.gather(t, 3*time.Second)), "statistics_age_seconds", "vm") {
			if age != "60" { // since the responses have arrived after the scrape
				t.Errorf("age of the statistics of %s is %s in the next scrape, want 60", vm, age)
			}
		}
		time.Sleep(time.Minute)
	})
}

// A relationship whose statistics cannot be read does not affect the others, whatever the error is.
func TestStatisticsOfOthersAreExposed(t *testing.T) {
	for _, failure := range []error{
		wmiquery.ErrInvalidState, wmiquery.ErrDenied, wmiquery.ErrTimeout, errors.New("other"),
	} {
		h := newHostWithVMs(newFakeClock(), 5)
		h.statistics = func(c wmiquery.Call) (wmiquery.Reply, error) {
			if strings.Contains(string(c.In[0].Value.(wmiquery.Ref)), vmNumber(3)) {
				return wmiquery.Reply{}, failure
			}
			return statisticsReply(property("ReplicationSuccessCount", "uint32", "1")), nil
		}
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "statistics"))
		cycles := valuesOf(got, "window_successful_cycles", "vm")
		if len(cycles) != 4 || cycles["vm03"] != "" {
			t.Errorf("cycles %v after the error %v, want those of the four other VMs", cycles, failure)
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="statistics"}`: "0"})
	}
}

// The time of the snapshot is that of the oldest statistics when the time of the scrape is over.
func TestSnapshotTimeOfLateStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newFakeClock()
		h := newHostWithVMs(clock, 8)
		takes, failing := time.Millisecond, ""
		h.statistics = func(c wmiquery.Call) (wmiquery.Reply, error) {
			late, failed := takes, failing != "" && msvm.VMOf(c.In[0].Value.(wmiquery.Ref)) >= failing
			time.Sleep(late)
			if failed {
				return wmiquery.Reply{}, wmiquery.ErrTimeout
			}
			return statisticsReply(""), nil
		}
		r := newFakeHostRig(h)
		r.gather(t, scrapeTimeout, "statistics")
		clock.Advance(time.Minute)
		failing = vmNumber(5) // and the following VMs
		r.gather(t, scrapeTimeout, "statistics")
		clock.Advance(time.Minute)
		takes = 10 * time.Second // the scrape ends before
		got := parseSeries(r.gather(t, 3*time.Second, "statistics"))
		if age := valuesOf(got, "statistics_age_seconds", "vm"); age["vm04"] != "60" || age["vm05"] != "120" {
			t.Errorf("ages of the statistics: %v, want 60 for vm04 and 120 for vm05", age)
		}
		checkSeries(t, got, map[string]string{snapshotSeries("statistics"): "1.7953488e+09"}) // that of vm05
		time.Sleep(time.Minute)
	})
}

// The counters of an extended relationship that is removed and returns restart at 0, while those of
// the primary relationship of the same VM continue.
func TestCountersOfRemovedExtendedRelationship(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	primary, extended := newRelationship(appID, "app01"), newRelationship(appID, "app01")
	extended.InstanceID = `Microsoft:` + appID + `\HVR\1`
	n := 0
	h.statistics = func(wmiquery.Call) (wmiquery.Reply, error) {
		return statisticsReply(property("ReplicationSuccessCount", "uint32", fmt.Sprint(n))), nil
	}
	r := newFakeHostRig(h)
	cycles := func(relationships ...msvm.ReplicationRelationship) (primary, extended string) {
		n += 10
		setRows(h, relationships...)
		got := parseSeries(r.gather(t, scrapeTimeout, "statistics"))
		series := func(link string) string {
			return got[`hyperv_replica_cycles_total{relationship="`+link+`",result="success",vm="app01",vm_id="`+appID+`"}`]
		}
		return series("primary"), series("extended")
	}
	for i, step := range []struct {
		relationships     []msvm.ReplicationRelationship
		primary, extended string
	}{
		{[]msvm.ReplicationRelationship{primary, extended}, "0", "0"},
		{[]msvm.ReplicationRelationship{primary, extended}, "10", "10"},
		{[]msvm.ReplicationRelationship{primary}, "20", ""},
		{[]msvm.ReplicationRelationship{primary, extended}, "30", "0"},
		{[]msvm.ReplicationRelationship{primary, extended}, "40", "10"},
	} {
		if p, e := cycles(step.relationships...); p != step.primary || e != step.extended {
			t.Errorf("step %d: %q cycles of the primary and %q of the extended relationship, want %q and %q",
				i, p, e, step.primary, step.extended)
		}
	}
}
