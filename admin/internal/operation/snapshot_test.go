package operation

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A host that shows nothing denies access: Hyper-V returns no rows without rights. No action is planned on it.
func TestHostThatShowsNothingDeniesAccess(t *testing.T) {
	h := newFakeHost()
	h.show([]msvm.ReplicationService{})
	h.addVM(vmA, 1, 3)
	h.addRelationship(vmA, "primary", 3)
	if _, p := ReadSnapshot(t.Context(), h); slugOf(p) != "access-denied" || !strings.Contains(p.Detail, "vmms") {
		t.Errorf("got problem %+v, want access-denied", p)
	}
}

// If one class cannot be read, there is no snapshot: a part of the host is not enough for any decision.
func TestEveryClassOfTheSnapshotIsNecessary(t *testing.T) {
	for _, class := range []string{
		"Msvm_ReplicationService", "Msvm_ComputerSystem", "Msvm_ReplicationRelationship", "Msvm_ReplicationSettingData",
		"Msvm_ReplicaSystemDependency",
	} {
		for _, tt := range []struct {
			err  error
			want string
		}{
			{wmiquery.ErrDenied, "access-denied"},
			{wmiquery.ErrUnavailable, "host-unavailable"},
			{wmiquery.ErrTimeout, "host-timeout"},
			{wmiquery.ErrUnsupported, "not-supported"},
			{wmiquery.ErrBusy, "host-unavailable"},
			{context.DeadlineExceeded, "host-timeout"},
			{errors.New("broken"), "host-failed"},
		} {
			h, _ := hostOfKind("primary", 3, 3)
			h.failing[class] = tt.err
			if s, p := ReadSnapshot(t.Context(), h); s != nil || slugOf(p) != tt.want {
				t.Errorf("%s fails with %v: got problem %+v, want %s", class, tt.err, p, tt.want)
			}
		}
	}
}

// No action is possible on a relationship or a VM that the host returns more than once, whatever the order of the rows.
func TestDuplicatesAreNotKnown(t *testing.T) {
	for copies := 2; copies <= 3; copies++ {
		h := newFakeHost()
		for i := range copies {
			h.addVM(vmA, 3, 3) // a test VM that is off can be deleted
			h.addVM(vmB, 1, 3)
			h.addRelationship(vmA, "primary", 3+uint16(i))
		}
		h.addRelationship(vmB, "primary", 3)
		s := h.snapshot(t)
		if all := s.Relationships(); len(all) != 1 || all[0].Key.VM != vmB || all[0].VMName() != "" {
			t.Errorf("%d copies: got relationships %+v, want one, of a VM that is not known", copies, all)
		}
		if _, p := s.Find(vmA, "primary"); slugOf(p) != "not-found" {
			t.Errorf("%d copies: got %+v for the relationship, want not-found", copies, p)
		}
		if p := s.checkDeletable(vmA); slugOf(p) != "invalid-state" {
			t.Errorf("%d copies: got %+v for the deletion of the VM, want invalid-state", copies, p)
		}
	}
}

// GUIDs can have any case, in the rows of the host and in URLs. The VM and the settings of a relationship have the same
// GUID as the relationship.
func TestCaseOfGUIDsDoesNotMatter(t *testing.T) {
	h := newFakeHost()
	for _, vm := range []string{vmA, vmB} {
		h.addVM(strings.ToLower(vm), 2, 3)
		h.addRelationship(strings.ToLower(vm), "primary", 3)
	}
	h.addRelationship(vmA, "extended", 7)
	add(h, msvm.ReplicaSystemDependency{
		Antecedent: msvm.VMRef(strings.ToLower(vmB)), Dependent: msvm.VMRef(strings.ToLower(testVM1)),
	})
	h.addVM("HV01", 0, 2) // the row of the host
	s := h.snapshot(t)
	for _, vm := range []string{vmA, vmB} {
		r := find(t, s, strings.ToLower(vm), "primary")
		if r.Key.VM != vm || r.VMName() != "vm "+strings.ToLower(vm[:4]) || r.Settings == nil ||
			!strings.EqualFold(r.Settings.InstanceID, `Microsoft:`+vm+`\HVR\0`) {
			t.Errorf("got %+v", r)
		}
	}
	if got := find(t, s, vmA, "extended"); got.State() != 7 || got.Settings.InstanceID != `Microsoft:`+vmA+`\HVR\1` {
		t.Errorf("got %+v", got)
	}
	if got := s.TestVMs(vmB); !reflect.DeepEqual(got, []string{testVM1}) || s.TestVMs(vmA) != nil {
		t.Errorf("the test VMs are %q and %q", got, s.TestVMs(vmA))
	}
	var order []string
	for _, r := range s.Relationships() {
		order = append(order, r.Key.VM[:2]+" "+string(r.Key.Link))
	}
	if want := []string{"47 primary", "47 extended", "B8 primary"}; !reflect.DeepEqual(order, want) {
		t.Errorf("the order is %q, want %q", order, want)
	}
	if _, ok := s.VM("HV01"); ok {
		t.Error("the host counts as a VM")
	}
}

// A URL names a relationship by the GUID of the VM, and primary or extended.
func TestURLsOfRelationships(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	s := h.snapshot(t)
	for _, tt := range []struct {
		vm, link string
		found    bool
	}{
		{vmA, "primary", true},
		{vmA, "extended", false},
		{vmA, "Primary", false},
		{vmA, "", false},
		{vmB, "primary", false},
		{"vm 4708", "primary", false},
		{"{" + vmA + "}", "primary", false},
	} {
		r, p := s.Find(tt.vm, tt.link)
		if (p == nil) != tt.found || !tt.found && slugOf(p) != "not-found" {
			t.Errorf("%s/%s: got %+v, problem %+v", tt.vm, tt.link, r, p)
		}
	}
}

// Rows that cannot be addressed are left out.
func TestRowsThatCannotBeAddressed(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	add(h, msvm.ReplicationRelationship{InstanceID: `Microsoft:` + vmA + `\HVR\2`})
	add(h, msvm.ReplicationRelationship{InstanceID: ""})
	add(h, msvm.ReplicationSettingData{InstanceID: ""})
	add(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(vmA)})
	add(h, msvm.ReplicaSystemDependency{Dependent: msvm.VMRef(testVM1)})
	s := h.snapshot(t)
	if got := s.Relationships(); len(got) != 1 || got[0].State() != 3 {
		t.Errorf("got %d relationships, the state of the first is %d", len(got), got[0].State())
	}
	if got := s.TestVMs(vmA); got != nil {
		t.Errorf("the test VMs are %q", got)
	}
}

// The lag is the time since the last replication by the clock of the host. A time that is more than a minute in the future
// is from another clock, so the lag is not known.
func TestLag(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state uint16
		at    *time.Time
		want  *float64
	}{
		{"a minute ago", 3, new(hostTime.Add(-time.Minute)), new(60.0)},
		{"now", 3, new(hostTime), new(0.0)},
		{"59 s ahead", 3, new(hostTime.Add(59 * time.Second)), new(0.0)},
		{"60 s ahead", 3, new(hostTime.Add(60 * time.Second)), new(0.0)},
		{"more than 60 s ahead", 3, new(hostTime.Add(60*time.Second + time.Millisecond)), nil},
		{"year 9999", 3, new(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), nil},
		{"never", 3, new(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
		{"null", 3, nil, nil},
		{"an hour ago, in another zone", 8, new(hostTime.Add(-time.Hour).In(time.FixedZone("", 7200))), new(3600.0)},
		{"not replicating", 0, new(hostTime.Add(-time.Minute)), nil},
	} {
		h, _ := hostOfKind("primary", tt.state, 3)
		h.show([]msvm.ReplicationRelationship{{
			InstanceID: `Microsoft:` + vmA + `\HVR\0`, ReplicationState: new(msvm.ReplicationState(tt.state)),
			LastReplicationTime: tt.at, ReplicationHealth: new(msvm.ReplicationHealth(2)),
		}})
		s := h.snapshot(t)
		got := s.TargetState(find(t, s, vmA, "primary"))
		if !reflect.DeepEqual(got.LagSeconds, tt.want) || got.Health != "warning" || got.Mode != "primary" {
			t.Errorf("%s: got %v, %+v, want %v", tt.name, show(got.LagSeconds), got, show(tt.want))
		}
	}
}

// Only the sending side knows how much is pending. On the other side, a number of the host is not shown.
func TestPendingBytesOfTheSendingSide(t *testing.T) {
	for kind, want := range map[string]bool{"primary": true, "onward": true, "replica": false, "third": false} {
		h, link := hostOfKind(kind, 3, 2)
		calls := 0
		h.get = func(wmiquery.Call) (wmiquery.Reply, error) {
			calls++
			text := `<INSTANCE CLASSNAME="Msvm_ReplicationStatistics">` +
				`<PROPERTY NAME="PendingReplicationSize" TYPE="uint64"><VALUE>4096</VALUE></PROPERTY></INSTANCE>`
			return wmiquery.Reply{Out: map[string]any{"ReplicationStatistics": []string{text}}}, nil
		}
		s := h.snapshot(t)
		r := find(t, s, vmA, link)
		got := ReadStatistics(t.Context(), h, s, r).PendingBytes(r)
		if (got != nil) != want || want && *got != 4096 {
			t.Errorf("%s: got %v, want known: %v", kind, got, want)
		}
		plan, p := PlanAction(t.Context(), h, s, action(t, "remove"), r, &Request{})
		if p != nil {
			t.Fatal(p.Detail)
		}
		target := plan.TargetState(s)
		plan.ReadPendingBytes(t.Context(), h, s, target)
		if (target.PendingBytes != nil) != want {
			t.Errorf("%s: the target state has the pending bytes %v, want known: %v", kind, target.PendingBytes, want)
		}
		if n := map[bool]int{true: 2, false: 1}[want]; calls != n {
			t.Errorf("%s: %d calls for statistics, want %d", kind, calls, n)
		}
	}
}

// Statistics that cannot be read are unknown. They are not read from a relationship that does not replicate, because
// the host answers with an error.
func TestStatisticsThatCannotBeRead(t *testing.T) {
	for name, reply := range map[string]wmiquery.Reply{
		"no statistics":    {},
		"return code":      {Code: 32768},
		"job":              {Code: 4096, Job: "Msvm_ConcreteJob"},
		"not an instance":  {Out: map[string]any{"ReplicationStatistics": []string{"x"}}},
		"empty statistics": {Out: map[string]any{"ReplicationStatistics": []string{}}},
	} {
		h, _ := hostOfKind("primary", 3, 2)
		h.get = func(wmiquery.Call) (wmiquery.Reply, error) { return reply, nil }
		s := h.snapshot(t)
		r := find(t, s, vmA, "primary")
		got := ReadStatistics(t.Context(), h, s, r)
		if got.Err == nil || got.Window != nil || got.PendingBytes(r) != nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	h, _ := hostOfKind("primary", 0, 2)
	h.get = func(call wmiquery.Call) (wmiquery.Reply, error) { t.Errorf("%+v", call); return wmiquery.Reply{}, nil }
	s := h.snapshot(t)
	if got := ReadStatistics(t.Context(), h, s, find(t, s, vmA, "primary")); got.Err != nil || got.Window != nil {
		t.Errorf("got %+v", got)
	}
}
