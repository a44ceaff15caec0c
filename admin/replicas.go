package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// replicaModel is a relationship as the API shows it.
type replicaModel struct {
	VMID         string `json:"vm_id"`
	VM           string `json:"vm"`
	Relationship string `json:"relationship"`
	seen
	Power               string     `json:"power"` // on, off, other, or unknown
	LastReplicationTime *time.Time `json:"last_replication_time"`
	FailedOver          string     `json:"failed_over_replication_type,omitempty"`
	PrimaryServer       string     `json:"primary_server,omitempty"`
	ReplicaServer       string     `json:"replica_server,omitempty"`
	TestVMs             []string   `json:"test_vms,omitempty"`
	URL                 string     `json:"url"`

	*replicaDetail
}

// replicaDetail is what is shown of one relationship alone.
type replicaDetail struct {
	HealthIssues    []issueModel          `json:"health_issues"`
	Statistics      *msvmStatistics       `json:"statistics"`
	StatisticsError string                `json:"statistics_error,omitempty"`
	RecoveryPoints  []pointModel          `json:"recovery_points,omitempty"`
	Allowed         []string              `json:"allowed_operations"`
	Refused         []refusedOperation    `json:"refused_operations"`
	Jobs            []jobRecord           `json:"jobs,omitempty"` // that run
	Operations      map[string]operations `json:"operations"`     // what each is, by name
}

// operations is what a verb does.
type operations struct {
	Method   string `json:"method"`
	Does     string `json:"does"`
	Destroys string `json:"destroys,omitempty"`
	Role     string `json:"role"`
	URL      string `json:"url"`
}

// refusedOperation is a verb that would be refused now.
type refusedOperation struct {
	Operation string   `json:"operation"`
	Type      string   `json:"type"`
	Reason    string   `json:"reason"`
	States    []string `json:"works_in_states,omitempty"`
	Modes     []string `json:"works_in_modes,omitempty"`
}

// issueModel is Msvm_Error.
type issueModel struct {
	MessageID string `json:"message_id"`
	Message   string `json:"message"` // in the host's language
	Severity  string `json:"severity"`
}

// pointModel is a recovery point: its InstanceID is what SnapshotSettingData takes.
type pointModel struct {
	InstanceID string     `json:"InstanceID"`
	Type       string     `json:"type"`
	Created    *time.Time `json:"created"`
}

// msvmStatistics are those of the window that runs, as the host gives them.
type msvmStatistics struct {
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

const apiReplicas = "/api/v1/replicas"

// url is where the relationship is.
func (r *replica) url() string {
	return apiReplicas + "/" + r.key.VM + "/" + string(r.key.Link)
}

// model is the part of a relationship that classes tell.
func (v *hostView) model(r *replica) replicaModel {
	m := replicaModel{
		VMID: r.key.VM, VM: r.name(), Relationship: string(r.key.Link), seen: v.see(r),
		Power: powerOf(r.system), URL: r.url(), LastReplicationTime: known(r.row.LastReplicationTime),
	}
	if r.key.Link == msvm.Primary {
		m.TestVMs = v.tests[r.key.VM]
	}
	if t := r.row.FailedOverReplicationType; t != nil && *t != msvm.TypeNone {
		m.FailedOver = t.String()
	}
	if r.settings != nil {
		m.PrimaryServer, m.ReplicaServer = r.settings.PrimaryServer(), msvm.StringOrEmpty(r.settings.RecoveryConnectionPoint)
	}
	return m
}

// powerOf is whether a VM runs. One that is saved, paused, starting or stopping is
// neither on nor off.
func powerOf(s msvm.ComputerSystem) string {
	switch p := s.EnabledState; {
	case p == nil || *p == msvm.EnabledUnknown:
		return "unknown"
	case *p == msvm.EnabledOn:
		return "on"
	case *p == msvm.EnabledOff:
		return "off"
	}
	return "other"
}

func known(t *time.Time) *time.Time {
	if at, ok := msvm.Known(t); ok {
		return &at
	}
	return nil
}

// listReplicas is GET /api/v1/replicas: the relationships that replicate.
func (s *Server) listReplicas(r *http.Request) (answer, *problem) {
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	v, p := readHost(ctx, s.o.Reader)
	if p != nil {
		return answer{}, p
	}
	all := []replicaModel{}
	for _, key := range v.order {
		x := v.replicas[key]
		if x.row.Replicates() && s.maySee(callerOf(r), x) == nil {
			all = append(all, v.model(x))
		}
	}
	return jsonAnswer(http.StatusOK, replicaList{v.now, all}), nil
}

// maySee tells why somebody may not see a relationship.
func (s *Server) maySee(c caller, r *replica) *problem {
	return s.policy.Load().refuses(c, deed{needs: viewer, vm: r.key.VM, name: r.name()})
}

// showReplica is GET /api/v1/replicas/{vm_id}/{relationship}.
func (s *Server) showReplica(r *http.Request) (answer, *problem) {
	ctx, cancel := s.reading(r.Context())
	defer cancel()
	v, p := readHost(ctx, s.o.Reader)
	if p != nil {
		return answer{}, p
	}
	x, p := v.find(r.PathValue("vm_id"), r.PathValue("relationship"))
	if p != nil {
		return answer{}, p
	}
	c := callerOf(r)
	if p := s.maySee(c, x); p != nil {
		return answer{}, p
	}
	m := v.model(x)
	m.replicaDetail = &replicaDetail{HealthIssues: []issueModel{}, Allowed: []string{}, Refused: []refusedOperation{}, Operations: map[string]operations{}}
	f := v.statistics(ctx, s.o.Reader, x)
	m.PendingBytes = f.pending(x)
	m.statistics(f)
	if x.key.Link == msvm.Primary {
		m.RecoveryPoints = recoveryPoints(ctx, s.o.Reader, x.key.VM)
	}
	m.Jobs = s.jobs.running(x.key.VM)
	for _, verb := range verbs() {
		s.offer(m.replicaDetail, c, v, x, verb)
	}
	return jsonAnswer(http.StatusOK, m), nil
}

// statistics puts figures into the model.
func (d *replicaDetail) statistics(f figures) {
	if f.err != nil {
		d.StatisticsError = f.err.Error()
	}
	for _, e := range f.issues {
		d.HealthIssues = append(d.HealthIssues, issueOf(e))
	}
	if f.stats == nil {
		return
	}
	s := *f.stats
	d.Statistics = &msvmStatistics{
		known(s.StartStatisticTime), s.ReplicationSuccessCount, s.ReplicationMissCount, s.ReplicationFailureCount,
		s.NetworkFailureCount, s.ReplicationSize, s.MaxReplicationSize, s.ReplicationLatency, s.MaxReplicationLatency,
		known(s.LastTestFailoverTime),
	}
}

func issueOf(e msvm.Error) issueModel {
	m := issueModel{msvm.StringOrEmpty(e.MessageID), msvm.StringOrEmpty(e.Message), "unknown"}
	if e.PerceivedSeverity != nil {
		m.Severity = e.PerceivedSeverity.String()
	}
	return m
}

// offer tells whether a verb can be done now, and by this caller.
func (s *Server) offer(d *replicaDetail, c caller, v *hostView, r *replica, verb verb) {
	method := findMethod(verb.method)
	d.Operations[verb.name] = operations{
		Method: method.Name, Does: doesOf(method, verb.request), Destroys: destroys(method, r), Role: verb.needs.String(),
		URL: r.url() + "/actions/" + verb.name,
	}
	p := verb.refuses(v, r) // what the VM is in comes first: who may not act wants to know that, too
	if p == nil && !verb.beside {
		p = s.locks.refuses(call{vm: r.key.VM, since: s.o.Now(), resync: verb.name == "resynchronize"})
	}
	if p == nil {
		p = s.policy.Load().refuses(c, verb.deed(method, r))
	}
	if p == nil {
		d.Allowed = append(d.Allowed, verb.name)
		return
	}
	refused := refusedOperation{Operation: verb.name, Type: typePrefix + p.kind.slug, Reason: p.detail}
	refused.States, _ = p.extra["works_in_states"].([]string)
	refused.Modes, _ = p.extra["works_in_modes"].([]string)
	d.Refused = append(d.Refused, refused)
}

// deed is what the policy is asked for about a verb.
func (v verb) deed(m msvm.Method, r *replica) deed {
	return deed{needs: v.needs, names: []string{m.Name, v.name}, vm: r.key.VM, name: r.name(), destroys: destroys(m, r) != ""}
}

// doesOf is what a method does, or asking for a state.
func doesOf(m msvm.Method, request msvm.ReplicationState) string {
	if takesState(m) {
		for _, q := range msvm.StateRequests() {
			if q.State == request {
				return q.Summary
			}
		}
	}
	return m.Summary
}

// recoveryPoints are those of a VM; none if they cannot be read.
func recoveryPoints(ctx context.Context, r wmiquery.Reader, vm string) []pointModel {
	rows, err := wmiquery.All[msvm.VirtualSystemSettingData](ctx, r)
	if err != nil {
		return nil
	}
	var points []pointModel
	for _, s := range rows {
		if kind, ok := s.RecoveryPoint(); ok && strings.EqualFold(msvm.StringOrEmpty(s.VirtualSystemIdentifier), vm) {
			points = append(points, pointModel{s.InstanceID, string(kind), known(s.CreationTime)})
		}
	}
	return points
}
