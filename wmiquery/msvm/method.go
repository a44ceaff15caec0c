package msvm

import (
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Method is the description of a method: its parameters, the conditions under which the host accepts it and its
// effects. Signatures are those of Microsoft's reference and of the schema, which agree. Modes and States are the
// conditions that Microsoft's own client checks before the call, because the reference documents them for few methods
// only.
type Method struct {
	Class, Name string
	// In and Out are the parameters in the order of the documented signature, without ReturnValue, a uint32.
	In, Out []Parameter
	// Summary is what the method does, a phrase without a subject.
	Summary string
	// Reads means that the method does not change the host.
	Reads bool
	// Destroys is what is lost for good after the call, "" for nothing. Data that others get, and limits that keep
	// others out, are lost, too.
	Destroys string
	// Modes and States are the modes of the VM and the states of the relationship in which the host accepts the call.
	// If empty, the host accepts any.
	Modes  []ReplicationMode
	States []ReplicationState
	// SendingSide means that a call that names only a VM is about the relationship on which the VM sends: the extended
	// one of a replica VM. See DefaultLink.
	SendingSide bool
	// RequiresOff means that the VM must be off.
	RequiresOff bool
	// Becomes is the state of the relationship after the call, 0 if it depends on circumstances.
	Becomes ReplicationState
	// LosesUnsent means that changes that have not been sent are lost, or that it is no longer possible to wait for them.
	LosesUnsent bool
	// Job is the type of the job that the method starts, 0 if it starts none.
	Job JobType
	// ReplacedBy is the method that the reference recommends instead, "" if the method is not deprecated.
	ReplacedBy string
}

// IsGet reports whether the method only returns data. [wmiquery.Reader] calls no other methods.
func (m Method) IsGet() bool { return wmiquery.IsGetMethod(m.Name) }

// RequestsState reports whether the method requests a state of a relationship. [StateRequests] has the conditions for
// each state.
func (m Method) RequestsState() bool {
	return m.Class == ClassComputerSystem &&
		(m.Name == MethodRequestReplicationStateChange || m.Name == MethodRequestReplicationStateChangeEx)
}

// RequestsPower reports whether the method requests a power state of a VM. [PowerRequests] has the conditions for each
// state.
func (m Method) RequestsPower() bool {
	return m.Class == ClassComputerSystem && m.Name == MethodRequestStateChange
}

// DefaultLink returns the relationship that the host chooses for a call that names only a VM, by the mode of the VM.
// RevertFailover is the exception: there the host also considers the states of both relationships.
func (m Method) DefaultLink(mode ReplicationMode) Link {
	if m.SendingSide && mode == ModeReplica {
		return Extended
	}
	return Primary
}

// MaxStartDelay is how far in the future an initial replication or a resynchronization can be scheduled. Microsoft's
// own client checks this limit; that the host checks it too is inferred.
const MaxStartDelay = 7 * 24 * time.Hour

// ValidStartTime reports whether the host accepts t as a StartTime: after now, at most MaxStartDelay ahead.
func ValidStartTime(t, now time.Time) bool { return t.After(now) && !t.After(now.Add(MaxStartDelay)) }

// Parameter is one parameter of a method.
type Parameter struct {
	Name string
	Type Type
	// Class is the class of the object that a reference refers to, or of an embedded instance; "" for other types.
	Class string
	// Optional means that the parameter may be null.
	Optional bool
}

// Type is the CIM type of a parameter.
type Type string

// The CIM types of parameters.
const (
	TypeReference     Type = "reference"
	TypeEmbedded      Type = "embedded instance" // a string with CIM-XML
	TypeEmbeddedArray Type = "array of embedded instances"
	TypeString        Type = "string"
	TypeStringArray   Type = "array of strings"
	TypeBoolean       Type = "boolean"
	TypeUint16        Type = "uint16"
	TypeDatetime      Type = "datetime"
)

// Parameters of several methods.
var (
	system       = Parameter{"ComputerSystem", TypeReference, ClassComputerSystem, false}
	relationship = Parameter{"ReplicationRelationship", TypeEmbedded, ClassReplicationRelationship, false}
	settings     = Parameter{"ReplicationSettingData", TypeEmbedded, ClassReplicationSettingData, false}
	entry        = Parameter{"AuthorizationEntry", TypeEmbedded, ClassReplicationAuthorizationSettingData, false}
	snapshot     = Parameter{"SnapshotSettingData", TypeReference, ClassVirtualSystemSettingData, true}
	startTime    = Parameter{"StartTime", TypeDatetime, "", true}
	requested    = Parameter{"RequestedState", TypeUint16, "", false}
	timeout      = Parameter{"TimeoutPeriod", TypeDatetime, "", true} // ignored by the host
	job          = Parameter{"Job", TypeReference, ClassConcreteJob, true}
	statistics   = Parameter{outStatistics, TypeEmbeddedArray, ClassReplicationStatistics, true}
	issues       = Parameter{outIssues, TypeEmbeddedArray, ClassError, true}
)

// Modes in the conditions of several methods.
var (
	replicas   = []ReplicationMode{ModeReplica, ModeExtendedReplica}
	sender     = []ReplicationMode{ModePrimary, ModeReplica} // a replica VM sends on its extended relationship
	replicated = []ReplicationMode{ModePrimary, ModeReplica, ModeExtendedReplica}
)

// anyReplicating has all states except Disabled.
var anyReplicating = func() []ReplicationState {
	var all []ReplicationState
	for n := range replicationStates {
		if s := ReplicationState(n); s != Disabled {
			all = append(all, s)
		}
	}
	return all
}()

// FindMethod returns a method of a class. The names are not case-sensitive.
func FindMethod(class, name string) (Method, bool) {
	i := slices.IndexFunc(methods, func(m Method) bool {
		return strings.EqualFold(m.Class, class) && strings.EqualFold(m.Name, name)
	})
	if i < 0 {
		return Method{}, false
	}
	return methods[i], true
}

// Methods returns all methods of the replication API.
func Methods() []Method { return slices.Clone(methods) }
