package simulator_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Performance counters have one instance for each replicating VM, by its name. Equal names get a number. Source: the
// performance counter set "Hyper-V Replica VM".
func TestPerformanceCounters(t *testing.T) {
	w, c := newWorld(t, simulator.Config{Seed: 1})
	w.SetFaults(parseFaults(t, "duplicate-names"))
	c.Advance(time.Hour)
	var names []string
	sent, received := 0, 0
	for _, p := range read[msvm.ReplicaPerformance](t, open(t, w, "HV01")) {
		names = append(names, p.Name)
		if *p.NetworkBytesSent > 0 {
			sent++
		}
		if *p.NetworkBytesRecv > 0 {
			received++
		}
		if *p.NetworkBytesSent > 0 && *p.NetworkBytesRecv > 0 {
			t.Errorf("%s sends and receives", p.Name)
		}
	}
	if len(names) != 20 || names[0] != "web01" || names[1] != "web01#1" || names[19] != "web01#19" {
		t.Errorf("instances are %q, want web01 and web01#1 to web01#19", names)
	}
	if sent < 3 || received < 3 {
		t.Errorf("%d VMs send and %d receive, want some of both", sent, received)
	}
	w.SetFaults(parseFaults(t))
	for _, p := range read[msvm.ReplicaPerformance](t, open(t, w, "HV01")) {
		if p.Name == "web01" && *p.NetworkBytesSent == 0 || p.Name == "sql01" && *p.NetworkBytesRecv == 0 ||
			strings.Contains(p.Name, "#") {
			t.Errorf("counters are %+v, want web01 to send and sql01 to receive", p)
		}
	}
}
