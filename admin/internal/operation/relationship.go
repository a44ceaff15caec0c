// Package operation decides what a request does on the host: which method it calls with which parameters, when the
// host accepts the call, and what the call destroys.
package operation

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Relationship is a replication relationship with its VM and its settings.
type Relationship struct {
	Key      msvm.Key
	Row      msvm.ReplicationRelationship
	VM       msvm.ComputerSystem          // zero if the host does not show the VM
	Settings *msvm.ReplicationSettingData // nil if the host shows none
	// errSettings means that Settings has null for a value that the host has.
	errSettings error
	// otherVM is the GUID of another VM than Key.VM with which the host associates the relationship, "" for none.
	otherVM string
	// startedTest reports whether this program started the test failover of the VM. It is nil without a test VM.
	startedTest func() bool
}

// VMName returns the name of the VM, "" if it is not known.
func (r *Relationship) VMName() string { return msvm.StringOrEmpty(r.VM.ElementName) }

// State returns the state of the relationship, StateUnknown for null.
func (r *Relationship) State() msvm.ReplicationState { return r.Row.State() }

// Sends reports whether this host is the sending side.
func (r *Relationship) Sends() bool { return r.VM.Sends(r.Key.Link) }

// isPrimary reports whether this is the primary relationship of the VM, not the extended one.
func (r *Relationship) isPrimary() bool { return r.Key.Link == msvm.Primary }

// hasPower reports whether the VM can be started and turned off through this relationship: it replicates, and this is
// its primary relationship, which each VM has.
func (r *Relationship) hasPower() bool {
	mode, _ := r.VM.Mode()
	return r.isPrimary() && mode.Replicates()
}

// resumeResynchronizes reports whether a resume starts or continues a resynchronization, or can do so.
func (r *Relationship) resumeResynchronizes() bool {
	return r.Sends() && (r.State() == msvm.WaitingToStartResynchronization || r.State() == msvm.ResynchronizationSuspended)
}

// failedOver reports whether the replica has failed over, or is failing over. It is false for nil.
func (r *Relationship) failedOver() bool {
	return r != nil && (r.State() == msvm.Recovered || r.State() == msvm.FailoverInProgress)
}

// IsFailedOver reports whether a failover of the VM on this host is complete or committed.
func (r *Relationship) IsFailedOver() bool {
	return r.State() == msvm.Recovered || r.State() == msvm.Committed
}

// prepared reports whether a planned failover is prepared on the sending side. It is false for nil.
func (r *Relationship) prepared() bool {
	return r != nil && r.State() == msvm.SyncedReplicationComplete
}

// testStartedHere reports whether the VM has a test VM of a test failover that this program started.
func (r *Relationship) testStartedHere() bool {
	return r != nil && r.startedTest != nil && r.startedTest()
}

func (s *Snapshot) readAssociations(ctx context.Context, r wmiquery.Reader) (err error) {
	s.associations, err = readRows[msvm.SystemReplicationRelationship](ctx, r)
	return err
}

// joinAssociations adds the VMs with which the host associates the relationships, if they are not those of their keys.
func (s *Snapshot) joinAssociations() {
	path := func(ref wmiquery.Ref) string { return strings.ToLower(string(ref)) } // the host uses both cases
	byPath := make(map[string]*Relationship, len(s.relationships))
	for _, r := range s.relationships {
		byPath[path(r.Row.Ref())] = r
	}
	for _, a := range s.associations.all {
		if r, vm := byPath[path(a.Dependent)], msvm.VMOf(a.Antecedent); r != nil && vm != r.Key.VM {
			r.otherVM = cmp.Or(vm, string(a.Antecedent))
		}
	}
}

// VMStates returns the states of all VMs, by GUID: their power, their mode and the states of their relationships, as a
// text.
func (s *Snapshot) VMStates() map[string]string {
	states := make(map[string]string, len(s.vms))
	for guid, vm := range s.vms {
		mode, _ := vm.Mode()
		states[guid] = fmt.Sprint(vm.Power(), " ", mode)
	}
	for _, key := range s.keys {
		states[key.VM] += fmt.Sprint(" ", key.Link, " ", s.relationships[key].State())
	}
	return states
}

// TargetState is the state of a relationship before a call.
type TargetState struct {
	State  string `json:"state"`
	Mode   string `json:"mode"`
	Health string `json:"health,omitempty"`
	DataLoss
}

// DataLoss is the data that would be lost if the sending side failed now, as far as this host knows. Null means
// unknown.
type DataLoss struct {
	// LagSeconds is the time since the last replication. In a plan that goes back to an older recovery point, it is
	// the age of that point if that is more.
	LagSeconds *float64 `json:"lag_seconds"`
	// PendingBytes is known only on the sending side.
	PendingBytes *uint64 `json:"pending_bytes"`
}

// Statistics are the statistics of a relationship and its health issues.
type Statistics struct {
	Window *msvm.ReplicationStatistics // of the current monitoring window; nil if not known
	Issues []msvm.Error
	Err    error // why they are not known
}

// statisticsTimeout is short because the statistics hang while the host at the other end does not answer. They must
// not delay an action.
const statisticsTimeout = 5 * time.Second

// ReadStatistics reads the statistics of a relationship. They are empty if the relationship does not replicate.
func ReadStatistics(ctx context.Context, reader wmiquery.Reader, s *Snapshot, r *Relationship) Statistics {
	if !r.Row.Replicates() {
		return Statistics{}
	}
	ctx, cancel := context.WithTimeout(ctx, statisticsTimeout)
	defer cancel()
	reply, err := new(msvm.StatisticsMethod).Get(ctx, reader, s.Service, r.Key, r.Row)
	if err != nil {
		return Statistics{Err: err}
	}
	window, issues, err := msvm.Statistics(reply)
	if _, ok := wmiquery.InvalidValues(err); !ok || err != nil && window == (msvm.ReplicationStatistics{}) {
		return Statistics{Issues: issues, Err: err}
	}
	return Statistics{Window: &window, Issues: issues}
}

// PendingBytes returns the bytes that are not sent yet, nil if they are not known. Only the sending side knows them.
func (s Statistics) PendingBytes(r *Relationship) *uint64 {
	if s.Window == nil || !r.Sends() {
		return nil
	}
	return s.Window.PendingReplicationSize
}

// Issue is an Msvm_Error.
type Issue struct {
	MessageID string `json:"message_id"`
	Message   string `json:"message"` // in the language of the host
	Severity  string `json:"severity"`
	// ProbableCause is a number of CIM_Error, 0 for unknown, and null if the host does not report it.
	ProbableCause            *uint16  `json:"probable_cause,omitempty"`
	ProbableCauseDescription string   `json:"probable_cause_description,omitempty"`
	RecommendedActions       []string `json:"recommended_actions,omitempty"` // in the language of the host
}

// NewIssue returns an Msvm_Error as an issue.
func NewIssue(e msvm.Error) Issue {
	i := Issue{
		MessageID: msvm.StringOrEmpty(e.MessageID), Message: msvm.StringOrEmpty(e.Message), Severity: "unknown",
		ProbableCause: e.ProbableCause, ProbableCauseDescription: msvm.StringOrEmpty(e.ProbableCauseDescription),
		RecommendedActions: e.RecommendedActions,
	}
	if e.PerceivedSeverity != nil {
		i.Severity = e.PerceivedSeverity.String()
	}
	return i
}
