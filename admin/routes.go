package admin

import (
	"context"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// operation is a request that was let in and its answer.
type operation func(*http.Request) (answer, *problem)

// routes puts the API together: nothing is reached but through access.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]operation{
		"GET " + apiReplicas:                                             s.listReplicas,
		"GET " + apiReplicas + "/{vm_id}/{relationship}":                 s.showReplica,
		"POST " + apiReplicas + "/{vm_id}/{relationship}/actions/{verb}": s.actVerb,
		"GET /api/v1/methods":                                            s.listMethods,
		"POST /api/v1/methods/{method}":                                  s.actMethod,
		"GET " + apiJobs:                                                 s.listJobs,
		"GET " + apiJobs + "/{id}":                                       s.showJob,
		"POST " + apiJobs + "/{id}/cancel":                               s.cancelJob,
		"POST /-/reload":                                                 s.reload,
	} {
		mux.Handle(pattern, s.serve(serve))
	}
	door := &access{
		hosts:    s.o.Hosts,
		origin:   http.NewCrossOriginProtection(),
		identify: func(r *http.Request) (caller, error) { return s.authenticator.Load().identify(r) },
		known:    func(c caller) bool { return s.policy.Load().known(c) },
		now:      s.o.Now,
		requests: newLimiter(s.o.RequestRate, s.o.RequestBurst),
		actions:  newLimiter(s.o.ActionRate, s.o.ActionBurst),
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
			p.answer().write(c)
			return
		}
		mux.ServeHTTP(c, r)
	})
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

// discard is a response that only its status and headers count of.
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
	if p := s.policy.Load().refuses(c, deed{needs: owner, names: []string{"reload"}}); p != nil {
		return answer{}, p
	}
	if err := s.audit.write(auditLine{Time: s.o.Now().UTC(), Event: auditReload, User: c.String(), Remote: c.Remote, Action: "reload"}, true); err != nil {
		return answer{}, (&deal{s: s}).noAudit(err)
	}
	if err := s.Reload(); err != nil {
		return answer{}, refuse(kindParameter, "the old configuration stays: %v", err)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"reloaded": true, "rules": len(s.policy.Load().rules)}), nil
}

// methodModel is a method as the API shows it.
type methodModel struct {
	Name       string           `json:"name"`
	Class      string           `json:"class"`
	Does       string           `json:"does"`
	Destroys   string           `json:"destroys,omitempty"`
	Reads      bool             `json:"reads"`
	Parameters []parameterModel `json:"parameters"`
	Modes      []string         `json:"modes,omitempty"`
	States     []string         `json:"states,omitempty"`
	Off        bool             `json:"needs_vm_off,omitempty"`
	Instead    string           `json:"instead,omitempty"`
}

type parameterModel struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Class    string `json:"class,omitempty"`
	Optional bool   `json:"optional,omitempty"`
}

// listMethods is GET /api/v1/methods: the table.
func (s *Server) listMethods(*http.Request) (answer, *problem) {
	var all []methodModel
	for _, m := range msvm.Methods() {
		model := methodModel{
			Name: m.Name, Class: m.Class, Does: m.Does, Destroys: m.Destroys, Reads: m.Reads,
			Modes: names(m.Modes), States: names(m.States), Off: m.Off, Instead: m.Instead, Parameters: []parameterModel{},
		}
		for _, p := range m.In {
			model.Parameters = append(model.Parameters, parameterModel{p.Name, string(p.Type), strings.TrimSpace(p.Class), p.Optional})
		}
		all = append(all, model)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"methods": all}), nil
}
