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

type replicaList struct {
	Time     time.Time     `json:"time"` // by the host's clock
	Replicas []replicaView `json:"replicas"`
}

// replicaView is a relationship as the API shows it.
type replicaView struct {
	VMID         string `json:"vm_id"`
	VM           string `json:"vm"`
	Relationship string `json:"relationship"`
	operation.TargetState
	Power               string     `json:"power"` // on, off, saved, paused, other, or unknown
	LastReplicationTime *time.Time `json:"last_replication_time"`
	FailedOver          string     `json:"failed_over_replication_type,omitempty"`
	PrimaryServer       string     `json:"primary_server,omitempty"`
	ReplicaServer       string     `json:"replica_server,omitempty"`
	TestVMs             []string   `json:"test_vms,omitempty"`
	URL                 string     `json:"url"`

	*replicaDetail
}

// replicaDetail is what only the view of a single relationship has.
type replicaDetail struct {
	// Settings has the properties of Msvm_ReplicationSettingData that are not null, as ModifyReplicationSettings takes
	// them. It is empty if the host shows no settings.
	Settings        map[string]any    `json:"settings"`
	HealthIssues    []operation.Issue `json:"health_issues"`
	Statistics      *statisticsView   `json:"statistics"`
	StatisticsError string            `json:"statistics_error,omitempty"`
	// RecoveryPoints is empty for the extended relationship, and if RecoveryPointsError is not "".
	RecoveryPoints      []recoveryPointView   `json:"recovery_points"`
	RecoveryPointsError string                `json:"recovery_points_error,omitempty"`
	Allowed             []string              `json:"allowed_operations"`
	Refused             []refusedAction       `json:"refused_operations"`
	Jobs                []job.Record          `json:"jobs,omitempty"` // that have not ended
	Operations          map[string]actionView `json:"operations"`     // by name
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
func newReplicaView(s *operation.Snapshot, r *operation.Relationship) replicaView {
	v := replicaView{
		VMID: r.Key.VM, VM: r.VMName(), Relationship: string(r.Key.Link), TargetState: s.TargetState(r),
		Power: string(r.VM.Power()), URL: replicaURL(r), LastReplicationTime: knownTime(r.Row.LastReplicationTime),
	}
	if r.Key.Link == msvm.Primary {
		v.TestVMs = s.TestVMs(r.Key.VM)
	}
	if t := r.Row.FailedOverReplicationType; t != nil && *t != msvm.TypeNone {
		v.FailedOver = t.String()
	}
	if r.Settings != nil {
		v.PrimaryServer = r.Settings.PrimaryServer()
		v.ReplicaServer = msvm.StringOrEmpty(r.Settings.RecoveryConnectionPoint)
	}
	return v
}

// knownTime returns a time, nil if the host does not know it.
func knownTime(t *time.Time) *time.Time {
	if at, ok := msvm.Known(t); ok {
		return &at
	}
	return nil
}

// listReplicas handles GET /api/v1/replicas. The list has the relationships that replicate.
func (s *Server) listReplicas(r *http.Request) (problem.Response, *problem.Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	snapshot, p := s.readSnapshot(ctx)
	if p != nil {
		return problem.Response{}, p
	}
	all := []replicaView{}
	for _, x := range snapshot.Relationships() {
		if x.Row.Replicates() && s.authorize(r, viewAttributes(x)) == nil {
			all = append(all, newReplicaView(snapshot, x))
		}
	}
	return problem.JSON(http.StatusOK, replicaList{snapshot.Time, all}), nil
}

// viewAttributes returns the attributes of a request that only reads a relationship.
func viewAttributes(x *operation.Relationship) authz.Attributes {
	return authz.Attributes{Role: authz.RoleViewer, VM: x.Key.VM, VMName: x.VMName()}
}

// findReplica returns the relationship that the URL names if the policy allows the request. The policy is asked first,
// so that a VM that the caller cannot see has the same response as a VM that does not exist.
func (s *Server) findReplica(
	r *http.Request, snapshot *operation.Snapshot, attributes func(*operation.Relationship) authz.Attributes,
) (*operation.Relationship, *problem.Problem) {
	x, missing := snapshot.Find(r.PathValue("vm_id"), r.PathValue("relationship"))
	if x != nil {
		if p := s.authorize(r, attributes(x)); p != nil {
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
	x, p := s.findReplica(r, snapshot, viewAttributes)
	if p != nil {
		return problem.Response{}, p
	}
	v := newReplicaView(snapshot, x)
	v.replicaDetail = &replicaDetail{
		Settings: map[string]any{}, HealthIssues: []operation.Issue{}, Allowed: []string{}, Refused: []refusedAction{},
		RecoveryPoints: []recoveryPointView{}, Operations: map[string]actionView{},
	}
	if x.Settings != nil {
		v.Settings = operation.Properties(*x.Settings)
	}
	statistics := operation.ReadStatistics(ctx, s.options.Reader, snapshot, x)
	v.PendingBytes = statistics.PendingBytes(x)
	v.addStatistics(statistics)
	if x.Key.Link == msvm.Primary {
		v.addRecoveryPoints(operation.RecoveryPoints(ctx, s.options.Reader, x.Key.VM))
	}
	v.Jobs = s.jobs.Running(x.Key.VM)
	for _, a := range operation.Actions() {
		v.addAction(a, x, s.checkAction(r, snapshot, x, a))
	}
	return problem.JSON(http.StatusOK, v), nil
}

// addStatistics adds the statistics and health issues.
func (d *replicaDetail) addStatistics(s operation.Statistics) {
	if s.Err != nil {
		d.StatisticsError = s.Err.Error()
	}
	for _, e := range s.Issues {
		d.HealthIssues = append(d.HealthIssues, operation.NewIssue(e))
	}
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
		d.Allowed = append(d.Allowed, a.Name)
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
