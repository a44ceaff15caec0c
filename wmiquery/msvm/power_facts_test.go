package msvm

import (
	"slices"
	"testing"
)

// Source: RequestedState in requeststatechange-msvm-computersystem.md, MicrosoftDocs/win32, HyperV_v2: 2 is Enabled and
// 3 is Disabled, as values of EnabledState. The power states follow from Start-VM and Stop-VM -TurnOff.
func TestPowerRequests(t *testing.T) {
	want := map[EnabledState][]PowerState{2: {"off", "saved"}, 3: {"on", "paused", "saved", "other"}}
	for n := range EnabledState(65535) {
		r, ok := FindPowerRequest(n)
		if ok != (want[n] != nil) || !slices.Equal(r.Power, want[n]) || ok && r.State != n {
			t.Errorf("state %d: got %+v, %t, want %v", n, r, ok, want[n])
		}
	}
	if r, _ := FindPowerRequest(3); r.Destroys == "" {
		t.Error("turning a VM off destroys nothing")
	}
	for _, m := range Methods() {
		want := m.Class == "Msvm_ComputerSystem" && m.Name == "RequestStateChange"
		if m.RequestsPower() != want {
			t.Errorf("%s.%s: RequestsPower is %t", m.Class, m.Name, m.RequestsPower())
		}
	}
}

// Source: the numbers of OperationalStatus in msvm-shutdowncomponent.md, MicrosoftDocs/win32, HyperV_v2.
func TestShutdownComponentUnreachable(t *testing.T) {
	for n, want := range map[uint16]bool{2: false, 3: false, 7: true, 12: true, 13: true, 0: false} {
		if got := (ShutdownComponent{OperationalStatus: []uint16{n, 32775}}).Unreachable(); got != want {
			t.Errorf("status %d: got %t, want %t", n, got, want)
		}
	}
	if (ShutdownComponent{}).Unreachable() {
		t.Error("without a status: got true")
	}
}
