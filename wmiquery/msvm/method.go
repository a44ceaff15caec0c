package msvm

import (
	"slices"
	"strings"
)

// Method is one method: what it takes and gives, when the host accepts it and
// what it does to the data. Signatures are those of Microsoft's reference and of
// the schema, which agree; Modes and States are what Microsoft's own client
// checks before the call, since the reference tells them for few methods.
type Method struct {
	Class, Name string
	// In and Out are the parameters in the order of the documented signature.
	// ReturnValue, an uint32, is not among them.
	In, Out []Parameter
	// Summary is what it does, in one sentence.
	Summary string
	// Reads: it changes nothing on the host.
	Reads bool
	// Destroys is what cannot be brought back afterwards, "" if nothing.
	Destroys string
	// Modes and States are those of the VM, and of the relationship in question,
	// in which the host accepts the call; empty for any.
	Modes  []ReplicationMode
	States []ReplicationState
	// SendingSide: told the VM alone, it is about the relationship that the VM sends on:
	// of a replica the extended one.
	SendingSide bool
	// RequiresOff: the VM must be turned off.
	RequiresOff bool
	// Becomes is the state of the relationship afterwards, 0 where that is not always
	// the same.
	Becomes ReplicationState
	// LosesUnsent: what was not sent before is gone, or can no longer be waited for.
	LosesUnsent bool
	// Job is the type of the job that it starts, 0 if it starts none.
	Job JobType
	// ReplacedBy is the method that the reference recommends in its place, "" if it
	// is not deprecated.
	ReplacedBy string
}

// Parameter is one parameter of a method.
type Parameter struct {
	Name string
	Type Type
	// Class is the class of what a reference refers to or an embedded instance is
	// of; "" for other types.
	Class string
	// Optional: it may be null.
	Optional bool
}

// Type is the CIM type of a parameter.
type Type string

// The types that the methods use.
const (
	TypeReference     Type = "reference"
	TypeEmbedded      Type = "embedded instance" // a string of CIM-XML
	TypeEmbeddedArray Type = "array of embedded instances"
	TypeString        Type = "string"
	TypeStringArray   Type = "array of strings"
	TypeBoolean       Type = "boolean"
	TypeUint16        Type = "uint16"
	TypeDatetime      Type = "datetime"
)

// Names of classes that methods stand at or refer to.
const (
	classService  = "Msvm_ReplicationService"
	classSystem   = "Msvm_ComputerSystem"
	classJob      = "Msvm_ConcreteJob"
	classManager  = "Msvm_VirtualSystemManagementService"
	classError    = "Msvm_Error"
	classSettings = "Msvm_ReplicationSettingData"
)

// MethodGetReplicationStatistics is the name of the method that gives the
// statistics and the health issues of one relationship. Windows Server 2012
// lacks it.
const MethodGetReplicationStatistics = "GetReplicationStatisticsEx"

// MethodGetSystemCertificates is the name of the method that gives the
// certificates of the host.
const MethodGetSystemCertificates = "GetSystemCertificates"

// Parameters that many methods have.
var (
	system       = Parameter{"ComputerSystem", TypeReference, classSystem, false}
	relationship = Parameter{"ReplicationRelationship", TypeEmbedded, "Msvm_ReplicationRelationship", false}
	settings     = Parameter{"ReplicationSettingData", TypeEmbedded, classSettings, false}
	entry        = Parameter{"AuthorizationEntry", TypeEmbedded, "Msvm_ReplicationAuthorizationSettingData", false}
	snapshot     = Parameter{"SnapshotSettingData", TypeReference, "Msvm_VirtualSystemSettingData", true}
	startTime    = Parameter{"StartTime", TypeDatetime, "", true}
	requested    = Parameter{"RequestedState", TypeUint16, "", false}
	timeout      = Parameter{"TimeoutPeriod", TypeDatetime, "", true} // ignored by the host
	job          = Parameter{"Job", TypeReference, classJob, true}
	statistics   = Parameter{outStatistics, TypeEmbeddedArray, "Msvm_ReplicationStatistics", true}
	issues       = Parameter{outIssues, TypeEmbeddedArray, classError, true}
)

// Modes of VMs that take part in replication.
var (
	replicas   = []ReplicationMode{ModeReplica, ModeExtendedReplica}
	sender     = []ReplicationMode{ModePrimary, ModeReplica} // a replica sends on its extended link
	replicated = []ReplicationMode{ModePrimary, ModeReplica, ModeExtendedReplica}
)

// anyReplicating is every state but Disabled.
var anyReplicating = func() []ReplicationState {
	var all []ReplicationState
	for n := range replicationStates {
		if s := ReplicationState(n); s != Disabled {
			all = append(all, s)
		}
	}
	return all
}()

// FindMethod finds a method of a class, neither of which is case-sensitive.
func FindMethod(class, name string) (Method, bool) {
	i := slices.IndexFunc(methods, func(m Method) bool {
		return strings.EqualFold(m.Class, class) && strings.EqualFold(m.Name, name)
	})
	if i < 0 {
		return Method{}, false
	}
	return methods[i], true
}

// Methods has every method of the replication API, once: the simulated host,
// the COM provider of the tests and whoever offers the methods range over it.
func Methods() []Method { return slices.Clone(methods) }
