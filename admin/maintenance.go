package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// maintenance is announced work on a VM or on the host. It is exported as a metric that inhibits alerts. It changes
// nothing on the host and does not prevent actions.
type maintenance struct {
	ID    string           `json:"id"`
	Scope maintenanceScope `json:"scope"`
	VMID  string           `json:"vm_id,omitempty"`
	VM    string           `json:"vm,omitempty"` // name at the time of the announcement
	Owner string           `json:"owner"`        // contact
	// Reason is a free text.
	Reason string     `json:"reason"`
	User   string     `json:"user"` // caller who announced it
	From   time.Time  `json:"from"`
	Until  time.Time  `json:"until"`
	Ended  *time.Time `json:"ended,omitempty"` // if it was ended early
	Active bool       `json:"active"`
}

// maintenanceScope is the scope of maintenance.
type maintenanceScope string

// The scopes.
const (
	scopeHost maintenanceScope = "host" // the host and all its VMs
	scopeVM   maintenanceScope = "vm"
)

// maintenanceAction is the name of maintenance in a policy.
const maintenanceAction = "maintenance"

// attributes returns the attributes that the policy decides on.
func (m maintenance) attributes(role authz.Role) authz.Attributes {
	return authz.Attributes{Role: role, Names: []string{maintenanceAction}, VM: m.VMID, VMName: m.VM}
}

// announcement is the body of a request that announces maintenance.
type announcement struct {
	// VMID is the GUID of the VM, "" for the host.
	VMID   string    `json:"vm_id,omitempty"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// Limits of maintenance. Maintenance without an end would silence alerts forever.
const (
	maxMaintenance      = 31 * 24 * time.Hour
	maxMaintenanceCount = 1000
	keepMaintenance     = 7 * 24 * time.Hour // after its end
	maxKeptMaintenance  = 10_000             // of the latest ends
)

// check returns a problem if an announcement is incomplete or exceeds a limit.
func (a announcement) check(now time.Time) *problem.Problem {
	switch {
	case operation.IsBlank(a.Owner) || operation.IsBlank(a.Reason):
		return problem.New(problem.InvalidParameter, "owner and reason are required")
	case len(a.Owner) > operation.MaxTextBytes || len(a.Reason) > operation.MaxTextBytes:
		return problem.New(problem.InvalidParameter, "a text is longer than %d bytes", operation.MaxTextBytes)
	case a.VMID != "" && !msvm.IsGUID(a.VMID):
		return problem.New(problem.InvalidParameter, "vm_id: not a GUID; leave it out for maintenance of the host")
	case !a.Until.After(now):
		return problem.New(problem.InvalidParameter,
			`until: must be a time in the future, such as "2026-12-01T20:00:00Z"; it is %s`, now.UTC().Format(time.RFC3339))
	case a.Until.Sub(now) > maxMaintenance:
		return problem.New(problem.InvalidParameter, "until: more than %d days ahead", int(maxMaintenance.Hours()/24))
	}
	return nil
}

type maintenanceList struct {
	Maintenance []maintenance `json:"maintenance"`
	// Continue is a parameter of the request for the next entries, "" if there are none.
	Continue string `json:"continue,omitempty"`
}

// listMaintenance handles GET /api/v1/maintenance. Every caller sees the maintenance of the host, because it affects
// all VMs.
func (s *Server) listMaintenance(r *http.Request) (problem.Response, *problem.Problem) {
	page, p := pageFromQuery(r)
	if p != nil {
		return problem.Response{}, p
	}
	visible := func(m maintenance) bool {
		return m.Scope == scopeHost || s.authorize(r, m.attributes(authz.RoleViewer)) == nil
	}
	all, next, err := pageOf(page, s.maintenance.newest, visible, func(m maintenance) string { return m.ID })
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	return problem.JSON(http.StatusOK, maintenanceList{all, next}), nil
}

// announceMaintenance handles POST /api/v1/maintenance.
func (s *Server) announceMaintenance(r *http.Request) (problem.Response, *problem.Problem) {
	a := announcement{}
	body, p := operation.ReadJSON(r, &a)
	if p != nil {
		return problem.Response{}, p
	}
	c := principalOf(r)
	key, stored, p := s.idempotency.begin(r, c, body)
	if p != nil {
		return problem.Response{}, p
	}
	if stored != nil {
		return *stored, nil
	}
	defer key.close()
	m, p := s.announce(r, a)
	if p != nil {
		return problem.Response{}, s.auditRefusal(c, "announce-maintenance", p)
	}
	response := problem.JSON(http.StatusCreated, m)
	if err := key.save(m.ID, response); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot store response for its Idempotency-Key", "id", m.ID, "err", err)
	}
	return response, nil
}

// announce checks and stores an announcement.
func (s *Server) announce(r *http.Request, a announcement) (maintenance, *problem.Problem) {
	now := s.options.Now()
	if p := a.check(now); p != nil {
		return maintenance{}, p
	}
	m := maintenance{
		ID: newID(now), Scope: scopeHost, Owner: a.Owner, Reason: a.Reason,
		User: principalOf(r).String(), From: now.UTC(), Until: a.Until.UTC(), Active: true,
	}
	found := true
	if a.VMID != "" {
		m.Scope, m.VMID = scopeVM, strings.ToUpper(a.VMID)
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		snapshot, p := s.readSnapshot(ctx)
		if p != nil {
			return maintenance{}, p
		}
		var vm msvm.ComputerSystem
		vm, found = snapshot.VM(m.VMID)
		m.VM = msvm.StringOrEmpty(vm.ElementName)
	}
	if p := s.authorize(r, m.attributes(authz.RoleOperator)); p != nil {
		return maintenance{}, p
	}
	if !found { // only an authorized caller learns whether the VM exists
		return maintenance{}, problem.New(problem.NotFound, "vm %s: not found on this host", m.VMID)
	}
	if n := len(s.maintenance.active()); n >= maxMaintenanceCount {
		return maintenance{}, problem.New(problem.TooManyActions,
			"%d announcements are active, which is the maximum; end some of them", n)
	}
	return m, s.saveMaintenance(r, m, "announce-maintenance")
}

// endMaintenance handles POST /api/v1/maintenance/{id}/end.
func (s *Server) endMaintenance(r *http.Request) (problem.Response, *problem.Problem) {
	if _, p := operation.ReadJSON(r, &emptyRequest{}); p != nil {
		return problem.Response{}, p
	}
	var m maintenance
	found, err := s.store.Get(bucketMaintenance, r.PathValue("id"), &m)
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	if !found || m.Scope == scopeVM && s.authorize(r, m.attributes(authz.RoleViewer)) != nil {
		return problem.Response{}, problem.New(problem.NotFound, "maintenance %.80q: not found", r.PathValue("id"))
	}
	if p := s.authorize(r, m.attributes(authz.RoleOperator)); p != nil {
		return problem.Response{}, s.auditRefusal(principalOf(r), "end-maintenance", p)
	}
	now := s.options.Now().UTC()
	if m.Ended != nil || !now.Before(m.Until) {
		return problem.Response{}, problem.New(problem.InvalidState, "the maintenance has ended")
	}
	m.Ended, m.Active = &now, false
	if p := s.saveMaintenance(r, m, "end-maintenance"); p != nil {
		return problem.Response{}, p
	}
	return problem.JSON(http.StatusOK, m), nil
}

// saveMaintenance writes an audit record and stores the maintenance.
func (s *Server) saveMaintenance(r *http.Request, m maintenance, action string) *problem.Problem {
	c := principalOf(r)
	record := audit.Record{
		Time: s.options.Now().UTC(), Event: audit.Maintenance, ID: m.ID, User: c.String(), Remote: c.Remote, Action: action,
		VMID: m.VMID, VM: m.VM, Reason: m.Reason,
		Parameters: map[string]any{"scope": m.Scope, "owner": m.Owner, "until": m.Until},
	}
	if err := s.audit.Write(record, true); err != nil {
		return s.auditUnavailable(err)
	}
	if err := s.maintenance.put(m); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot store maintenance", "id", m.ID, "err", err)
		return problem.New(problem.Internal, "the maintenance cannot be stored")
	}
	return nil
}
