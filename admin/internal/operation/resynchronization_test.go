package operation

import (
	"testing"
)

// A resynchronization, and a resume that continues one on the sending side, read all disks of the VM. Only one of them
// can run on a host. Other requests about such a VM do not count.
func TestCallsThatResynchronize(t *testing.T) {
	for _, tt := range []struct {
		kind       string
		state      uint16
		method     string
		parameters string
		want       bool
	}{
		{"primary", 7, "Resynchronize", `"ComputerSystem": "` + vmA + `"`, true},
		{"primary", 9, "RequestReplicationStateChangeEx", `"RequestedState": 3`, true},
		{"primary", 11, "RequestReplicationStateChangeEx", `"RequestedState": 3`, true},
		{"primary", 11, "RequestReplicationStateChange", `"RequestedState": 3`, true},
		{"primary", 7, "RequestReplicationStateChangeEx", `"RequestedState": 3`, false},
		{"primary", 8, "RequestReplicationStateChangeEx", `"RequestedState": 3`, false},
		{"primary", 9, "RequestReplicationStateChangeEx", `"RequestedState": 7`, false},
		{"primary", 11, "RequestReplicationStateChangeEx", `"RequestedState": 7`, false},
		{"primary", 11, "RequestReplicationStateChangeEx", `"RequestedState": 9`, false},
		{"replica", 11, "RequestReplicationStateChangeEx", `"RequestedState": 3`, false},
		{"third", 9, "RequestReplicationStateChangeEx", `"RequestedState": 3`, false},
		{"primary", 9, "ResetReplicationStatistics", `"ComputerSystem": "` + vmA + `"`, false},
	} {
		h, _ := hostOfKind(tt.kind, tt.state, 3)
		target := vmA
		if tt.method == "Resynchronize" || tt.method == "ResetReplicationStatistics" {
			target = ""
		}
		plan, p := planMethod(t, h, tt.method, target, `{`+tt.parameters+`}`)
		if p != nil {
			t.Errorf("%s with %s: %+v", tt.method, tt.parameters, p)
			continue
		}
		if got := plan.Resynchronizes(); got != tt.want {
			t.Errorf("%s with %s of a %s in state %d: got %v, want %v",
				tt.method, tt.parameters, tt.kind, tt.state, got, tt.want)
		}
	}
}
