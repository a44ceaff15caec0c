package simulator

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// method is a method of a class and what the host does when it is called.
type methodEntry struct {
	class, name string
	run         func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error)
}

// methods are those that the simulated hosts have: all of msvm.Methods.
var methodTable = []methodEntry{
	{"Msvm_ReplicationService", msvm.MethodGetReplicationStatisticsEx, (*session).replicationStatistics},
	{"Msvm_ReplicationService", msvm.MethodGetSystemCertificates, (*session).systemCertificates},
	{"Msvm_ReplicationService", msvm.MethodGetReplicationStatistics, (*session).replicationStatistics},
	{"Msvm_ReplicationService", "ResetReplicationStatistics", handle(handler{linkType: primaryLink, run: resetStatistics})},
	{"Msvm_ReplicationService", "ResetReplicationStatisticsEx", handle(handler{linkType: givenLink, run: resetStatistics})},

	{"Msvm_ReplicationService", "ModifyServiceSettings", handle(handler{run: modifyService})},
	{"Msvm_ReplicationService", "AddAuthorizationEntry", handle(handler{run: addEntry})},
	{"Msvm_ReplicationService", "ModifyAuthorizationEntry", handle(handler{run: modifyEntry})},
	{"Msvm_ReplicationService", "RemoveAuthorizationEntry", handle(handler{run: removeEntry})},
	{"Msvm_ReplicationService", "SetAuthorizationEntry", handle(handler{allowedDuringJob: true, run: bindEntry})},
	{"Msvm_ReplicationService", "TestReplicationConnection", handle(handler{run: testConnection})},
	{"Msvm_ReplicationService", "SetFailoverNetworkAdapterSettings", handle(handler{linkType: primaryLink, allowedDuringJob: true, run: setFailoverNetwork})},
	{"Msvm_ReplicationService", "RequestStateChange", handle(handler{run: unsupported})},
	{"Msvm_ReplicationService", "StartService", handle(handler{run: unsupported})},
	{"Msvm_ReplicationService", "StopService", handle(handler{run: unsupported})},

	{"Msvm_ReplicationService", "CreateReplicationRelationship", handle(handler{linkType: sendingLink, run: createRelationship})},
	{"Msvm_ReplicationService", "ModifyReplicationSettings", handle(handler{linkType: sendingLink, run: modifyRelationship})},
	{"Msvm_ReplicationService", "RemoveReplicationRelationship", handle(handler{linkType: primaryLink, allowedDuringJob: true, run: removeRelationship})},
	{"Msvm_ReplicationService", "RemoveReplicationRelationshipEx", handle(handler{linkType: givenLink, allowedDuringJob: true, run: removeRelationship})},
	{"Msvm_ReplicationService", "StartReplication", handle(handler{linkType: sendingLink, run: startReplication})},
	{"Msvm_ReplicationService", "ImportInitialReplica", handle(handler{linkType: primaryLink, run: importInitialReplica})},
	{"Msvm_ReplicationService", "Resynchronize", handle(handler{linkType: sendingLink, run: resynchronize})},

	{"Msvm_ReplicationService", "InitiateFailover", handle(handler{linkType: primaryLink, run: initiateFailover})},
	{"Msvm_ReplicationService", "RevertFailover", handle(handler{linkType: revertLink, allowedDuringJob: true, run: revertFailover})},
	{"Msvm_ReplicationService", "CommitFailover", handle(handler{linkType: primaryLink, run: commitFailover})},
	{"Msvm_ReplicationService", "TestReplicaSystem", handle(handler{linkType: primaryLink, run: testReplica})},
	{"Msvm_ReplicationService", "ReverseReplicationRelationship", handle(handler{linkType: primaryLink, run: reverseReplication})},
	{"Msvm_ReplicationService", "ChangeReplicationModeToPrimary", handle(handler{linkType: primaryLink, run: changeToPrimary})},
	{"Msvm_ReplicationService", "InitiateFailback", handle(handler{linkType: primaryLink, run: initiateFailback})},
	{"Msvm_VirtualSystemManagementService", "DestroySystem", handle(handler{run: destroySystem})},

	{"Msvm_ComputerSystem", "RequestReplicationStateChange", handle(handler{linkType: primaryLink, allowedDuringJob: true, run: requestState})},
	{"Msvm_ComputerSystem", msvm.MethodRequestReplicationStateChangeEx, handle(handler{linkType: givenLink, allowedDuringJob: true, run: requestState})},

	{"Msvm_ConcreteJob", "GetErrorEx", onJob(jobErrors)},
	{"Msvm_ConcreteJob", "GetError", onJob(jobError)},
	{"Msvm_ConcreteJob", "RequestStateChange", onJob(changeJob)},
	{"Msvm_ConcreteJob", "KillJob", onJob(killJob)},
}

// className is the class in an object path.
func className(r wmiquery.Ref) string {
	class, _, _ := strings.Cut(string(r), ".")
	return class
}

// machineParam is the machine of the host that a parameter refers to.
func (h *host) machineParam(c wmiquery.Call, name string) (*hostVM, bool) {
	ref := c.Text(name)
	_, after, _ := strings.Cut(ref, `Name="Msvm_ComputerSystem",Name="`)
	id := strings.ToUpper(strings.TrimSuffix(after, `"`))
	vm, ok := h.byID[id]
	return vm, ok && strings.EqualFold(ref, string(msvm.VMRef(id)))
}

// relationshipParam is the relationship of the machine that a parameter, which
// is an embedded instance, names. Of the text only the key counts.
func (vm *hostVM) relationshipParam(c wmiquery.Call, name string) (relationship, bool) {
	var r msvm.ReplicationRelationship
	class, err := cimxml.Unmarshal(c.Text(name), &r)
	if err != nil || !strings.EqualFold(class, r.WMIClass().Name) {
		return relationship{}, false
	}
	key, err := msvm.ParseKey(r.InstanceID)
	return relationship{vm, key.Link}, err == nil && key.VM == vm.id
}
