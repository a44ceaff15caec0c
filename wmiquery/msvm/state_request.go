package msvm

// StateRequest is a request for a state with RequestReplicationStateChangeEx.
type StateRequest struct {
	State   ReplicationState
	Summary string // what the request does, a phrase without a subject
	// Modes and States are the modes of the VM and the states of the relationship in which the host accepts the
	// request.
	Modes  []ReplicationMode
	States []ReplicationState
	// StatesOfMode has the states for the modes of the VM for which they are not those of States.
	StatesOfMode map[ReplicationMode][]ReplicationState
	// SendingSide means that the host accepts the request on the sending side only, see [ComputerSystem.Sends].
	SendingSide bool
	// RequiresOff means that the VM must be off.
	RequiresOff bool
	// Job is the type of the job that the request starts.
	Job JobType
	// Destroys is what is lost for good if the relationship is in one of the states of DestroysFrom, "" for nothing.
	Destroys     string
	DestroysFrom []ReplicationState
	// LosesUnsent means that changes that have not been sent are lost, too.
	LosesUnsent bool
}

// StatesIn returns the states of the relationship in which the host accepts the request for a VM of the mode.
func (r StateRequest) StatesIn(mode ReplicationMode) []ReplicationState {
	if states, ok := r.StatesOfMode[mode]; ok {
		return states
	}
	return r.States
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

// StateRequests returns a request for each state that can be requested: the documented states, and 15, which
// Microsoft's own client requests.
func StateRequests() []StateRequest {
	return []StateRequest{
		{
			State:   ReadyForReplication,
			Summary: "cancels an initial replication that is running or scheduled",
			Modes:   sender, SendingSide: true,
			States: []ReplicationState{
				ReadyForReplication, WaitingToCompleteInitialReplication, DiskUpdateInProgress, DiskUpdateCritical,
			},
			Job: JobStopInitialReplication,
		},
		{
			// Set-VMReplication -AsReplica on the old primary after an unplanned failover leads to this state. That the
			// cmdlet requests it is inferred from Enable-VMReplication -AsReplica, which does so for a VM without replication.
			// That the VM must be off is inferred, too: a replica VM cannot run before a failover.
			State:   WaitingToCompleteInitialReplication,
			Summary: "makes a VM without replication, or an old primary VM, a replica VM that waits for its initial replication",
			Modes:   []ReplicationMode{ModeNone, ModePrimary, ModeReplica},
			States:  []ReplicationState{Disabled},
			StatesOfMode: map[ReplicationMode][]ReplicationState{
				ModePrimary: {
					Replicating, Suspended, Critical, WaitingToStartResynchronization, ResynchronizationSuspended,
				},
				ModeReplica: {DiskUpdateInProgress, DiskUpdateCritical},
			},
			RequiresOff: true,
			Job:         JobStateChange,
			Destroys:    "the relationship of this VM to its replica, and the changes that the replica does not have",
			DestroysFrom: []ReplicationState{
				Replicating, Suspended, Critical, WaitingToStartResynchronization, ResynchronizationSuspended,
			},
			LosesUnsent: true,
		},
		{
			State: Replicating,
			Summary: "resumes replication after a pause or an error; starts a resynchronization that is required; " +
				"on a replica VM, ends a resynchronization",
			Modes: replicated,
			States: []ReplicationState{
				Suspended, Critical, WaitingToStartResynchronization, Resynchronizing, ResynchronizationSuspended,
				DiskUpdateInProgress, DiskUpdateCritical,
			},
			Job:      JobStateChange,
			Destroys: "the recovery points", DestroysFrom: []ReplicationState{WaitingToStartResynchronization},
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
			Summary: "cancels a running resynchronization",
			Modes:   sender, SendingSide: true, States: []ReplicationState{Resynchronizing},
			Job: JobStopResynchronizing,
		},
		{
			State:   DiskUpdateInProgress,
			Summary: "retries a failed change of the set of replicated disks",
			Modes:   replicated,
			States:  []ReplicationState{DiskUpdateCritical},
			Job:     JobUpdateDiskSet,
		},
	}
}
