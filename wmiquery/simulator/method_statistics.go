package simulator

import (
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// replicationStatistics is Msvm_ReplicationService.GetReplicationStatisticsEx, and
// without a relationship GetReplicationStatistics, for the primary one.
func (s *session) replicationStatistics(c wmiquery.Call, faults Faults) (wmiquery.Reply, error) {
	if !strings.EqualFold(string(c.Object), string(s.host.service().Ref())) {
		return wmiquery.Reply{}, wmiquery.ErrNotFound
	}
	r, ok := s.relationshipOf(c)
	if !ok {
		return errorReply(wmiquery.CodeInvalidParam), nil
	}
	faults = s.world.faults.waitWhile(func(f Faults) bool { return f.RelationshipHung && s.isFirst(r) })
	if faults.RelationshipFailing && s.isFirst(r) {
		return wmiquery.Reply{Code: wmiquery.CodeFailed}, nil
	}
	f := withView(s.world, s.host, faults, func(v view) *findings { return v.findings(r) })
	if f == nil { // no public evidence of the code that Windows answers with
		return wmiquery.Reply{Code: wmiquery.CodeInvalidState}, nil
	}
	return f.reply(faults)
}

// relationshipOf is the relationship that a call for statistics is about.
func (s *session) relationshipOf(c wmiquery.Call) (r relationship, ok bool) {
	withView(s.world, s.host, Faults{}, func(v view) bool {
		var vm *hostVM
		if vm, ok = v.host.machineParam(c, "ComputerSystem"); !ok {
			return false
		}
		r = relationship{vm, msvm.Primary}
		if strings.EqualFold(c.Method, msvm.MethodGetReplicationStatisticsEx) {
			r, ok = vm.relationshipParam(c, "ReplicationRelationship")
		}
		ok = ok && slices.Contains(vm.linkTypes(), r.linkType)
		return ok
	})
	return r, ok
}

// isFirst tells whether the relationship is the host's first that replicates.
func (s *session) isFirst(r relationship) bool {
	return withView(s.world, s.host, Faults{}, func(v view) bool {
		for x, e := range v.host.relationships() {
			if v.replicates(e) {
				return x == r
			}
		}
		return false
	})
}

// findings are the statistics of one relationship, not yet as text.
type findings struct {
	stats  statisticsInstance
	issues []errorInstance
	index  int // of the VM, for what differs from host to host without a rule
}

// findings of a relationship, nil when it does not replicate.
func (v view) findings(r relationship) *findings {
	e := r.vm.endpoints[r.linkType]
	if !v.replicates(e) {
		return nil
	}
	health, why := evaluateHealth(e.healthInput(v.at))
	f := &findings{stats: e.statistics(v.at), index: r.vm.index}
	f.stats.ReplicationHealth = new(uint32(health))
	for _, reason := range why {
		f.issues = append(f.issues, reason.issue(v.faults.displayName(r.vm)))
	}
	return f
}

// statisticsInstance is Msvm_ReplicationStatistics, whole: in the order in which
// the host writes it, and with the properties that are always null.
type statisticsInstance struct {
	InstanceID, Caption, Description, ElementName *string

	StartStatisticTime                        *time.Time
	EndStatisticTime                          *time.Time
	ReplicationSuccessCount                   *uint32
	ReplicationSize                           *uint64
	MaxReplicationSize                        *uint64
	ReplicationLatency                        *uint32
	ReplicationMissCount                      *uint32
	MaxReplicationLatency                     *uint32
	NetworkFailureCount                       *uint32
	ReplicationFailureCount                   *uint32
	PendingReplicationSize                    *uint64
	ApplicationConsistentSnapshotFailureCount *uint32
	ReplicationHealth                         *uint32
	LastTestFailoverTime                      *time.Time
}

// statistics are those of the running window, without health. Their end is now,
// as Hyper-V Manager shows it.
func (e *endpoint) statistics(at time.Time) statisticsInstance {
	w := e.window
	pending := uint64(0)
	if e.sends() {
		pending = uint64(e.link.pendingBytes(at))
	}
	return statisticsInstance{
		StartStatisticTime:                        new(w.start),
		EndStatisticTime:                          new(at),
		ReplicationSuccessCount:                   new(uint32(w.Cycles)),
		ReplicationSize:                           new(w.Bytes),
		MaxReplicationSize:                        new(w.maxBytes),
		ReplicationLatency:                        new(uint32(w.Seconds)),
		ReplicationMissCount:                      new(uint32(w.Missed)),
		MaxReplicationLatency:                     new(uint32(w.maxSeconds)),
		NetworkFailureCount:                       new(uint32(w.NetworkFailures)),
		ReplicationFailureCount:                   new(uint32(w.Failures)),
		PendingReplicationSize:                    new(pending),
		ApplicationConsistentSnapshotFailureCount: new(uint32(w.SnapshotFailures)),
		LastTestFailoverTime:                      new(e.lastTest),
	}
}

// The answers that mean "none": hosts differ, and clients must take all of them.
func emptyOutput(index int) any {
	return []any{nil, []string{}, []string{""}}[index%3]
}

// reply writes the findings as CIM-XML.
func (f *findings) reply(faults Faults) (wmiquery.Reply, error) {
	if faults.StatisticsJob {
		job := wmiquery.Ref(`Msvm_ConcreteJob.InstanceID="` + statisticsJob + `"`)
		return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: job, Out: map[string]any{}}, nil
	}
	out := map[string]any{"ReplicationStatistics": emptyOutput(f.index), "ReplicationHealthIssues": emptyOutput(f.index)}
	reply := wmiquery.Reply{Code: wmiquery.CodeCompleted, Out: out}
	if faults.StatisticsEmpty {
		return reply, nil
	}
	stats, err := marshalInstances(faults, "Msvm_ReplicationStatistics", f.stats)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	out["ReplicationStatistics"] = stats
	if len(f.issues) == 0 {
		return reply, nil
	}
	issues, err := marshalInstances(faults, "Msvm_Error", f.issues...)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	out["ReplicationHealthIssues"] = issues
	return reply, nil
}

// embed writes instances of a class as the faults show them.
func marshalInstances[T any](faults Faults, class string, instances ...T) ([]string, error) {
	texts := make([]string, len(instances))
	for i := range instances {
		faults.applyToRow(&instances[i])
		text, err := cimxml.Marshal(class, instances[i])
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

// statisticsJob is the job that the fault statistics-job starts.
const statisticsJob = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"

// errorInstance is Msvm_Error as far as the host fills it for a health issue.
type errorInstance struct {
	ErrorType         *uint16
	MessageID         *string
	Message           *string
	MessageArguments  []string
	PerceivedSeverity *msvm.Severity
	ErrorSource       *string // null
}

// PerceivedSeverity, by the numbers of the schema.
var severities = map[msvm.ReplicationHealth]msvm.Severity{
	msvm.HealthWarning:  3, // degraded
	msvm.HealthCritical: 6, // critical
}
