package admin

import (
	"context"
	"net/http"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// replicaView is a relationship, or a VM without one, as the API shows it.
type replicaView struct {
	VMID         string `json:"vm_id"`
	VM           string `json:"vm"`
	Relationship string `json:"relationship"`
	Protected    bool   `json:"protected"` // the relationship replicates
	operation.TargetState
	Power               string     `json:"power"` // on, off, saved, paused, other, or unknown
	LastReplicationTime *time.Time `json:"last_replication_time"`
	FailedOver          string     `json:"failed_over_replication_type,omitempty"`
	PrimaryServer       string     `json:"primary_server,omitempty"`
	ReplicaServer       string     `json:"replica_server,omitempty"`
	TestVMs             []string   `json:"test_vms,omitempty"`
	TestVMNames         []string   `json:"test_vm_names,omitempty"` // of TestVMs, "" for a name that is not known
	// ObjectiveSeconds is the recovery point objective, absent if it is not known.
	ObjectiveSeconds *float64          `json:"objective_seconds,omitempty"`
	HealthIssues     []operation.Issue `json:"health_issues"`
	// StatisticsError says why the health issues, the pending bytes and the last test are not known.
	StatisticsError  string       `json:"statistics_error,omitempty"`
	LastTestFailover *time.Time   `json:"last_test_failover_time"`
	LastTestResult   string       `json:"last_test_result,omitempty"` // that a clean-up reported
	Jobs             []job.Record `json:"jobs"`                       // of the VM, that have not ended
	Allowed          []string     `json:"allowed_operations"`         // for the caller
	URL              string       `json:"url,omitempty"`              // absent for a VM without a relationship

	*replicaDetail
}

// replicaDetail is what only the view of a single relationship has.
type replicaDetail struct {
	// Settings has the properties of Msvm_ReplicationSettingData that are not null, as ModifyReplicationSettings takes
	// them. It is empty if the host shows no settings.
	Settings   map[string]any  `json:"settings"`
	Statistics *statisticsView `json:"statistics"`
	// RecoveryPoints is empty for the extended relationship, and if RecoveryPointsError is not "".
	RecoveryPoints      []recoveryPointView   `json:"recovery_points"`
	RecoveryPointsError string                `json:"recovery_points_error,omitempty"`
	Refused             []refusedAction       `json:"refused_operations"`
	Operations          map[string]actionView `json:"operations"` // by name
}

// actionView is an action as the API shows it.
type actionView struct {
	Method   string `json:"method"`
	Does     string `json:"does"`
	Destroys string `json:"destroys,omitempty"`
	Role     string `json:"role"`
	URL      string `json:"url"`
}

// refusedAction is an action that would be refused now.
type refusedAction struct {
	Operation string   `json:"operation"`
	Type      string   `json:"type"` // of the problem
	Reason    string   `json:"reason"`
	States    []string `json:"works_in_states,omitempty"`
	Modes     []string `json:"works_in_modes,omitempty"`
}

// recoveryPointView is a recovery point. The parameter SnapshotSettingData takes its InstanceID.
type recoveryPointView struct {
	InstanceID string     `json:"InstanceID"`
	Type       string     `json:"type"`
	Created    *time.Time `json:"created"`
}

// statisticsView has the statistics of the current monitoring window, as the host returns them.
type statisticsView struct {
	WindowStart      *time.Time `json:"window_start"`
	Successes        *uint32    `json:"successful_cycles"`
	Missed           *uint32    `json:"missed_cycles"`
	Failures         *uint32    `json:"failed_cycles"`
	NetworkFailures  *uint32    `json:"network_failures"`
	Bytes            *uint64    `json:"replicated_bytes"`
	MaxBytes         *uint64    `json:"max_cycle_bytes"`
	Seconds          *uint32    `json:"latency_seconds_sum"`
	MaxSeconds       *uint32    `json:"max_cycle_seconds"`
	LastTestFailover *time.Time `json:"last_test_failover_time"`
}

// replicaURL returns the path of a relationship in the API.
func replicaURL(r *operation.Relationship) string {
	return apiReplicas + "/" + r.Key.VM + "/" + string(r.Key.Link)
}

// newReplicaView returns the view of a relationship without details.
func (s *Server) newReplicaView(snapshot *operation.Snapshot, r *operation.Relationship) replicaView {
	v := replicaView{
		VMID: r.Key.VM, VM: r.VMName(), Relationship: string(r.Key.Link), TargetState: snapshot.TargetState(r),
		Power: string(r.VM.Power()), LastReplicationTime: knownTime(r.Row.LastReplicationTime),
		Protected: r.Row.Replicates(), HealthIssues: []operation.Issue{}, Jobs: []job.Record{}, Allowed: []string{},
	}
	if snapshot.Has(r.Key) {
		v.URL = replicaURL(r)
	}
	if r.Key.Link == msvm.Primary {
		v.TestVMs = snapshot.TestVMs(r.Key.VM)
		for _, test := range v.TestVMs {
			vm, _ := snapshot.VM(test)
			v.TestVMNames = append(v.TestVMNames, msvm.StringOrEmpty(vm.ElementName))
		}
	}
	if t := r.Row.FailedOverReplicationType; t != nil && *t != msvm.TypeNone {
		v.FailedOver = t.String()
	}
	if r.Settings != nil {
		v.PrimaryServer = r.Settings.PrimaryServer()
		v.ReplicaServer = msvm.StringOrEmpty(r.Settings.RecoveryConnectionPoint)
		v.ObjectiveSeconds = s.objective(r)
	}
	return v
}

// objective returns the recovery point objective of a relationship in seconds, nil if it is not known.
func (s *Server) objective(r *operation.Relationship) *float64 {
	if s.options.Objective == nil || !r.Row.Replicates() {
		return nil
	}
	interval, _ := r.Settings.Interval()
	if objective := s.options.Objective(r.VMName(), r.Key.VM, interval); objective > 0 {
		return new(objective.Seconds())
	}
	return nil
}

// knownTime returns a time, nil if the host does not know it.
func knownTime(t *time.Time) *time.Time {
	if at, ok := msvm.Known(t); ok {
		return &at
	}
	return nil
}

// viewAttributes returns the attributes of a request that only reads a relationship.
func viewAttributes(x *operation.Relationship) authz.Attributes {
	return authz.Attributes{Role: authz.RoleViewer, VM: x.Key.VM, VMName: x.VMName()}
}

// findReplica returns the relationship that a request names if the policy allows the request. The policy is asked
// first, so that a VM that the caller cannot see has the same response as a VM that does not exist.
func (s *Server) findReplica(
	c authz.Principal, snapshot *operation.Snapshot, vm, link string,
	attributes func(*operation.Relationship) authz.Attributes,
) (*operation.Relationship, *problem.Problem) {
	x, missing := snapshot.Find(vm, link)
	if x != nil {
		if p := s.policy.Load().Authorize(c, attributes(x)); p != nil {
			return nil, p
		}
	}
	return x, missing
}

// showReplica handles GET /api/v1/replicas/{vm_id}/{relationship}.
func (s *Server) showReplica(r *http.Request) (problem.Response, *problem.Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	snapshot, p := s.readSnapshot(ctx)
	if p != nil {
		return problem.Response{}, p
	}
	x, p := s.findReplica(principalOf(r), snapshot, r.PathValue("vm_id"), r.PathValue("relationship"), viewAttributes)
	if p != nil {
		return problem.Response{}, p
	}
	v := s.newReplicaView(snapshot, x)
	v.replicaDetail = &replicaDetail{
		Settings: map[string]any{}, Refused: []refusedAction{},
		RecoveryPoints: []recoveryPointView{}, Operations: map[string]actionView{},
	}
	if x.Settings != nil {
		v.Settings = operation.Properties(*x.Settings)
	}
	statistics := operation.ReadStatistics(ctx, s.options.Reader, snapshot, x)
	v.addStatistics(x, statistics)
	v.addWindow(statistics)
	if x.Key.Link == msvm.Primary {
		v.addRecoveryPoints(operation.RecoveryPoints(ctx, s.options.Reader, x.Key.VM))
	}
	v.Jobs = append(v.Jobs, s.jobs.Running(x.Key.VM)...)
	for _, a := range operation.Actions() {
		p := s.checkAction(r, snapshot, x, a)
		if p == nil {
			v.Allowed = append(v.Allowed, a.Name)
		}
		v.addAction(a, x, p)
	}
	return problem.JSON(http.StatusOK, v), nil
}

// addStatistics adds what a list shows of the statistics, and the health issues.
func (v *replicaView) addStatistics(r *operation.Relationship, s operation.Statistics) {
	v.PendingBytes = s.PendingBytes(r)
	if s.Err != nil {
		v.StatisticsError = s.Err.Error()
	}
	for _, e := range s.Issues {
		v.HealthIssues = append(v.HealthIssues, operation.NewIssue(e))
	}
	if s.Window != nil {
		v.LastTestFailover = knownTime(s.Window.LastTestFailoverTime)
	}
}

// addWindow adds the statistics of the current monitoring window.
func (d *replicaDetail) addWindow(s operation.Statistics) {
	if s.Window == nil {
		return
	}
	w := *s.Window
	d.Statistics = &statisticsView{
		knownTime(w.StartStatisticTime), w.ReplicationSuccessCount, w.ReplicationMissCount, w.ReplicationFailureCount,
		w.NetworkFailureCount, w.ReplicationSize, w.MaxReplicationSize, w.ReplicationLatency, w.MaxReplicationLatency,
		knownTime(w.LastTestFailoverTime),
	}
}

// addAction adds an action. The problem says why the action would be refused now; it is nil if the action is allowed.
func (d *replicaDetail) addAction(a operation.Action, r *operation.Relationship, p *problem.Problem) {
	d.Operations[a.Name] = actionView{
		Method: a.Method, Does: a.Summary(), Destroys: a.Destroys(r), Role: a.Role.String(),
		URL: replicaURL(r) + "/actions/" + a.Name,
	}
	if p == nil {
		return
	}
	refused := refusedAction{Operation: a.Name, Type: p.Type.URI(), Reason: p.Detail}
	refused.States, _ = p.Member("works_in_states").([]string)
	refused.Modes, _ = p.Member("works_in_modes").([]string)
	d.Refused = append(d.Refused, refused)
}

// checkAction returns nil if the caller can execute an action now. The state of the VM is checked before the policy,
// because it is also of interest to a caller who cannot execute the action.
func (s *Server) checkAction(
	r *http.Request, snapshot *operation.Snapshot, x *operation.Relationship, a operation.Action,
) *problem.Problem {
	if p := a.Check(snapshot, x); p != nil {
		return p
	}
	if !a.AllowedDuringJob {
		want := lock{
			vm: x.Key.VM, since: s.options.Now(), urgent: a.Role == authz.RoleFailover,
			resync: a.Method == msvm.MethodResynchronize,
		}
		if p := s.locks.check(want); p != nil {
			return p
		}
	}
	return s.authorize(r, a.Attributes(x))
}

// addRecoveryPoints adds the recovery points, or the error of their read.
func (d *replicaDetail) addRecoveryPoints(points []msvm.VirtualSystemSettingData, err error) {
	if err != nil {
		d.RecoveryPointsError = err.Error()
	}
	for _, point := range points {
		kind, _ := point.RecoveryPoint()
		d.RecoveryPoints = append(d.RecoveryPoints,
			recoveryPointView{point.InstanceID, string(kind), knownTime(point.CreationTime)})
	}
}
