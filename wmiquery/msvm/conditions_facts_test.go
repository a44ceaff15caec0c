package msvm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// methodFacts are the conditions and the effects of a method.
type methodFacts struct {
	modes  []ReplicationMode
	states []ReplicationState
	// sending is true for methods that are about the extended relationship of a replica VM.
	sending, off bool
	job          JobType
	becomes      ReplicationState
	// destroys is a part of the text that says what is lost for good, "" if nothing is.
	destroys   string
	unsent     bool // LosesUnsent
	reads      bool
	replacedBy string
}

var (
	notNone     = []ReplicationMode{1, 2, 4}
	notDisabled = []ReplicationState{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}
)

// conditions has the facts of all methods by name. The methods that are missing have no conditions and no effects.
//
// Sources: the pages of the methods in MicrosoftDocs/win32, HyperV_v2, for the side, the losses and the deprecated
// methods; the property JobType in msvm-concretejob.md for jobs, whose assignment to methods is inferred from their
// names. Modes, states and "the VM must be off" are what Microsoft's PowerShell module checks before the call.
var conditions = map[string]methodFacts{
	"ModifyServiceSettings":     {job: 90},
	"AddAuthorizationEntry":     {destroys: "limits on which servers"},
	"ModifyAuthorizationEntry":  {destroys: "limits on which servers"},
	"SetAuthorizationEntry":     {destroys: "limits on which servers"},
	"RemoveAuthorizationEntry":  {destroys: "authorization"}, // replication of the VMs that use the entry stops
	"TestReplicationConnection": {job: 115, reads: true},
	"GetSystemCertificates":     {reads: true},

	// On a replica VM, the method extends replication to a third host.
	"CreateReplicationRelationship": {
		modes: []ReplicationMode{0, 2}, states: []ReplicationState{0}, sending: true, job: 91, destroys: "confidentiality",
	},
	"ModifyReplicationSettings": {modes: []ReplicationMode{1, 2}, states: notDisabled, sending: true, job: 92},
	"RemoveReplicationRelationship": {
		modes: notNone, states: notDisabled, job: 93, destroys: "relationship", unsent: true,
		replacedBy: "RemoveReplicationRelationshipEx",
	},
	"RemoveReplicationRelationshipEx": {
		modes: notNone, states: notDisabled, job: 93, destroys: "relationship", unsent: true,
	},
	"StartReplication": {
		modes: []ReplicationMode{1, 2}, states: []ReplicationState{1}, sending: true, job: 94, becomes: 2,
	},
	"ImportInitialReplica": {modes: []ReplicationMode{2, 4}, states: []ReplicationState{2}, job: 95},
	// All recovery points are deleted at the end of a resynchronization.
	"Resynchronize": {
		modes: []ReplicationMode{1, 2}, states: []ReplicationState{7, 8, 9, 11}, sending: true, job: 107, becomes: 10,
		destroys: "recovery points",
	},
	"SetFailoverNetworkAdapterSettings": {modes: notNone, states: notDisabled},

	// PowerShell requests state 3 before the failover of a VM in state 7 or 10.
	"InitiateFailover": {
		modes: []ReplicationMode{2, 4}, states: []ReplicationState{3, 15}, off: true, job: 97, becomes: 5,
		destroys: "not sent", unsent: true,
	},
	// In state 4, on the primary, it cancels a prepared failover.
	"RevertFailover": {
		modes: notNone, states: []ReplicationState{4, 5, 12}, off: true, job: 98, becomes: 3, destroys: "failed-over VM",
	},
	"CommitFailover": {
		modes: []ReplicationMode{2, 4}, states: []ReplicationState{5}, job: 99, becomes: 6,
		destroys: "recovery points", unsent: true,
	},
	// The client rule is "not in 10 and 15". That the other states are refused, too, is inferred.
	"TestReplicaSystem": {modes: []ReplicationMode{2, 4}, states: []ReplicationState{3, 5, 6, 7, 8}, job: 102},
	"ReverseReplicationRelationship": {
		modes: []ReplicationMode{2, 4}, states: []ReplicationState{5, 6}, job: 104, destroys: "old primary", unsent: true,
	},
	"ChangeReplicationModeToPrimary": {
		modes: []ReplicationMode{2}, states: []ReplicationState{6}, job: 123, destroys: "old primary", unsent: true,
	},
	"InitiateFailback": {modes: []ReplicationMode{2, 4}, states: []ReplicationState{5, 6}, job: 124},

	"GetReplicationStatistics":   {job: 111, reads: true, replacedBy: "GetReplicationStatisticsEx"},
	"GetReplicationStatisticsEx": {job: 111, reads: true},
	"ResetReplicationStatistics": {
		modes: notNone, states: notDisabled, job: 119, destroys: "statistics", replacedBy: "ResetReplicationStatisticsEx",
	},
	"ResetReplicationStatisticsEx": {modes: notNone, states: notDisabled, job: 119, destroys: "statistics"},

	"RequestReplicationStateChange": {
		modes: notNone, states: notDisabled, job: 96, replacedBy: "RequestReplicationStateChangeEx",
	},
	"RequestReplicationStateChangeEx": {job: 96},
	"DestroySystem":                   {modes: []ReplicationMode{3}, off: true, job: 103, destroys: "VM"},

	"GetErrorEx": {reads: true},
	"GetError":   {reads: true},
	"KillJob":    {replacedBy: "RequestStateChange"},
}

func TestConditionsAndEffectsOfMethods(t *testing.T) {
	var names []string
	for _, m := range Methods() {
		want, ok := conditions[m.Class+"."+m.Name]
		if !ok {
			want = conditions[m.Name]
		}
		names = append(names, m.Name, m.Class+"."+m.Name)
		checkSet(t, m.Name+": modes", m.Modes, want.modes)
		checkSet(t, m.Name+": states", m.States, want.states)
		if m.SendingSide != want.sending || m.RequiresOff != want.off {
			t.Errorf("%s: SendingSide is %v, RequiresOff is %v; want %v, %v",
				m.Name, m.SendingSide, m.RequiresOff, want.sending, want.off)
		}
		if m.Job != want.job || m.Becomes != want.becomes {
			t.Errorf("%s: job type %d, new state %d; want %d, %d", m.Name, m.Job, m.Becomes, want.job, want.becomes)
		}
		if (m.Destroys != "") != (want.destroys != "") || !strings.Contains(m.Destroys, want.destroys) {
			t.Errorf("%s: destroys %q, want a text with %q", m.Name, m.Destroys, want.destroys)
		}
		if m.LosesUnsent != want.unsent || m.Reads != want.reads {
			t.Errorf("%s: LosesUnsent is %v, Reads is %v; want %v, %v",
				m.Name, m.LosesUnsent, m.Reads, want.unsent, want.reads)
		}
		if m.ReplacedBy != want.replacedBy {
			t.Errorf("%s: replaced by %q, want %q", m.Name, m.ReplacedBy, want.replacedBy)
		}
	}
	for name := range conditions {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not a method", name)
		}
	}
}

// checkSet compares two sets of numbers, in any order.
func checkSet[T ~uint16](t *testing.T, subject string, got, want []T) {
	t.Helper()
	if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%s: got %d, want %d", subject, got, want)
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-requestreplicationstatechangeex-computersystem.md for 1, 2, 3, 4, 7 and
// 9. Microsoft's PowerShell module also requests 15. Modes, states and "the VM must be off" are what the module checks
// before the call. The types of the jobs are inferred from their names.
func TestConditionsOfRequestedStates(t *testing.T) {
	want := map[ReplicationState]StateRequest{
		// Stop-VMInitialReplication, and Stop-VMReplication during a change of the disks.
		1: {Modes: []ReplicationMode{1, 2}, States: []ReplicationState{1, 2, 15, 16}, SendingSide: true, Job: 109},
		// Enable-VMReplication -AsReplica. Set-VMReplication -AsReplica on the old primary after an unplanned failover, from
		// replication-failover.md in MicrosoftDocs/windowsserverdocs. Stop-VMReplication during a change of the disks.
		2: {
			Modes: []ReplicationMode{0, 1, 2}, States: []ReplicationState{0},
			StatesOfMode: map[ReplicationMode][]ReplicationState{1: {3, 7, 8, 9, 11}, 2: {15, 16}},
			RequiresOff:  true, Job: 96, Destroys: "changes",
			DestroysFrom: []ReplicationState{3, 7, 8, 9, 11}, LosesUnsent: true,
		},
		// Resume-VMReplication, and Stop-VMReplication on the replica server. In state 9 it starts a resynchronization, after
		// which the recovery points are deleted.
		3: {
			Modes: []ReplicationMode{1, 2, 4}, States: []ReplicationState{7, 8, 9, 10, 11, 15, 16}, Job: 96,
			Destroys: "recovery points", DestroysFrom: []ReplicationState{9},
		},
		// Start-VMFailover -Prepare.
		4: {
			Modes: []ReplicationMode{1, 2}, States: []ReplicationState{3}, SendingSide: true, RequiresOff: true, Job: 100,
		},
		// Suspend-VMReplication.
		7: {Modes: []ReplicationMode{1, 2, 4}, States: []ReplicationState{2, 3, 10}, Job: 96},
		// Stop-VMReplication during a resynchronization.
		9: {Modes: []ReplicationMode{1, 2}, States: []ReplicationState{10}, SendingSide: true, Job: 110},
		// Resume-VMReplication after a failed change of the disks.
		15: {Modes: []ReplicationMode{1, 2, 4}, States: []ReplicationState{16}, Job: 125},
	}
	var got []ReplicationState
	for _, r := range StateRequests() {
		got = append(got, r.State)
		w := want[r.State]
		checkSet(t, "modes of "+r.State.String(), r.Modes, w.Modes)
		for _, mode := range r.Modes {
			checkSet(t, fmt.Sprintf("states of %s in mode %d", r.State, mode), r.StatesIn(mode), w.StatesIn(mode))
		}
		if (r.Destroys != "") != (w.Destroys != "") || !strings.Contains(r.Destroys, w.Destroys) {
			t.Errorf("state %d: destroys %q, want a text with %q", r.State, r.Destroys, w.Destroys)
		}
		checkSet(t, "states from which something is lost", r.DestroysFrom, w.DestroysFrom)
		if r.LosesUnsent != w.LosesUnsent {
			t.Errorf("state %d: LosesUnsent is %v, want %v", r.State, r.LosesUnsent, w.LosesUnsent)
		}
		if r.SendingSide != w.SendingSide || r.RequiresOff != w.RequiresOff || r.Job != w.Job {
			t.Errorf("state %d: SendingSide is %v, RequiresOff is %v, job type is %d; want %v, %v, %d",
				r.State, r.SendingSide, r.RequiresOff, r.Job, w.SendingSide, w.RequiresOff, w.Job)
		}
	}
	checkSet(t, "states that can be requested", got, slices.Collect(maps.Keys(want)))
}
