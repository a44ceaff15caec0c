package msvm

// StateRequest is one value that RequestReplicationStateChangeEx takes: the
// documented ones, and 15, which Microsoft's client sends.
type StateRequest struct {
	State   ReplicationState
	Summary string
	// Modes and States are those in which the host accepts it, as in Method.
	Modes  []ReplicationMode
	States []ReplicationState
	// SendingSide: only for the side that sends, the primary or a replica on its
	// extended link.
	SendingSide bool
	// RequiresOff: the VM must be turned off.
	RequiresOff bool
	// Job is the type of the job that it starts.
	Job JobType
}

// FindStateRequest returns the request for a state. It returns false if the state cannot be requested.
func FindStateRequest(state ReplicationState) (StateRequest, bool) {
	for _, r := range StateRequests() {
		if r.State == state {
			return r, true
		}
	}
	return StateRequest{}, false
}

// StateRequests has the values that can be requested.
func StateRequests() []StateRequest {
	return []StateRequest{
		{
			State:   ReadyForReplication,
			Summary: "cancels an initial replication that runs or is scheduled",
			Modes:   sender, SendingSide: true,
			States: []ReplicationState{ReadyForReplication, WaitingToCompleteInitialReplication, DiskUpdateInProgress, DiskUpdateCritical},
			Job:    JobStopInitialReplication,
		},
		{
			State:   WaitingToCompleteInitialReplication,
			Summary: "makes a plain VM a replica that waits for its initial replication",
			Modes:   []ReplicationMode{ModeNone, ModeReplica},
			States:  []ReplicationState{Disabled, DiskUpdateInProgress, DiskUpdateCritical},
			Job:     JobStateChange,
		},
		{
			State:   Replicating,
			Summary: "goes on after a pause or an error; on a replica it ends a resynchronization",
			Modes:   replicated,
			States: []ReplicationState{
				Suspended, Critical, WaitingToStartResynchronization, Resynchronizing, ResynchronizationSuspended,
				DiskUpdateInProgress, DiskUpdateCritical,
			},
			Job: JobStateChange,
		},
		{
			State:   SyncedReplicationComplete,
			Summary: "sends the last changes for a planned failover and locks the VM",
			Modes:   sender, SendingSide: true, States: []ReplicationState{Replicating}, RequiresOff: true,
			Job: JobInitiateSyncedReplication,
		},
		{
			State:   Suspended,
			Summary: "pauses replication or a resynchronization",
			Modes:   replicated,
			States:  []ReplicationState{WaitingToCompleteInitialReplication, Replicating, Resynchronizing},
			Job:     JobStateChange,
		},
		{
			State:   WaitingToStartResynchronization,
			Summary: "cancels a resynchronization that runs",
			Modes:   sender, SendingSide: true, States: []ReplicationState{Resynchronizing},
			Job: JobStopResynchronizing,
		},
		{
			State:   DiskUpdateInProgress,
			Summary: "tries a change of the replicated disks again",
			Modes:   replicated,
			States:  []ReplicationState{DiskUpdateCritical},
			Job:     JobUpdateDiskSet,
		},
	}
}
