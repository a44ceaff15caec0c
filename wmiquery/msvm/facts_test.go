package msvm

import (
	"testing"
	"time"
)

// The tests in this file compare with literals, so that a constant with a wrong value fails.

func TestMode(t *testing.T) {
	if mode, known := (ComputerSystem{}).Mode(); known {
		t.Errorf("got mode %v for null", mode)
	}
	if mode, known := (ComputerSystem{ReplicationMode: new(ReplicationMode(3))}).Mode(); !known || mode != 3 {
		t.Errorf("got %v, %v for mode 3", mode, known)
	}
}

func TestSends(t *testing.T) {
	for _, tt := range []struct {
		mode              ReplicationMode
		primary, extended bool
	}{{0, false, false}, {1, true, false}, {2, false, true}, {3, false, false}, {4, false, false}, {5, false, false}} {
		vm := ComputerSystem{ReplicationMode: &tt.mode}
		if got := vm.Sends("primary"); got != tt.primary {
			t.Errorf("mode %d, primary relationship: got %v", tt.mode, got)
		}
		if got := vm.Sends("extended"); got != tt.extended {
			t.Errorf("mode %d, extended relationship: got %v", tt.mode, got)
		}
	}
	if (ComputerSystem{}).Sends("primary") {
		t.Error("null mode: got true")
	}
}

func TestPower(t *testing.T) {
	for state, want := range map[EnabledState]PowerState{
		0: "unknown", 1: "other", 2: "on", 3: "off", 4: "other", 6: "saved", 9: "paused", 10: "other", 32768: "paused",
	} {
		if got := (ComputerSystem{EnabledState: &state}).Power(); got != want {
			t.Errorf("EnabledState %d: got %q, want %q", state, got, want)
		}
	}
	if got := (ComputerSystem{}).Power(); got != "unknown" {
		t.Errorf("EnabledState null: got %q, want unknown", got)
	}
}

func TestRelationshipState(t *testing.T) {
	for _, tt := range []struct {
		state      *ReplicationState
		want       ReplicationState
		replicates bool
	}{
		{nil, 17, true},
		{new(ReplicationState(0)), 0, false},
		{new(ReplicationState(3)), 3, true},
		{new(ReplicationState(99)), 99, true},
	} {
		r := ReplicationRelationship{ReplicationState: tt.state}
		if got := r.State(); got != tt.want || r.Replicates() != tt.replicates {
			t.Errorf("got state %d, replicates %v; want %d, %v", got, r.Replicates(), tt.want, tt.replicates)
		}
	}
}

func TestIsDiskUpdate(t *testing.T) {
	for n := range ReplicationState(30) {
		if got, want := n.IsDiskUpdate(), n == 15 || n == 16; got != want {
			t.Errorf("state %d: got %v, want %v", n, got, want)
		}
	}
}

func TestFindStateRequest(t *testing.T) {
	found := 0
	for n := range ReplicationState(30) {
		if r, ok := FindStateRequest(n); ok {
			found++
			if r.State != n {
				t.Errorf("request for state %d has state %d", n, r.State)
			}
		}
	}
	if found != 7 {
		t.Errorf("got %d requests, want 7", found)
	}
	if r, ok := FindStateRequest(4); !ok || !r.RequiresOff || !r.SendingSide {
		t.Errorf("state 4: got %+v, %v", r, ok)
	}
	if _, ok := FindStateRequest(0); ok {
		t.Error("got a request for state 0, want none")
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
			t.Errorf("%s.%s: IsGet is %v", m.Class, m.Name, m.IsGet())
		}
		if m.IsGet() && !m.Reads {
			t.Errorf("%s.%s: IsGet is true, Reads is false", m.Class, m.Name)
		}
		if m.RequestsState() != requests[m.Name] {
			t.Errorf("%s.%s: RequestsState is %v", m.Class, m.Name, m.RequestsState())
		}
	}
}

func TestDefaultLink(t *testing.T) {
	for name, want := range map[string]Link{"ModifyReplicationSettings": "extended", "InitiateFailover": "primary"} {
		m, ok := FindMethod("Msvm_ReplicationService", name)
		if !ok || m.DefaultLink(2) != want {
			t.Errorf("%s, replica VM: got link %q, want %q", name, m.DefaultLink(2), want)
		}
		if got := m.DefaultLink(1); got != "primary" {
			t.Errorf("%s, primary VM: got link %q, want primary", name, got)
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
			t.Errorf("start time %s: got %v, want %v", at, got, want)
		}
	}
}

// The names of these methods differ by a suffix only.
func TestMethodNameConstants(t *testing.T) {
	for got, want := range map[string]string{
		MethodGetReplicationStatistics:        "GetReplicationStatistics",
		MethodGetReplicationStatisticsEx:      "GetReplicationStatisticsEx",
		MethodResetReplicationStatistics:      "ResetReplicationStatistics",
		MethodResetReplicationStatisticsEx:    "ResetReplicationStatisticsEx",
		MethodRequestReplicationStateChange:   "RequestReplicationStateChange",
		MethodRequestReplicationStateChangeEx: "RequestReplicationStateChangeEx",
		MethodRequestStateChange:              "RequestStateChange",
		MethodGetError:                        "GetError",
		MethodGetErrorEx:                      "GetErrorEx",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
