package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// getStatistics is GetReplicationStatisticsEx and GetReplicationStatistics of Msvm_ReplicationService. The latter
// returns the statistics of the primary relationship.
func getStatistics(r *request) wmiquery.Reply {
	switch {
	case r.state() == msvm.Disabled: // the code that Windows returns is not publicly documented
		return errorReply(wmiquery.CodeInvalidState)
	case r.faults.RelationshipFailing && r.isFirstReplicating():
		return errorReply(wmiquery.CodeFailed)
	case r.faults.StatisticsJob:
		reply := completedReply()
		reply.Code, reply.Job = wmiquery.CodeJobStarted, msvm.JobRef(statisticsJob)
		return reply
	}
	reply := completedReply()
	reply.Out[outStatistics] = emptyOutput(r.vm.logical.index)
	reply.Out[outIssues] = emptyOutput(r.vm.logical.index)
	if r.faults.StatisticsEmpty {
		return reply
	}
	health, rules := evaluateHealth(r.endpoint.healthInput(r.at))
	stats := r.endpoint.statistics(r.at)
	stats.ReplicationHealth = new(uint32(health))
	var issues []errorInstance
	for _, rule := range rules {
		issues = append(issues, rule.issue(r.faults.displayName(r.vm)))
	}
	r.encode = func(out map[string]any) (err error) {
		if out[outStatistics], err = marshalInstances(r.faults, msvm.ClassReplicationStatistics, stats); err != nil {
			return err
		}
		if len(issues) > 0 {
			out[outIssues], err = marshalInstances(r.faults, msvm.ClassError, issues...)
		}
		return err
	}
	return reply
}

// Out parameters of GetReplicationStatistics(Ex).
const (
	outStatistics = "ReplicationStatistics"
	outIssues     = "ReplicationHealthIssues"
)

// statisticsJob is the job that the host starts under the fault statistics-job.
const statisticsJob = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"

// emptyOutput returns one of the values by which hosts report that there are no instances. Clients must accept all of
// them.
func emptyOutput(index int) any {
	return []any{nil, []string{}, []string{""}}[index%3]
}

// waitWhileRelationshipHung waits while the fault relationship-hung holds up the call. It returns the faults that are
// active after the wait.
func (s *session) waitWhileRelationshipHung(m *method, c wmiquery.Call, f Faults) Faults {
	if m.Name != msvm.MethodGetReplicationStatistics && m.Name != msvm.MethodGetReplicationStatisticsEx {
		return f
	}
	return s.world.faults.waitWhile(func(f Faults) bool {
		return f.RelationshipHung && withView(s.world, s.host, f, func(v view) bool {
			r := &request{view: v, method: m}
			code, err := r.resolve(c)
			return err == nil && code == wmiquery.CodeCompleted && r.isFirstReplicating()
		})
	})
}

// isFirstReplicating reports whether the relationship is the first one of the host that replicates.
func (r *request) isFirstReplicating() bool {
	for _, e := range r.host.relationships() {
		if r.replicates(e) {
			return e == r.endpoint
		}
	}
	return false
}

// statisticsInstance is Msvm_ReplicationStatistics with all of its properties, in the order in which the host writes
// them. The properties of the first line are always null.
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

// statistics returns the statistics of the current monitoring window, without the health. EndStatisticTime is the
// current time, as Hyper-V Manager shows it.
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

// resetStatistics is ResetReplicationStatistics(Ex). It starts a new monitoring window, which ends a warning about
// missed cycles. Reset-VMReplicationStatistics in MicrosoftDocs/windows-powershell-docs says that a warning ends,
// without saying which; that warnings about the state, or about the time since the last replication, stay is inferred.
func resetStatistics(r *request) wmiquery.Reply {
	e := r.endpoint
	reset := func(at time.Time) *failure {
		e.window = window{start: at}
		return nil
	}
	if r.vm.skipsSimpleJobs() && !r.faults.JobFailing {
		reset(r.at)
		return completedReply()
	}
	return jobReply(r.submitJob(&job{kind: msvm.JobResetStatistics, duration: time.Second, onEnd: reset}))
}
