package admin

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/wmiquery/msvm"
)

const apiMaintenance = "/api/v1/maintenance"

// maintenance is an announcement that something is worked on, so that what then
// looks wrong wakes nobody. It changes nothing on the host and keeps nobody from
// acting: it is shown as a metric, on which the alert rules inhibit.
type maintenance struct {
	ID    string           `json:"id"`
	Scope maintenanceScope `json:"scope"`
	VMID  string           `json:"vm_id,omitempty"`
	VM    string           `json:"vm,omitempty"` // its name when it was announced
	Owner string           `json:"owner"`        // who to ask
	// Reason is in the owner's words.
	Reason string     `json:"reason"`
	User   string     `json:"user"` // who announced it
	From   time.Time  `json:"from"`
	Until  time.Time  `json:"until"`
	Ended  *time.Time `json:"ended,omitempty"` // before its time
	Active bool       `json:"active"`
}

// maintenanceScope is what maintenance is of.
type maintenanceScope string

// The scopes.
const (
	scopeHost maintenanceScope = "host" // every VM of it
	scopeVM   maintenanceScope = "vm"
)

// announcement is the body that announces maintenance.
type announcement struct {
	// VMID is the GUID of the VM; without one it is of the whole host.
	VMID   string    `json:"vm_id,omitempty"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

type maintenanceList struct {
	Maintenance []maintenance `json:"maintenance"`
}

// Limits of maintenance. One that never ends would silence for good.
const (
	maxMaintenance      = 31 * 24 * time.Hour
	maxMaintenanceCount = 1000
	keepMaintenance     = 7 * 24 * time.Hour // after its end
)

// calendar is the maintenance that was announced. It outlives a restart.
type calendar struct {
	store *store
	now   func() time.Time
}

// all is all maintenance that is remembered, the newest first, as it is now.
func (c *calendar) all() ([]maintenance, error) {
	all, err := allOf[maintenance](c.store, bucketMaintenance)
	now := c.now()
	for i, m := range all {
		all[i].Active = m.Ended == nil && now.Before(m.Until)
	}
	slices.SortFunc(all, func(a, b maintenance) int {
		return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// prune forgets what ended long ago.
func (c *calendar) prune() error {
	all, err := c.all()
	for _, m := range all {
		end := m.Until
		if m.Ended != nil {
			end = *m.Ended
		}
		if err == nil && c.now().Sub(end) > keepMaintenance {
			err = c.store.remove(bucketMaintenance, m.ID)
		}
	}
	return err
}

// collect shows what is active: that of the host always, that of a VM while it is.
func (c *calendar) collect(ch chan<- prometheus.Metric, desc *prometheus.Desc) {
	all, err := c.all()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(desc, err)
		return
	}
	host, seen := 0.0, map[string]bool{}
	for _, m := range all {
		switch {
		case !m.Active:
		case m.Scope == scopeHost:
			host = 1
		case !seen[m.VMID]: // the newest gives the name
			seen[m.VMID] = true
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1, string(scopeVM), m.VM, m.VMID)
		}
	}
	ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, host, string(scopeHost), "", "")
}

// deed is what the policy is asked for about maintenance.
func (m maintenance) deed(needs role) deed {
	return deed{needs: needs, names: []string{"maintenance"}, vm: m.VMID, name: m.VM}
}

// listMaintenance is GET /api/v1/maintenance. Maintenance of the host is about every
// VM of it, so everybody sees it.
func (s *Server) listMaintenance(r *http.Request) (answer, *problem) {
	all, err := s.calendar.all()
	if err != nil {
		return answer{}, refuse(kindInternal, "the store cannot be read")
	}
	shown := []maintenance{}
	for _, m := range all {
		if m.Scope == scopeHost || s.policy.Load().refuses(callerOf(r), m.deed(viewer)) == nil {
			shown = append(shown, m)
		}
	}
	return jsonAnswer(http.StatusOK, maintenanceList{shown}), nil
}

// announceMaintenance is POST /api/v1/maintenance.
func (s *Server) announceMaintenance(r *http.Request) (answer, *problem) {
	a := announcement{}
	text, p := readJSON(r, &a)
	if p != nil {
		return answer{}, p
	}
	c := callerOf(r)
	attempt, before, p := s.idempotency.begin(r, c, text)
	if p != nil {
		return answer{}, p
	}
	if before != nil {
		return *before, nil
	}
	defer attempt.close()
	m, p := s.announce(r, c, a)
	if p != nil {
		return answer{}, s.refused(c, "announce-maintenance", p)
	}
	done := jsonAnswer(http.StatusCreated, m)
	if err := attempt.keep(m.ID, done); err != nil {
		level.Error(s.o.Logger).Log("msg", "an answer cannot be kept by its Idempotency-Key", "err", err)
	}
	return done, nil
}

// announce checks an announcement and writes it down.
func (s *Server) announce(r *http.Request, c caller, a announcement) (maintenance, *problem) {
	now := s.o.Now()
	if p := a.check(now); p != nil {
		return maintenance{}, p
	}
	m := maintenance{
		ID: strings.ToLower(rand.Text()), Scope: scopeHost, Owner: a.Owner, Reason: a.Reason,
		User: c.String(), From: now.UTC(), Until: a.Until.UTC(), Active: true,
	}
	if a.VMID != "" {
		m.Scope, m.VMID = scopeVM, strings.ToUpper(a.VMID)
		ctx, cancel := s.reading(r.Context())
		defer cancel()
		v, p := readHost(ctx, s.o.Reader)
		if p != nil {
			return maintenance{}, p
		}
		m.VM = msvm.StringOrEmpty(v.systems[m.VMID].ElementName)
		if p := s.policy.Load().refuses(c, m.deed(operator)); p != nil { // before it is told whether there is one
			return maintenance{}, p
		}
		if _, ok := v.systems[m.VMID]; !ok {
			return maintenance{}, refuse(kindNotFound, "this host has no VM %s", m.VMID)
		}
	} else if p := s.policy.Load().refuses(c, m.deed(operator)); p != nil {
		return maintenance{}, p
	}
	all, err := s.calendar.all()
	if err != nil {
		return maintenance{}, refuse(kindInternal, "the store cannot be read")
	}
	if active := slices.DeleteFunc(all, func(m maintenance) bool { return !m.Active }); len(active) >= maxMaintenanceCount {
		return maintenance{}, refuse(kindLimit, "%d are announced, which is the limit; end some", len(active))
	}
	return m, s.put(c, m, "announce-maintenance")
}

// check refuses an announcement that is not complete, or too long.
func (a announcement) check(now time.Time) *problem {
	switch {
	case a.Owner == "" || a.Reason == "":
		return refuse(kindParameter, "owner and reason are needed: who to ask, and why")
	case len(a.Owner) > maxText || len(a.Reason) > maxText:
		return refuse(kindParameter, "a text is longer than %d bytes", maxText)
	case a.VMID != "" && !msvm.IsGUID(a.VMID):
		return refuse(kindParameter, "vm_id is no GUID; leave it out for the whole host")
	case !a.Until.After(now):
		return refuse(kindParameter, "until must be a time to come, such as \"2026-12-01T20:00:00Z\"; it is %s", now.UTC().Format(time.RFC3339))
	case a.Until.Sub(now) > maxMaintenance:
		return refuse(kindParameter, "until is more than %d days ahead", int(maxMaintenance.Hours()/24))
	}
	return nil
}

// endMaintenance is POST /api/v1/maintenance/{id}/end.
func (s *Server) endMaintenance(r *http.Request) (answer, *problem) {
	if _, p := readJSON(r, &none{}); p != nil {
		return answer{}, p
	}
	var m maintenance
	found, err := s.store.get(bucketMaintenance, r.PathValue("id"), &m)
	if err != nil {
		return answer{}, refuse(kindInternal, "the store cannot be read")
	}
	c := callerOf(r)
	if !found || m.Scope == scopeVM && s.policy.Load().refuses(c, m.deed(viewer)) != nil {
		return answer{}, refuse(kindNotFound, "there is no such maintenance")
	}
	if p := s.policy.Load().refuses(c, m.deed(operator)); p != nil {
		return answer{}, s.refused(c, "end-maintenance", p)
	}
	now := s.o.Now().UTC()
	if m.Ended != nil || !now.Before(m.Until) {
		return answer{}, refuse(kindState, "it has ended")
	}
	m.Ended, m.Active = &now, false
	if p := s.put(c, m, "end-maintenance"); p != nil {
		return answer{}, p
	}
	return jsonAnswer(http.StatusOK, m), nil
}

// put writes maintenance to the audit log and keeps it.
func (s *Server) put(c caller, m maintenance, action string) *problem {
	line := auditLine{
		Time: s.o.Now().UTC(), Event: auditMaintenance, ID: m.ID, User: c.String(), Remote: c.Remote, Action: action,
		VMID: m.VMID, VM: m.VM, Reason: m.Reason, Parameters: map[string]any{"scope": m.Scope, "owner": m.Owner, "until": m.Until},
	}
	if err := s.audit.write(line, true); err != nil {
		return s.noAudit(err)
	}
	if err := s.store.put(bucketMaintenance, m.ID, m); err != nil {
		level.Error(s.o.Logger).Log("msg", "maintenance cannot be kept", "err", err)
		return refuse(kindInternal, "it cannot be kept")
	}
	return nil
}
