//go:build prometheus

package dashboards_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// timelineTest is a timeline whose alerts TestTimelineAlertsMatchTable checks.
type timelineTest struct {
	name string
	promtest.Timeline
	scraped [][]string      // sets of hosts that Prometheus may scrape, each checked separately
	at      []time.Duration // times since the first scrape at which the alerts are checked
}

// title returns the title of the section of the table for one set of hosts.
func (tt timelineTest) title(hosts []string) string {
	return tt.name + ", scraping " + strings.Join(hosts, " ")
}

// timelineTests returns timelines of healthy hosts that are changed, of all scenarios, and of faults. They start at
// 8:00, an hour before the monitoring window ends.
func timelineTests(t *testing.T) []timelineTest {
	t.Helper()
	all := []timelineTest{
		{
			name: "mixed, a day later", scraped: [][]string{oneHost}, at: minutes(26 * 60),
			Timeline: promtest.Timeline{Config: simulator.Config{Scenario: "mixed"}, Step: 5 * time.Minute},
		},
		{
			name: "idle", scraped: [][]string{twoHosts}, at: minutes(60, 180),
			Timeline: promtest.Timeline{BeforeScrape: turnSendersOff(t, 10*time.Minute)},
		},
		{
			name: "paused for 50 minutes", scraped: [][]string{twoHosts}, at: minutes(30, 56, 70, 180),
			Timeline: promtest.Timeline{BeforeScrape: pauseSenders(t, 6*time.Minute, 56*time.Minute)},
		},
		{
			name: "paused for 3 hours", scraped: [][]string{twoHosts}, at: minutes(30, 70, 180, 200),
			Timeline: promtest.Timeline{BeforeScrape: pauseSenders(t, 6*time.Minute, 186*time.Minute)},
		},
		{
			name:    "the exporter of HV01 is down for an hour",
			scraped: [][]string{twoHosts}, at: minutes(24, 30, 60, 80),
			Timeline: promtest.Timeline{IsDown: downBetween(10*time.Minute, 70*time.Minute, "HV01")},
		},
		{
			name:    "one exporter after the other is down for 14 minutes",
			scraped: [][]string{threeHosts}, at: minutes(24, 54, 80),
			Timeline: promtest.Timeline{IsDown: func(host string, elapsed time.Duration) bool {
				return downBetween(10*time.Minute, 24*time.Minute, "HV01")(host, elapsed) ||
					downBetween(40*time.Minute, 54*time.Minute, "HV02")(host, elapsed)
			}},
		},
		{
			name: "the exporters of HV01 and HV02 are down", scraped: [][]string{threeHosts}, at: minutes(24, 40, 120),
			Timeline: promtest.Timeline{IsDown: downBetween(10*time.Minute, 24*time.Hour, "HV01", "HV02")},
		},
		{
			name: "lagging, objective of 10 minutes", scraped: [][]string{threeHosts}, at: minutes(10, 30, 50, 120),
			Timeline: promtest.Timeline{Config: simulator.Config{Scenario: "lagging"}, Flags: []string{"--rpo.objective=10m"}},
		},
		{
			name: "wan-outage, objective of 10 minutes", scraped: [][]string{threeHosts}, at: minutes(10, 30, 50, 120),
			Timeline: promtest.Timeline{
				Config: simulator.Config{Scenario: "wan-outage"}, Flags: []string{"--rpo.objective=10m"},
			},
		},
	}
	for _, scenario := range simulator.Scenarios() {
		tt := timelineTest{
			name: scenario, at: minutes(10, 30, 50, 120),
			Timeline: promtest.Timeline{Config: simulator.Config{Scenario: scenario}},
		}
		switch scenario {
		case "mixed":
			tt.scraped = [][]string{oneHost, twoHosts, threeHosts}
			tt.at = minutes(10, 30, 50, 120, 260)
		case "failover-drill":
			tt.at = minutes(10, 30, 50, 120, 260)
		case "german", "chinese": // mixed, with texts in another language
			tt.at = minutes(10, 30)
		}
		all = append(all, tt)
	}
	for _, fault := range []string{
		"denied", "disconnected", "hung", "hung=Msvm_ReplicationRelationship", "hung=GetReplicationStatisticsEx",
		"relationship-hung", "relationship-failing", "class-missing=Msvm_ReplicationSettingData",
		"class-missing=Msvm_ReplicationRelationship", "service-error", "statistics-job", "statistics-empty", "nulls",
		"unknown-enum", "duplicate-names", "clock-back=8784h", "saved", "slow=3s", "slow=8s",
	} {
		all = append(all, timelineTest{
			name: "fault " + fault + " after 10 minutes", scraped: [][]string{oneHost}, at: minutes(20, 40, 90),
			Timeline: promtest.Timeline{BeforeScrape: setFault(t, fault, 10*time.Minute)},
		})
	}
	for i := range all {
		tt := &all[i]
		if tt.scraped == nil {
			tt.scraped = [][]string{threeHosts}
		}
		if tt.Config.Scenario == "" {
			tt.Config.Scenario = "healthy"
		}
		if tt.Step == 0 {
			tt.Step = 2 * time.Minute
		}
		tt.Config.Seed = 1
		tt.Start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
		tt.Length = slices.Max(tt.at)
		tt.Hosts = tt.scraped[len(tt.scraped)-1]
	}
	return all
}

func minutes(numbers ...int) []time.Duration {
	var all []time.Duration
	for _, n := range numbers {
		all = append(all, time.Duration(n)*time.Minute)
	}
	return all
}

// setFault returns a function for Timeline.BeforeScrape that sets a fault, a value of --simulator.fault, at a time.
func setFault(t *testing.T, fault string, at time.Duration) func(*simulator.World, time.Duration) {
	t.Helper()
	faults, err := simulator.ParseFaults([]string{fault})
	if err != nil {
		t.Fatal(err)
	}
	return func(w *simulator.World, elapsed time.Duration) {
		if elapsed == at {
			w.SetFaults(faults)
		}
	}
}

// downBetween returns a function for Timeline.IsDown: the exporters of hosts are down between two times.
func downBetween(from, until time.Duration, hosts ...string) func(string, time.Duration) bool {
	return func(host string, elapsed time.Duration) bool {
		return slices.Contains(hosts, host) && elapsed >= from && elapsed < until
	}
}

// turnSendersOff returns a function for Timeline.BeforeScrape that turns off the VMs that replicate from HV01, at a
// time.
func turnSendersOff(t *testing.T, at time.Duration) func(*simulator.World, time.Duration) {
	return func(w *simulator.World, elapsed time.Duration) {
		if elapsed != at {
			return
		}
		for _, vm := range senders(t, w) {
			if err := w.SetPower(vm, "HV01", false); err != nil {
				t.Error(err)
			}
		}
	}
}

// pauseSenders returns a function for Timeline.BeforeScrape that pauses the replication of the VMs that replicate from
// HV01 between two times.
func pauseSenders(t *testing.T, from, until time.Duration) func(*simulator.World, time.Duration) {
	return func(w *simulator.World, elapsed time.Duration) {
		var state msvm.ReplicationState
		switch elapsed {
		case from:
			state = msvm.Suspended
		case until:
			state = msvm.Replicating
		default:
			return
		}
		for _, vm := range senders(t, w) {
			if err := w.SetState("HV01", msvm.Key{VM: vm, Link: msvm.Primary}, state); err != nil {
				t.Error(err)
			}
		}
	}
}

// senders returns the ids of the VMs that replicate from HV01.
func senders(t *testing.T, w *simulator.World) (vms []string) {
	s, err := w.Open()
	if err != nil {
		t.Error(err)
		return nil
	}
	var rows []msvm.ComputerSystem
	if err := s.Read(&rows); err != nil {
		t.Error(err)
	}
	for _, r := range rows {
		if r.ReplicationMode != nil && *r.ReplicationMode == msvm.ModePrimary {
			vms = append(vms, r.Name)
		}
	}
	if len(vms) == 0 {
		t.Error("no VM replicates from HV01")
	}
	return vms
}
