package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// situation is the state of a VM when the World is created: the direction of replication, its state, and
// since when. It lasts until time or a client changes it.
type situation struct {
	name            string
	neverReplicated bool // the VM exists on HV01 only
	inbound         bool // HV02 sends to HV01; otherwise HV01 sends to HV02

	interval time.Duration // 0 means 300 s, the default of Windows
	slow     bool          // a cycle takes longer than the interval

	// States of both endpoints since age ago. Before that, both replicated; if newlyEnabled, replication
	// was not enabled. The zero value means that both replicate.
	sender, receiver msvm.ReplicationState
	age              time.Duration
	newlyEnabled     bool
	jobDuration      time.Duration        // duration of the job that started age ago; 0 means no job
	failedOver       msvm.ReplicationType // type of the failover of the receiver
	changesSent      bool                 // the last changes were sent
	senderOff        bool                 // the sending VM was turned off
	receiverOn       bool                 // the receiving VM was turned on

	exported    bool // the initial replica was exported and waits to be imported
	external    bool // the relationship has an external replication provider
	extended    bool // HV01 sends to HV03, too
	testReplica bool // the replica has a test replica
}

// situations are all situations, common ones first, so that a World with few VMs shows the common ones.
//
// The states of senders during a failover are inferred: a primary whose replica has failed over cannot
// send any more and is critical.
var situations = []situation{
	{name: "replicating"},
	{name: "replicating inbound", inbound: true},
	{name: "replicating every 30 s", interval: 30 * time.Second},
	{name: "replicating every 900 s", interval: 900 * time.Second},
	{name: "never replicated", neverReplicated: true},
	{name: "slow link", slow: true},
	{
		name:   "paused on the primary",
		sender: msvm.Suspended, receiver: msvm.Replicating, age: 40 * time.Minute,
	},
	{
		name:   "initial replication",
		sender: msvm.WaitingToCompleteInitialReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		age: 74 * time.Minute, newlyEnabled: true, jobDuration: 200 * time.Minute,
	},
	{
		name:   "resynchronization required",
		sender: msvm.WaitingToStartResynchronization, receiver: msvm.Replicating, age: 90 * time.Minute,
	},
	{
		name:   "critical",
		sender: msvm.Critical, receiver: msvm.Critical, age: 80 * time.Minute,
	},
	{
		name:   "freshly enabled",
		sender: msvm.ReadyForReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		age: 10 * time.Minute, newlyEnabled: true,
	},
	{
		name: "paused on the replica", inbound: true,
		sender: msvm.Replicating, receiver: msvm.Suspended, age: 25 * time.Minute,
	},
	{
		name:   "resynchronizing",
		sender: msvm.Resynchronizing, receiver: msvm.Resynchronizing, age: 20 * time.Minute, jobDuration: 70 * time.Minute,
	},
	{
		name:   "resynchronization suspended",
		sender: msvm.ResynchronizationSuspended, receiver: msvm.Resynchronizing,
		age: 50 * time.Minute, jobDuration: 80 * time.Minute,
	},
	{
		name:   "prepared for planned failover",
		sender: msvm.SyncedReplicationComplete, receiver: msvm.Replicating, age: 5 * time.Minute,
		changesSent: true, senderOff: true,
	},
	{
		name: "failover in progress", inbound: true,
		sender: msvm.Critical, receiver: msvm.FailoverInProgress, age: 2 * time.Minute,
		jobDuration: 3 * time.Hour, // long enough to be seen
	},
	{
		name: "failed over", inbound: true,
		sender: msvm.Critical, receiver: msvm.Recovered, age: 30 * time.Minute, failedOver: msvm.TypeRegular,
	},
	{
		name: "failover committed", inbound: true,
		sender: msvm.Critical, receiver: msvm.Committed, age: 100 * time.Minute, failedOver: msvm.TypeRegular,
		receiverOn: true,
	},
	{name: "extended", inbound: true, extended: true},
	{name: "test failover", inbound: true, testReplica: true},
	{
		name: "initial replication inbound", inbound: true,
		sender: msvm.WaitingToCompleteInitialReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		age: 15 * time.Minute, newlyEnabled: true, jobDuration: 150 * time.Minute,
	},
}

// replicates reports whether the VM replicates without problems.
func (s situation) replicates() bool {
	return !s.neverReplicated && !s.slow && s.sender == msvm.Disabled
}
