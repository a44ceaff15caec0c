package msvm

import (
	"testing"
	"time"
)

// The tests in this file compare with literals: a constant with a wrong value must not pass.

func TestMode(t *testing.T) {
	if mode, known := (ComputerSystem{}).Mode(); known {
		t.Errorf("a null mode is reported as %v", mode)
	}
	if mode, known := (ComputerSystem{ReplicationMode: new(ReplicationMode(3))}).Mode(); !known || mode != 3 {
		t.Errorf("mode 3 is reported as %v, %v", mode, known)
	}
}

func TestSends(t *testing.T) {
	for _, tt := range []struct {
		mode              ReplicationMode
		primary, extended bool
	}{{0, false, false}, {1, true, false}, {2, false, true}, {3, false, false}, {4, false, false}, {5, false, false}} {
		vm := ComputerSystem{ReplicationMode: &tt.mode}
		if got := vm.Sends("primary"); got != tt.primary {
			t.Errorf("mode %d sends on the primary relationship: %v", tt.mode, got)
		}
		if got := vm.Sends("extended"); got != tt.extended {
			t.Errorf("mode %d sends on the extended relationship: %v", tt.mode, got)
		}
	}
	if (ComputerSystem{}).Sends("primary") {
		t.Error("a VM whose mode is null sends")
	}
}

func TestPower(t *testing.T) {
	for state, want := range map[EnabledState]PowerState{
		0: "unknown", 1: "other", 2: "on", 3: "off", 4: "other", 6: "other", 9: "other", 10: "other", 32768: "other",
	} {
		if got := (ComputerSystem{EnabledState: &state}).Power(); got != want {
			t.Errorf("EnabledState %d is power state %q, want %q", state, got, want)
		}
	}
	if got := (ComputerSystem{}).Power(); got != "unknown" {
		t.Errorf("EnabledState null is power state %q, want unknown", got)
	}
}

func TestRelationshipState(t *testing.T) {
	for _, tt := range []struct {
		state      *ReplicationState
		want       ReplicationState
		replicates bool
	}{{nil, 17, true}, {new(ReplicationState(0)), 0, false}, {new(ReplicationState(3)), 3, true}, {new(ReplicationState(99)), 99, true}} {
		r := ReplicationRelationship{ReplicationState: tt.state}
		if got := r.State(); got != tt.want || r.Replicates() != tt.replicates {
			t.Errorf("state %d, replicates: %v; want %d, %v", got, r.Replicates(), tt.want, tt.replicates)
		}
	}
}

func TestIsDiskUpdate(t *testing.T) {
	for n := range ReplicationState(30) {
		if got, want := n.IsDiskUpdate(), n == 15 || n == 16; got != want {
			t.Errorf("state %d is a disk update: %v, want %v", n, got, want)
		}
	}
}

func TestFindStateRequest(t *testing.T) {
	found := 0
	for n := range ReplicationState(30) {
		if r, ok := FindStateRequest(n); ok {
			found++
			if r.State != n {
				t.Errorf("the request for state %d is for state %d", n, r.State)
			}
		}
	}
	if found != 7 {
		t.Errorf("found %d requests, want 7", found)
	}
	if r, ok := FindStateRequest(4); !ok || !r.RequiresOff || !r.SendingSide {
		t.Errorf("the request for state 4 is %+v, %v", r, ok)
	}
	if _, ok := FindStateRequest(0); ok {
		t.Error("state 0 can be requested")
	}
}

func TestMethodKinds(t *testing.T) {
	get := map[string]bool{
		"GetSystemCertificates": true, "GetReplicationStatistics": true, "GetReplicationStatisticsEx": true,
		"GetErrorEx": true, "GetError": true,
	}
	requests := map[string]bool{"RequestReplicationStateChange": true, "RequestReplicationStateChangeEx": true}
	for _, m := range Methods() {
		if m.IsGet() != get[m.Name] {
			t.Errorf("%s.%s is a Get method: %v", m.Class, m.Name, m.IsGet())
		}
		if m.IsGet() && !m.Reads {
			t.Errorf("%s.%s is a Get method and does more than read", m.Class, m.Name)
		}
		if m.RequestsState() != requests[m.Name] {
			t.Errorf("%s.%s requests a state: %v", m.Class, m.Name, m.RequestsState())
		}
	}
}

func TestDefaultLink(t *testing.T) {
	for name, want := range map[string]Link{"ModifyReplicationSettings": "extended", "InitiateFailover": "primary"} {
		m, ok := FindMethod("Msvm_ReplicationService", name)
		if !ok || m.DefaultLink(2) != want {
			t.Errorf("%s of a replica VM is about the relationship %q, want %q", name, m.DefaultLink(2), want)
		}
		if got := m.DefaultLink(1); got != "primary" {
			t.Errorf("%s of a primary VM is about the relationship %q, want primary", name, got)
		}
	}
}

func TestValidStartTime(t *testing.T) {
	now := time.Date(2026, 12, 1, 20, 0, 0, 0, time.UTC)
	for at, want := range map[string]bool{
		"2026-12-01T19:59:59Z": false, "2026-12-01T20:00:00Z": false, "2026-12-01T20:00:01Z": true,
		"2026-12-08T20:00:00Z": true, "2026-12-08T20:00:01Z": false,
	} {
		start, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := ValidStartTime(start, now); got != want {
			t.Errorf("start time %s is valid: %v, want %v", at, got, want)
		}
	}
}

// Names of constants and their values agree for the names that Windows distinguishes by a suffix only.
func TestMethodNames(t *testing.T) {
	for got, want := range map[string]string{
		MethodGetReplicationStatistics: "GetReplicationStatistics", MethodGetReplicationStatisticsEx: "GetReplicationStatisticsEx",
		MethodResetReplicationStatistics: "ResetReplicationStatistics", MethodResetReplicationStatisticsEx: "ResetReplicationStatisticsEx",
		MethodRequestReplicationStateChange: "RequestReplicationStateChange", MethodRequestReplicationStateChangeEx: "RequestReplicationStateChangeEx",
		MethodRequestStateChange: "RequestStateChange", MethodGetError: "GetError", MethodGetErrorEx: "GetErrorEx",
	} {
		if got != want {
			t.Errorf("constant %q, want %q", got, want)
		}
	}
}
