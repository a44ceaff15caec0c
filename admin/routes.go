package admin

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-kit/log/level"
)

// operation is a request that was let in and its answer.
type operation func(*http.Request) (answer, *problem)

// route is a path of the API: who serves it, and what the description says.
type route struct {
	pattern string // of http.ServeMux
	serve   operation
	summary string
	// takes is an example of the body, nil for none; gives are those of the answers
	// by status, problems aside.
	takes any
	gives map[int]any
}

// table is every route.
func (s *Server) table() []route {
	one := apiReplicas + "/{vm_id}/{relationship}"
	return []route{
		{"GET " + apiReplicas, s.listReplicas, "The relationships that replicate.", nil, map[int]any{200: replicaList{}}},
		{"GET " + one, s.showReplica, "One relationship: state, health issues, statistics, and what can be done to it now.", nil, map[int]any{200: replicaModel{}}},
		{"POST " + one + "/actions/{verb}", s.actVerb, "", body{}, acted()},
		{"GET /api/v1/methods", s.listMethods, "Every method of the replication API.", nil, map[int]any{200: methodList{}}},
		{"POST /api/v1/methods/{method}", s.actMethod, "", body{}, acted()},
		{"GET " + apiJobs, s.listJobs, "The actions that were begun, the newest first.", nil, map[int]any{200: jobList{}}},
		{"GET " + apiJobs + "/{id}", s.showJob, "One action and what became of it.", nil, map[int]any{200: jobRecord{}}},
		{"POST " + apiJobs + "/{id}/cancel", s.cancelJob, "Cancels an action whose job is cancellable.", cancellation{}, map[int]any{200: dryRun{}, 202: jobRecord{}}},
		{"GET " + apiMaintenance, s.listMaintenance, "Maintenance that is announced, or was in the last days.", nil, map[int]any{200: maintenanceList{}}},
		{"POST " + apiMaintenance, s.announceMaintenance, "Announces maintenance of a VM or of the host.", announcement{}, map[int]any{201: maintenance{}}},
		{"POST " + apiMaintenance + "/{id}/end", s.endMaintenance, "Ends maintenance before its time.", none{}, map[int]any{200: maintenance{}}},
		{"GET " + apiDescription, s.describe, "This description.", nil, map[int]any{200: map[string]any{}}},
		{"POST /-/reload", s.reload, "Reads the policy and the users anew; an invalid policy is kept out.", none{}, map[int]any{200: reloaded{}}},
	}
}

// acted are the answers to what acts.
func acted() map[int]any {
	return map[int]any{200: []any{jobRecord{}, dryRun{}, methodResult{}}, 202: jobRecord{}}
}

// none is a body in which nothing can be said.
type none struct{}

// The answers that are more than one thing.
type (
	replicaList struct {
		Time     time.Time      `json:"time"` // by the host's clock
		Replicas []replicaModel `json:"replicas"`
	}
	methodList struct {
		Methods []methodModel `json:"methods"`
	}
	jobList struct {
		Jobs []jobRecord `json:"jobs"`
	}
	reloaded struct {
		Reloaded bool `json:"reloaded"`
		Rules    int  `json:"rules"`
	}
	// dryRun is what would be done.
	dryRun struct {
		DryRun  bool        `json:"dry_run"`
		Plan    plannedCall `json:"plan"`
		Confirm bool        `json:"requires_confirmation"`
		Current *seen       `json:"current,omitempty"`
		Loss    *loss       `json:"estimated_loss,omitempty"`
	}
	// methodResult is that of a method that only reads.
	methodResult struct {
		Code uint32         `json:"return_code"`
		Out  map[string]any `json:"out"`
	}
)

// routes puts the API together: nothing is reached but through access.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		mux.Handle(r.pattern, s.serve(r.serve))
	}
	door := &access{
		hosts:       s.o.Hosts,
		origin:      http.NewCrossOriginProtection(),
		identify:    func(r *http.Request) (caller, error) { return s.authenticator.Load().identify(r) },
		known:       func(c caller) bool { return s.policy.Load().known(c) },
		now:         s.o.Now,
		bodyTimeout: s.o.BodyTimeout,
		requests:    newLimiter(s.o.RequestRate, s.o.RequestBurst),
		actions:     newLimiter(s.o.ActionRate, s.o.ActionBurst),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &noted{method: "none"}
		c := &counted{ResponseWriter: w, status: http.StatusOK}
		defer func() { s.metrics.count(n, c.status) }()
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		r, p := door.admit(c, r.WithContext(context.WithValue(r.Context(), noteKey{}, n)))
		if p == nil {
			p = unrouted(mux, r)
		}
		if p != nil {
			s.turnedAway(r, p)
			p.answer().write(c)
			return
		}
		mux.ServeHTTP(c, r)
	})
}

// turnedAway logs a request that was not let in, unless there are many: guesses, and
// pages that should not ask, are to be seen.
func (s *Server) turnedAway(r *http.Request, p *problem) {
	if p.kind == kindNotFound || p.kind == kindMethod || !s.complaints.AllowN(s.o.Now(), 1) {
		return
	}
	user, _, _ := r.BasicAuth()
	level.Warn(s.o.Logger).Log(
		"msg", "a request to the admin endpoint was turned away", "type", p.kind.slug, "remote", r.RemoteAddr,
		"user", clip(user), "method", clip(r.Method), "path", clip(r.URL.Path))
}

// clip bounds what somebody unknown has written to the log.
func clip(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// refused writes a refusal of what is no action on a VM to the audit log.
func (s *Server) refused(c caller, action string, p *problem) *problem {
	s.audited(auditLine{
		Time: s.o.Now().UTC(), Event: auditRefused, User: c.String(), Remote: c.Remote, Action: action,
		Status: p.kind.status, Type: p.kind.slug, Error: p.detail,
	})
	return p
}

// counted notes the status of an answer.
type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// unrouted is the problem of a request that nothing is for.
func unrouted(mux *http.ServeMux, r *http.Request) *problem {
	h, pattern := mux.Handler(r)
	if pattern != "" {
		return nil
	}
	probe := &discard{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		allow := probe.header.Get("Allow")
		return refuse(kindMethod, "allowed is %s", allow).heading("Allow", allow)
	}
	return refuse(kindNotFound, "there is nothing at this path")
}

// discard is a response of which only the status and the headers are kept.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// serve answers with what an operation gives. A panic is an answer, too, and says
// nothing about itself but in the log.
func (s *Server) serve(do operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, p := func() (a answer, p *problem) {
			defer func() {
				if x := recover(); x != nil {
					level.Error(s.o.Logger).Log("msg", "panic in the admin endpoint", "panic", x, "stack", string(debug.Stack()))
					p = refuse(kindInternal, "look at the log of the program")
				}
			}()
			return do(r)
		}()
		if p != nil {
			a = p.answer()
		}
		a.write(w)
	})
}

// reload is POST /-/reload.
func (s *Server) reload(r *http.Request) (answer, *problem) {
	c := callerOf(r)
	if p := s.policy.Load().refuses(c, deed{needs: owner, names: []string{"reload"}, reload: true}); p != nil {
		return answer{}, s.refused(c, "reload", p)
	}
	switch err := s.reloadFor(c); {
	case errors.As(err, new(*unauditedError)):
		return answer{}, s.noAudit(err)
	case err != nil:
		return answer{}, refuse(kindParameter, "the old configuration stays: %v", err)
	}
	return jsonAnswer(http.StatusOK, reloaded{true, len(s.policy.Load().rules)}), nil
}
