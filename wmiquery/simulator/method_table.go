package simulator

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// method is a method of package msvm and how the simulated hosts run it.
type method struct {
	msvm.Method
	handler
}

// handler is how a host runs a method, after the checks that all methods have in common.
type handler struct {
	// run processes the call. World.mu is held, and the VM is at the time of the call.
	run func(*request) wmiquery.Reply
	// link returns the relationship that the call is about. Nil is request.defaultLink.
	linkType func(*request) msvm.Link
	// allowedDuringJob: the method accepts calls while a job for the VM is running, or checks for jobs itself.
	allowedDuringJob bool
}

// handlers are the handlers of all methods of package msvm, by class and name.
var handlers = map[string]map[string]handler{
	msvm.ClassReplicationService: {
		msvm.MethodModifyServiceSettings:     {run: modifyService},
		msvm.MethodAddAuthorizationEntry:     {run: addEntry},
		msvm.MethodModifyAuthorizationEntry:  {run: modifyEntry},
		msvm.MethodRemoveAuthorizationEntry:  {run: removeEntry},
		msvm.MethodSetAuthorizationEntry:     {run: bindEntry, allowedDuringJob: true},
		msvm.MethodTestReplicationConnection: {run: testConnection},
		msvm.MethodGetSystemCertificates:     {run: systemCertificates},
		msvm.MethodRequestStateChange:        {run: unsupported},
		msvm.MethodStartService:              {run: unsupported},
		msvm.MethodStopService:               {run: unsupported},

		msvm.MethodCreateReplicationRelationship:     {run: createRelationship},
		msvm.MethodModifyReplicationSettings:         {run: modifyRelationship},
		msvm.MethodRemoveReplicationRelationship:     {run: removeRelationship, allowedDuringJob: true},
		msvm.MethodRemoveReplicationRelationshipEx:   {run: removeRelationship, allowedDuringJob: true},
		msvm.MethodStartReplication:                  {run: startReplication},
		msvm.MethodImportInitialReplica:              {run: importInitialReplica},
		msvm.MethodResynchronize:                     {run: resynchronize},
		msvm.MethodSetFailoverNetworkAdapterSettings: {run: setFailoverNetwork, allowedDuringJob: true},

		msvm.MethodInitiateFailover:               {run: initiateFailover},
		msvm.MethodRevertFailover:                 {run: revertFailover, linkType: revertLink, allowedDuringJob: true},
		msvm.MethodCommitFailover:                 {run: commitFailover},
		msvm.MethodTestReplicaSystem:              {run: testReplica},
		msvm.MethodReverseReplicationRelationship: {run: reverseReplication},
		msvm.MethodChangeReplicationModeToPrimary: {run: changeToPrimary, linkType: primaryLink},
		msvm.MethodInitiateFailback:               {run: initiateFailback},

		msvm.MethodGetReplicationStatistics:     {run: getStatistics},
		msvm.MethodGetReplicationStatisticsEx:   {run: getStatistics},
		msvm.MethodResetReplicationStatistics:   {run: resetStatistics},
		msvm.MethodResetReplicationStatisticsEx: {run: resetStatistics},
	},
	msvm.ClassComputerSystem: {
		msvm.MethodRequestReplicationStateChange:   {run: requestState, allowedDuringJob: true},
		msvm.MethodRequestReplicationStateChangeEx: {run: requestState, allowedDuringJob: true},
		msvm.MethodRequestStateChange:              {run: requestPower, allowedDuringJob: true},
	},
	msvm.ClassShutdownComponent: {
		msvm.MethodInitiateShutdown: {run: initiateShutdown, allowedDuringJob: true},
	},
	msvm.ClassVirtualSystemManagementService: {
		msvm.MethodDestroySystem: {run: destroySystem},
	},
	msvm.ClassConcreteJob: {
		msvm.MethodGetErrorEx:         {run: getJobErrors},
		msvm.MethodGetError:           {run: getJobError},
		msvm.MethodRequestStateChange: {run: changeJobState},
		msvm.MethodKillJob:            {run: killJob},
	},
}

// methods are the methods that have a handler.
var methods = func() []*method {
	var all []*method
	for _, m := range msvm.Methods() {
		if h, ok := handlers[m.Class][m.Name]; ok {
			all = append(all, &method{m, h})
		}
	}
	return all
}()

// findMethod returns the method of a class, or nil if there is none. Names are not case-sensitive.
func findMethod(class, name string) *method {
	for _, m := range methods {
		if strings.EqualFold(m.Name, name) && strings.EqualFold(m.Class, class) {
			return m
		}
	}
	return nil
}

// className is the class in an object path.
func className(r wmiquery.Ref) string {
	class, _, _ := strings.Cut(string(r), ".")
	return class
}

// relativePath is an object path without the host and the namespace.
func relativePath(path wmiquery.Ref) wmiquery.Ref {
	if strings.HasPrefix(string(path), `\\`) {
		_, after, _ := strings.Cut(string(path), ":")
		return wmiquery.Ref(after)
	}
	return path
}
