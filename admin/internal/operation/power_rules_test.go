package operation

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A VM that has failed over does not start while a failover of its extended relationship is prepared, or could be.
func TestStartWithAnExtendedRelationship(t *testing.T) {
	for _, tt := range []struct {
		primary, extended uint16
		null              bool // the state of the extended relationship
		want              string
	}{
		{5, 0, false, ""},
		{5, 3, false, ""},
		{6, 3, false, ""},
		{6, 8, false, ""},
		{5, 4, false, "a failover of the extended relationship is prepared"},
		{6, 4, false, "commit-failover, continue-extended and cancel-failover"},
		{6, 3, true, "the state of the extended relationship is unknown"},
		{3, 4, false, "a replica cannot start before a failover"},
	} {
		h := newFakeHost()
		h.addVM(vmA, 2, 3)
		h.addRelationship(vmA, "primary", tt.primary)
		h.addRelationship(vmA, "extended", tt.extended)
		s := h.snapshot(t)
		if tt.null {
			find(t, s, vmA, "extended").Row.ReplicationState = nil
		}
		p := action(t, "start-vm").Check(s, find(t, s, vmA, "primary"))
		switch {
		case tt.want == "" && p != nil:
			t.Errorf("states %d and %d: got problem %+v", tt.primary, tt.extended, p)
		case tt.want != "" && (p == nil || p.Type.Slug != "invalid-state" || !strings.Contains(p.Detail, tt.want)):
			t.Errorf("states %d and %d: got problem %+v, want %q", tt.primary, tt.extended, p, tt.want)
		}
	}
}

// The confirmation of a start names the servers on which the VM must not run.
func TestNameOfTheOldPrimaryServer(t *testing.T) {
	for _, tt := range []struct {
		kind         string
		system, name string // PrimaryHostSystem, PrimaryConnectionPoint
		want         string
	}{
		{"replica", "node1.contoso.com", "hv01.contoso.com", "node1.contoso.com"},
		{"replica", "", "hv01.contoso.com", "hv01.contoso.com"},
		{"replica", "", " ", "its old primary server"},
		{"third", "", "hv02.contoso.com", "hv02.contoso.com or on the primary server of that"},
	} {
		h, link := hostOfKind(tt.kind, 5, 3)
		s := h.snapshot(t)
		r := find(t, s, vmA, link)
		r.Settings.PrimaryHostSystem, r.Settings.PrimaryConnectionPoint = &tt.system, &tt.name
		plan, p := PlanAction(t.Context(), h, s, action(t, "start-vm"), r, &Request{})
		if p != nil {
			t.Fatalf("%s: %+v", tt.kind, p)
		}
		if got := plan.OldPrimary(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.kind, got, tt.want)
		}
	}
	r := &Relationship{VM: msvm.ComputerSystem{}}
	if got := (&Plan{Target: r}).OldPrimary(); got != "its old primary server" {
		t.Errorf("without settings: got %q", got)
	}
}
