package msvm

import (
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
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

// IsGet reports whether the method only returns data. Any caller of [wmiquery.Reader] may call it.
func (m Method) IsGet() bool { return wmiquery.IsGetMethod(m.Name) }

// RequestsState reports whether the method requests a state of a relationship. StateRequests has the conditions of
// each state.
func (m Method) RequestsState() bool {
	return m.Class == ClassComputerSystem &&
		(m.Name == MethodRequestReplicationStateChange || m.Name == MethodRequestReplicationStateChangeEx)
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

// Parameters that many methods have.
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
