package simulator

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// method is a method of a class and what the host does when it is called.
type method struct {
	class, name string
	run         func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error)
}

// methods are those that the simulated hosts have: all of msvm.Methods.
var methods = []method{
	{"Msvm_ReplicationService", msvm.MethodGetReplicationStatistics, (*session).replicationStatistics},
	{"Msvm_ReplicationService", msvm.MethodGetSystemCertificates, (*session).systemCertificates},
	{"Msvm_ReplicationService", "GetReplicationStatistics", (*session).replicationStatistics},
	{"Msvm_ReplicationService", "ResetReplicationStatistics", act(action{link: primary, run: resetStatistics})},
	{"Msvm_ReplicationService", "ResetReplicationStatisticsEx", act(action{link: named, run: resetStatistics})},

	{"Msvm_ReplicationService", "ModifyServiceSettings", act(action{run: modifyService})},
	{"Msvm_ReplicationService", "AddAuthorizationEntry", act(action{run: addEntry})},
	{"Msvm_ReplicationService", "ModifyAuthorizationEntry", act(action{run: modifyEntry})},
	{"Msvm_ReplicationService", "RemoveAuthorizationEntry", act(action{run: removeEntry})},
	{"Msvm_ReplicationService", "SetAuthorizationEntry", act(action{beside: true, run: bindEntry})},
	{"Msvm_ReplicationService", "TestReplicationConnection", act(action{run: testConnection})},
	{"Msvm_ReplicationService", "SetFailoverNetworkAdapterSettings", act(action{link: primary, beside: true, run: setFailoverNetwork})},
	{"Msvm_ReplicationService", "RequestStateChange", act(action{run: unsupported})},
	{"Msvm_ReplicationService", "StartService", act(action{run: unsupported})},
	{"Msvm_ReplicationService", "StopService", act(action{run: unsupported})},

	{"Msvm_ReplicationService", "CreateReplicationRelationship", act(action{link: outbound, run: create})},
	{"Msvm_ReplicationService", "ModifyReplicationSettings", act(action{link: outbound, run: modify})},
	{"Msvm_ReplicationService", "RemoveReplicationRelationship", act(action{link: primary, beside: true, run: remove})},
	{"Msvm_ReplicationService", "RemoveReplicationRelationshipEx", act(action{link: named, beside: true, run: remove})},
	{"Msvm_ReplicationService", "StartReplication", act(action{link: outbound, run: startReplication})},
	{"Msvm_ReplicationService", "ImportInitialReplica", act(action{link: primary, run: importInitialReplica})},
	{"Msvm_ReplicationService", "Resynchronize", act(action{link: outbound, run: resynchronize})},

	{"Msvm_ReplicationService", "InitiateFailover", act(action{link: primary, run: initiateFailover})},
	{"Msvm_ReplicationService", "RevertFailover", act(action{link: relevant, beside: true, run: revertFailover})},
	{"Msvm_ReplicationService", "CommitFailover", act(action{link: primary, run: commitFailover})},
	{"Msvm_ReplicationService", "TestReplicaSystem", act(action{link: primary, run: testReplica})},
	{"Msvm_ReplicationService", "ReverseReplicationRelationship", act(action{link: primary, run: reverse})},
	{"Msvm_ReplicationService", "ChangeReplicationModeToPrimary", act(action{link: primary, run: changeToPrimary})},
	{"Msvm_ReplicationService", "InitiateFailback", act(action{link: primary, run: initiateFailback})},
	{"Msvm_VirtualSystemManagementService", "DestroySystem", act(action{run: destroy})},

	{"Msvm_ComputerSystem", "RequestReplicationStateChange", act(action{link: primary, beside: true, run: requestState})},
	{"Msvm_ComputerSystem", msvm.MethodRequestReplicationStateChange, act(action{link: named, beside: true, run: requestState})},

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
func (h *host) machineParam(c wmiquery.Call, name string) (*machine, bool) {
	ref := c.Text(name)
	_, after, _ := strings.Cut(ref, `Name="Msvm_ComputerSystem",Name="`)
	id := strings.ToUpper(strings.TrimSuffix(after, `"`))
	m, ok := h.byID[id]
	return m, ok && strings.EqualFold(ref, string(msvm.VMRef(id)))
}

// relationshipParam is the relationship of the machine that a parameter, which
// is an embedded instance, names. Of the text only the key counts.
func (m *machine) relationshipParam(c wmiquery.Call, name string) (relationship, bool) {
	var r msvm.ReplicationRelationship
	class, err := cimxml.Unmarshal(c.Text(name), &r)
	if err != nil || !strings.EqualFold(class, r.WMIClass().Name) {
		return relationship{}, false
	}
	key, err := msvm.ParseKey(r.InstanceID)
	return relationship{m, key.Link}, err == nil && key.VM == m.id
}
