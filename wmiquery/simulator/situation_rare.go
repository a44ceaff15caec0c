package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// rareSituations are the states and the types of failovers that situations lacks: those of other ways to fail over, of
// changes of the replicated disks, of external providers, and of groups of VMs. Which states the two sides have at the
// same time is inferred. Nothing on the simulated hosts leads to the states of groups, or out of them.
var rareSituations = []situation{
	{
		name: "initial replica exported", inbound: true,
		sender: msvm.WaitingToCompleteInitialReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		age: 40 * time.Minute, newlyEnabled: true, exported: true,
	},
	{
		name: "failed over to an application-consistent point", inbound: true,
		sender: msvm.Critical, receiver: msvm.Recovered, age: 30 * time.Minute, failedOver: msvm.TypeApplicationConsistent,
	},
	{
		name: "planned failover", inbound: true,
		sender: msvm.SyncedReplicationComplete, receiver: msvm.Recovered, age: 20 * time.Minute,
		failedOver: msvm.TypePlanned, changesSent: true, senderOff: true,
	},
	{
		name:   "disk update",
		sender: msvm.DiskUpdateInProgress, receiver: msvm.DiskUpdateInProgress, age: 2 * time.Minute,
		jobDuration: 3 * time.Hour, // long enough to be seen
	},
	{
		name:   "disk update failed",
		sender: msvm.DiskUpdateCritical, receiver: msvm.DiskUpdateCritical, age: 15 * time.Minute,
	},
	{name: "external provider", inbound: true, external: true},
	{
		name: "failed over, external provider", inbound: true, external: true,
		sender: msvm.Critical, receiver: msvm.Committed, age: 50 * time.Minute, failedOver: msvm.TypeRegular,
		receiverOn: true,
	},
	{
		name: "failback in progress", inbound: true, external: true,
		sender: msvm.Critical, receiver: msvm.FailbackInProgress, age: 10 * time.Minute, failedOver: msvm.TypeRegular,
		jobDuration: 3 * time.Hour, // long enough to be seen
	},
	{
		name: "failback complete", inbound: true, external: true,
		sender: msvm.Critical, receiver: msvm.FailbackComplete, age: 25 * time.Minute, failedOver: msvm.TypeRegular,
	},
	{name: "unknown", sender: msvm.StateUnknown, receiver: msvm.Replicating, age: 10 * time.Minute},
	{
		name:   "repurpose",
		sender: msvm.RepurposeReplicationInProgress, receiver: msvm.RepurposeReplicationInProgress, age: 10 * time.Minute,
	},
	{
		name:   "prepared for sync replication",
		sender: msvm.PreparedForSyncReplication, receiver: msvm.Replicating, age: 10 * time.Minute,
	},
	{
		name:   "prepared for group reverse replication",
		sender: msvm.PreparedForGroupReverseReplication, receiver: msvm.Replicating, age: 10 * time.Minute,
	},
	{
		name: "firedrill", inbound: true,
		sender: msvm.Replicating, receiver: msvm.FiredrillInProgress, age: 10 * time.Minute,
	},
}
