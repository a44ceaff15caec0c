package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// situation is what a VM shows: where it replicates to, how that stands and
// since when. It stays until the clock or somebody changes it.
type situation struct {
	name            string
	neverReplicated bool // no replication, ever; only on HV01
	inbound         bool // HV02 sends to HV01; otherwise HV01 to HV02

	interval time.Duration // 0 is 300 s, which is the default
	slow     bool          // a cycle takes longer than the interval

	// States of the sending and the receiving side, for as long as ago; before
	// that both replicated, or, if fresh, replication was not enabled. Zero is
	// both replicating.
	sender, receiver msvm.ReplicationState
	age              time.Duration
	newlyEnabled     bool
	jobDuration      time.Duration        // of the job that runs since ago; 0 for none
	failedOver       msvm.ReplicationType // kind of the failover on the receiving side
	changesSent      bool                 // the last changes were sent
	senderOff        bool                 // the sending VM was turned off
	receiverOn       bool                 // the receiving VM was turned on

	extended    bool // HV01 sends on to HV03
	testReplica bool // a test replica VM stands beside the replica
}

// situations is every situation once, common ones first: a world of few VMs has
// those of the front.
//
// Sender states that go with a failover are inferred: a primary whose replica
// has failed over can no longer send and is critical.
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
		sender: msvm.ResynchronizationSuspended, receiver: msvm.Resynchronizing, age: 50 * time.Minute, jobDuration: 80 * time.Minute,
	},
	{
		name:   "prepared for planned failover",
		sender: msvm.SyncedReplicationComplete, receiver: msvm.Replicating, age: 5 * time.Minute,
		changesSent: true, senderOff: true,
	},
	{
		name: "failover in progress", inbound: true,
		sender: msvm.Critical, receiver: msvm.FailoverInProgress, age: 2 * time.Minute,
		jobDuration: 3 * time.Hour, // a large VM, to be seen for a while
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

// replicates tells whether all is well and stays so.
func (s situation) replicates() bool {
	return !s.neverReplicated && !s.slow && s.sender == msvm.Disabled
}
