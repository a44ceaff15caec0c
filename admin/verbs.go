package admin

import (
	"hyperv_replica_exporter/wmiquery/msvm"
)

// verb is something that can be done to a relationship by a name that
// administrators know. What it needs of modes and states is in package msvm's
// tables; here is what those lack.
type verb struct {
	name   string
	method string
	// request is the state that is asked for, of RequestReplicationStateChangeEx.
	request msvm.ReplicationState
	needs   role
	// link is which relationship it is about, nil for either.
	link func(*replica) bool
	// takes are the method's parameters that may be given; the others are filled
	// in.
	takes []string
	// beside: it may be called while a job about the VM runs, to stop or pause it.
	beside bool
	// check finds what else speaks against it.
	check func(*hostView, *replica) *problem
}

// verbs is the table of verbs.
func verbs() []verb {
	return []verb{
		{name: "suspend", method: requestState, request: msvm.Suspended, needs: operator, beside: true},
		{name: "resume", method: requestState, request: msvm.Replicating, needs: operator, beside: true, check: resumes},
		{
			name: "resynchronize", method: "Resynchronize", needs: operator, link: (*replica).sends,
			takes: []string{"StartTime"}, check: noOtherResync,
		},
		{name: "cancel-resynchronize", method: requestState, request: msvm.WaitingToStartResynchronization, needs: operator, beside: true},
		{
			name: "start-initial-replication", method: "StartReplication", needs: operator, link: (*replica).sends,
			takes: []string{"InitialReplicationType", "StartTime"},
		},
		{name: "cancel-initial-replication", method: requestState, request: msvm.ReadyForReplication, needs: operator, beside: true, check: noDiskUpdateBeyond},
		{
			name: "import-initial-replica", method: "ImportInitialReplica", needs: owner, link: onPrimary,
			takes: []string{"InitialReplicationImportLocation"},
		},
		{name: "reset-statistics", method: "ResetReplicationStatisticsEx", needs: operator},
		{name: "prepare-failover", method: requestState, request: msvm.SyncedReplicationComplete, needs: failover},
		{name: "cancel-failover", method: "RevertFailover", needs: failover, beside: true, check: clearWhatToRevert},
		{
			name: "failover", method: "InitiateFailover", needs: failover, link: onPrimary,
			takes: []string{"SnapshotSettingData"}, check: everReplicated,
		},
		{
			name: "test-failover", method: "TestReplicaSystem", needs: operator, link: onPrimary,
			takes: []string{"SnapshotSettingData"}, check: noTestYet,
		},
		{name: "cleanup-test-failover", method: "DestroySystem", needs: operator, link: onPrimary},
		{name: "commit-failover", method: "CommitFailover", needs: failover, link: onPrimary},
		{name: "reverse", method: "ReverseReplicationRelationship", needs: failover, link: onPrimary, check: notExtended},
		{name: "continue-extended", method: "ChangeReplicationModeToPrimary", needs: failover, link: onPrimary, check: extended},
		{name: "remove", method: "RemoveReplicationRelationshipEx", needs: owner, check: lastRelationship},
		{name: "test-connection", method: "TestReplicationConnection", needs: operator, link: (*replica).sends},
	}
}

const requestState = msvm.MethodRequestReplicationStateChangeEx

// findVerb finds a verb by its name.
func findVerb(name string) (verb, bool) {
	for _, v := range verbs() {
		if v.name == name {
			return v, true
		}
	}
	return verb{}, false
}

// verbOf is the verb that a call of a method amounts to, so that what is checked
// for the one is for the other. A deprecated method counts as what replaced it.
func verbOf(m msvm.Method, request msvm.ReplicationState) (verb, bool) {
	for _, v := range verbs() {
		if v.method == m.Name || v.method == m.ReplacedBy && m.ReplacedBy != "" {
			if v.method != requestState || v.request == request {
				return v, true
			}
		}
	}
	return verb{}, false
}

// Which relationship a verb is about.

func onPrimary(r *replica) bool { return r.key.Link == msvm.Primary }

// What else speaks against a verb.

// noOtherResync: one resynchronization at a time, since each reads all disks.
func noOtherResync(v *hostView, r *replica) *problem {
	for _, o := range v.order {
		if other := v.replicas[o]; o != r.key && other.sends() && other.state() == msvm.Resynchronizing {
			return refuse(kindResync, "%s resynchronizes; one does at a time", o.VM).heading("Retry-After", "60")
		}
	}
	return nil
}

// resumes: only the receiving side ends a resynchronization so; and to go on may be to
// resynchronize.
func resumes(v *hostView, r *replica) *problem {
	switch {
	case r.sends() && r.state() == msvm.Resynchronizing:
		return refuse(kindState, "it resynchronizes: wait, suspend, or cancel-resynchronize")
	case r.resumesResync():
		return noOtherResync(v, r)
	}
	return noDiskUpdateBeyond(v, r)
}

// noDiskUpdateBeyond: a change of the disks is not undone on extended relationships, of
// which the receiving side is the third host's only one.
func noDiskUpdateBeyond(_ *hostView, r *replica) *problem {
	updates := r.state() == msvm.DiskUpdateInProgress || r.state() == msvm.DiskUpdateCritical
	if mode, _ := r.mode(); updates && (r.key.Link == msvm.Extended || mode == msvm.ModeExtendedReplica) {
		return refuse(kindState, "in the state %s it is not for extended relationships", r.state())
	}
	return nil
}

// everReplicated: there is nothing to fail over to before.
func everReplicated(_ *hostView, r *replica) *problem {
	if _, ok := msvm.Known(r.row.LastReplicationTime); !ok {
		return refuse(kindState, "nothing was ever replicated")
	}
	return nil
}

func noTestYet(v *hostView, r *replica) *problem {
	if len(v.tests[r.key.VM]) > 0 {
		return refuse(kindState, "there is a test VM already: %s", v.tests[r.key.VM][0])
	}
	return everReplicated(v, r)
}

// clearWhatToRevert: the method takes no relationship and chooses one by itself.
// That must be the one that is meant.
func clearWhatToRevert(v *hostView, r *replica) *problem {
	if r.sends() != (r.state() == msvm.SyncedReplicationComplete) {
		return refuse(kindState, "the side that sends takes back what is prepared, the side that receives a failover")
	}
	if mode, _ := r.mode(); mode != msvm.ModeReplica {
		return nil
	}
	inbound, outbound := v.replicas[msvm.Key{VM: r.key.VM, Link: msvm.Primary}], v.replicas[msvm.Key{VM: r.key.VM, Link: msvm.Extended}]
	failedOver := inbound != nil && (inbound.state() == msvm.Recovered || inbound.state() == msvm.FailoverInProgress)
	prepared := outbound != nil && outbound.state() == msvm.SyncedReplicationComplete
	switch {
	case failedOver && prepared:
		return refuse(kindState, "the VM has failed over and its extended relationship is prepared, so that the host could take back either")
	case r.key.Link == msvm.Extended && !prepared:
		return refuse(kindState, "the extended relationship is not prepared")
	case r.key.Link == msvm.Primary && !failedOver:
		return refuse(kindState, "the VM has not failed over")
	}
	return nil
}

func notExtended(v *hostView, r *replica) *problem {
	if e := v.replicas[msvm.Key{VM: r.key.VM, Link: msvm.Extended}]; e != nil && e.row.Replicates() {
		return refuse(kindState, "the replica is replicated on: continue-extended makes it the primary, or remove the extended relationship first")
	}
	return nil
}

func extended(v *hostView, r *replica) *problem {
	if e := v.replicas[msvm.Key{VM: r.key.VM, Link: msvm.Extended}]; e == nil || !e.row.Replicates() {
		return refuse(kindState, "the replica is not replicated on")
	}
	return nil
}

// lastRelationship: a replica that is replicated on must lose that first.
func lastRelationship(v *hostView, r *replica) *problem {
	if r.key.Link == msvm.Extended || notExtended(v, r) == nil {
		return nil
	}
	return refuse(kindState, "the extended relationship must be removed first")
}
