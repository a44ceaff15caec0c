package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// host is what the pages show of the host.
type host struct {
	Time       time.Time // of the page
	VMs        []*vm     // the most severe first
	Collectors []collectorRun
	Stuck      float64   // workers whose call to the host hangs
	Restarts   float64   // of workers
	Read       time.Time // when the oldest response was read, zero if there is none
}

// vm is a VM of the host.
type vm struct {
	ID, Name      string
	Mode          string // see msvm.ReplicationMode
	Protected     bool
	Running       *bool // nil if not known
	Relationships []*relationship
	Operations    []operation
	TestReplica   bool
	Points        *int // recovery points, nil if not known
	OldestPoint   time.Time
	NewestPoint   time.Time
	LastTest      time.Time // zero if never, or not known
	Verdict       verdict
	Series        series // those of no relationship
}

// relationship is a relationship of a VM, as this host sees it.
type relationship struct {
	Name                  string // primary or extended
	Mode, State, Health   string // "" if not known
	Primary, Replica      string // servers
	Issues                []issue
	Lag, Objective        *time.Duration // nil if not known
	Interval              *time.Duration
	ObjectiveSet          bool
	Pending               *float64 // bytes
	LastReplication       time.Time
	StatisticsAge         *time.Duration
	ConfiguredPoints      *float64
	ApplicationConsistent time.Time
	Verdict               verdict
	Series                series
}

// IsRunning reports whether the VM is known to run.
func (v *vm) IsRunning() bool { return v.Running != nil && *v.Running }

// issue is a health issue.
type issue struct{ ID, Severity, Message, Action string }

// operation is an operation of the host that is running.
type operation struct {
	Name     string
	Progress *float64 // 0 to 1
	Start    time.Time
}

// Remaining returns the estimated time until the operation ends, from its progress until now; nil if not known.
func (o operation) Remaining(now time.Time) *time.Duration {
	elapsed := now.Sub(o.Start)
	if o.Progress == nil || *o.Progress <= 0 || *o.Progress > 1 || o.Start.IsZero() || elapsed <= 0 {
		return nil
	}
	return new(time.Duration(float64(elapsed) * (1 - *o.Progress) / *o.Progress))
}

// Text describes the operation.
func (o operation) Text(now time.Time) string {
	text := strings.ReplaceAll(o.Name, "_", " ")
	if o.Progress != nil {
		text += fmt.Sprintf(" %.0f%%", *o.Progress*100)
	}
	if left := o.Remaining(now); left != nil {
		text += ", about " + formatDuration(left) + " left"
	}
	return text
}

// Summary says how many VMs are within their objective.
func (h *host) Summary() string {
	var replicated, within, beyond int
	for _, v := range h.VMs {
		known, exceeded, active := true, false, false
		for _, r := range v.Relationships {
			if r.State == msvm.Disabled.String() {
				continue
			}
			active = true
			known = known && r.Lag != nil && r.Objective != nil
			exceeded = exceeded || r.Exceeds()
		}
		switch {
		case !active:
			continue
		case exceeded:
			beyond++
		case known:
			within++
		}
		replicated++
	}
	return fmt.Sprintf("%d of %d replicated VMs are within their objective. %d exceed it. The lag of %d is unknown.",
		within, replicated, beyond, replicated-within-beyond)
}

// Failed returns the collectors whose last run has failed.
func (h *host) Failed() []collectorRun {
	var failed []collectorRun
	for _, c := range h.Collectors {
		if !c.Success {
			failed = append(failed, c)
		}
	}
	return failed
}

// collectorRun is the last run of a collector.
type collectorRun struct {
	Name               string
	Success, Supported bool
	Duration           *time.Duration
	Read               time.Time // of the oldest response that it has exposed; zero if there was none
}

// newHost returns the host that series describe.
func newHost(s series, now time.Time) *host {
	h := &host{Time: now}
	groups := s.byRelationship()
	vms := map[string]*vm{}
	for key, group := range groups {
		v := vms[key.vmID]
		if v == nil {
			v = &vm{ID: key.vmID}
			vms[key.vmID] = v
			h.VMs = append(h.VMs, v)
		}
		if key.relationship == "" {
			v.addSeries(group)
		} else {
			v.Relationships = append(v.Relationships, newRelationship(key.relationship, group))
			v.LastTest = later(v.LastTest, group.timestamp("last_test_failover_timestamp_seconds"))
		}
		for _, samples := range group {
			v.Name = cmp.Or(v.Name, samples[0].labels["vm"])
		}
	}
	for _, v := range h.VMs {
		slices.SortFunc(v.Relationships, func(a, b *relationship) int { return strings.Compare(b.Name, a.Name) })
		for _, r := range v.Relationships {
			r.Verdict = verdictOn(v, r)
		}
		v.Verdict = verdictOf(v)
	}
	slices.SortFunc(h.VMs, func(a, b *vm) int {
		return cmp.Or(cmp.Compare(b.Verdict.Severity, a.Verdict.Severity), cmp.Compare(a.Verdict.order, b.Verdict.order),
			strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	h.Collectors = newCollectorRuns(s)
	if n := s.number("wmi_stuck_workers"); n != nil {
		h.Stuck = *n
	}
	if n := s.number("wmi_worker_restarts_total"); n != nil {
		h.Restarts = *n
	}
	for _, c := range h.Collectors {
		if !c.Read.IsZero() && (h.Read.IsZero() || c.Read.Before(h.Read)) {
			h.Read = c.Read
		}
	}
	return h
}

// addSeries adds what is known of the VM and not of a relationship.
func (v *vm) addSeries(s series) {
	v.Series = s
	v.Mode = s.current("mode", "mode")
	v.Protected = s.current("vm_protected", "vm_id") != ""
	v.Running = s.is("vm_running")
	v.TestReplica = s.current("test_replica_present", "vm_id") != ""
	if points := s["recovery_points"]; points != nil {
		n := 0
		for _, p := range points {
			n += int(p.value)
		}
		v.Points = &n
	}
	v.OldestPoint = s.timestamp("recovery_point_oldest_timestamp_seconds")
	v.NewestPoint = s.timestamp("recovery_point_newest_timestamp_seconds")
	for _, running := range s["operation_running"] {
		o := operation{Name: running.labels["operation"]}
		for _, x := range s["operation_progress_ratio"] {
			if x.labels["operation"] == o.Name {
				o.Progress = new(x.value)
			}
		}
		for _, x := range s["operation_start_timestamp_seconds"] {
			if x.labels["operation"] == o.Name {
				o.Start = unix(x.value)
			}
		}
		v.Operations = append(v.Operations, o)
	}
	slices.SortFunc(v.Operations, func(a, b operation) int { return strings.Compare(a.Name, b.Name) })
}

func newRelationship(name string, s series) *relationship {
	r := &relationship{
		Name:             name,
		Mode:             s.label("relationship_info", "mode"),
		State:            s.current("state", "state"),
		Health:           s.current("health", "health"),
		Primary:          s.label("relationship_info", "primary_server"),
		Replica:          s.label("relationship_info", "replica_server"),
		Lag:              s.duration("lag_seconds"),
		Objective:        s.duration("rpo_objective_seconds"),
		Interval:         s.duration("interval_seconds"),
		Pending:          s.number("pending_bytes"),
		LastReplication:  s.timestamp("last_replication_timestamp_seconds"),
		StatisticsAge:    s.duration("statistics_age_seconds"),
		ConfiguredPoints: s.number("recovery_points_configured"),

		ApplicationConsistent: s.timestamp("last_application_consistent_timestamp_seconds"),

		Series: s,
	}
	if set := s.is("rpo_objective_set"); set != nil {
		r.ObjectiveSet = *set
	}
	for _, x := range s["health_issue"] {
		i := issue{ID: x.labels["message_id"], Severity: x.labels["severity"]}
		for _, info := range s["health_issue_info"] {
			if info.labels["message_id"] == i.ID {
				i.Message, i.Action = info.labels["message"], info.labels["recommended_action"]
			}
		}
		r.Issues = append(r.Issues, i)
	}
	slices.SortFunc(r.Issues, func(a, b issue) int {
		return cmp.Or(strings.Compare(a.Severity, b.Severity), strings.Compare(a.ID, b.ID))
	})
	return r
}

func newCollectorRuns(s series) []collectorRun {
	var runs []collectorRun
	value := func(metric, name string) *float64 {
		for _, x := range s[metric] {
			if x.labels["collector"] == name {
				return &x.value
			}
		}
		return nil
	}
	for _, x := range s["collector_success"] {
		name := x.labels["collector"]
		c := collectorRun{Name: name, Success: x.value == 1}
		if v := value("collector_supported", name); v != nil {
			c.Supported = *v == 1
		}
		if v := value("collector_duration_seconds", name); v != nil {
			c.Duration = new(time.Duration(*v * float64(time.Second)))
		}
		if v := value("snapshot_timestamp_seconds", name); v != nil {
			c.Read = unix(*v)
		}
		runs = append(runs, c)
	}
	return runs
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
