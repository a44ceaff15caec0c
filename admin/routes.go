package admin

import (
	"context"
	"net/http"
	"runtime/debug"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// handlerFunc handles a request that the gate has admitted.
type handlerFunc func(*http.Request) (problem.Response, *problem.Problem)

// route is a path of the API with its handler and its description.
type route struct {
	pattern string // of http.ServeMux
	handle  handlerFunc
	summary string
	// request is an example of the body, nil for none. responses are examples of the responses by status, without
	// problems.
	request   any
	responses map[int]any
}

// Paths of the API.
const (
	apiReplicas      = "/api/v1/replicas"
	apiMethods       = "/api/v1/methods"
	apiAuthorization = "/api/v1/authorization"
	apiJobs          = "/api/v1/jobs"
	apiMaintenance   = "/api/v1/maintenance"
	apiWhoAmI        = "/api/v1/whoami"
	apiBulkFailovers = "/api/v1/bulk-failovers"
	apiDescription   = "/api/v1/openapi.json"
)

// routes returns all routes.
func (s *Server) routes() []route {
	replica := apiReplicas + "/{vm_id}/{relationship}"
	executed := map[int]any{200: []any{job.Record{}, dryRunResult{}, methodResult{}}, 202: job.Record{}}
	return []route{
		{"GET " + apiReplicas, s.listReplicas, "List the replication relationships.", nil, map[int]any{200: replicaList{}}},
		{
			"GET " + replica, s.showReplica,
			"Get a relationship: state, health issues, statistics, and the actions that are possible now.", nil,
			map[int]any{200: replicaView{}},
		},
		{"POST " + replica + "/actions/{action}", s.executeAction, "", operation.Request{}, executed},
		{
			"GET " + apiAuthorization, s.listAuthorization, "List the servers that may replicate to this host.", nil,
			map[int]any{200: authorizationList{}},
		},
		{"GET " + apiMethods, s.listMethods, "List the methods of the replication API.", nil, map[int]any{200: methodList{}}},
		{"POST " + apiMethods + "/{method}", s.executeMethod, "", operation.Request{}, executed},
		{"GET " + apiJobs, s.listJobs, "List the actions that were started, newest first.", nil, map[int]any{200: jobList{}}},
		{"GET " + apiJobs + "/{id}", s.showJob, "Get an action that was started.", nil, map[int]any{200: job.Record{}}},
		{
			"POST " + apiJobs + "/{id}/cancel", s.cancelJob, "Cancel an action whose job is cancellable.",
			cancelRequest{},
			map[int]any{200: dryRunResult{}, 202: job.Record{}},
		},
		{
			"POST " + apiJobs + "/{id}/unlock", s.unlockVM, "Unlock the VM of a call that hangs. Needs a confirmation.",
			unlockRequest{},
			map[int]any{200: job.Record{}},
		},
		{
			"POST " + apiBulkFailovers, s.startBulkFailover,
			"Fail over a list of VMs, or all replicas of a primary server. Needs a confirmation.",
			bulkRequest{},
			map[int]any{200: bulkPlan{}, 202: bulkFailover{}},
		},
		{
			"GET " + apiBulkFailovers, s.listBulkFailovers, "List the bulk failovers, newest first.", nil,
			map[int]any{200: bulkFailoverList{}},
		},
		{
			"GET " + apiBulkFailovers + "/{id}", s.showBulkFailover, "Get a bulk failover with the state of each VM.", nil,
			map[int]any{200: bulkFailover{}},
		},
		{
			"GET " + apiMaintenance, s.listMaintenance, "List active and recent maintenance.", nil,
			map[int]any{200: maintenanceList{}},
		},
		{
			"POST " + apiMaintenance, s.announceMaintenance, "Announce maintenance of a VM or of the host.",
			announcement{},
			map[int]any{201: maintenance{}},
		},
		{
			"POST " + apiMaintenance + "/{id}/end", s.endMaintenance, "End maintenance early.",
			emptyRequest{},
			map[int]any{200: maintenance{}},
		},
		{
			"GET " + apiWhoAmI, s.whoAmI, "Get the caller, and what the policy allows the caller.", nil,
			map[int]any{200: callerView{}},
		},
		{"GET " + apiDescription, s.describe, "Get this description.", nil, map[int]any{200: map[string]any{}}},
		{
			"POST /-/reload", s.reload,
			"Reload the policy and the users. If they are not valid, the old ones stay in effect.",
			emptyRequest{},
			map[int]any{200: reloadResult{}},
		},
	}
}

// emptyRequest is the body of a request without fields.
type emptyRequest struct{}

// newHandler returns the HTTP API. Every request passes the gate.
func (s *Server) newHandler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.respond(r.handle))
	}
	g := &gate{
		hosts:       s.options.Hosts,
		origin:      http.NewCrossOriginProtection(),
		identify:    func(r *http.Request) (authz.Principal, error) { return s.authenticator.Load().Identify(r) },
		role:        s.roleOf,
		limits:      s.limits,
		bodyTimeout: s.options.BodyTimeout,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &requestInfo{method: "none"}
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() { s.metrics.countRequest(info, recorder.status) }()
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		r, done, p := g.admit(recorder, r.WithContext(context.WithValue(r.Context(), requestInfoKey{}, info)))
		defer done()
		if p == nil {
			p = checkRoute(mux, r)
		}
		if p != nil {
			s.logRejected(r, p)
			p.Response().Write(recorder)
			return
		}
		mux.ServeHTTP(recorder, r)
	})
}

// respond writes the response of a handler. A panic becomes a problem without details; the log has the stack.
func (s *Server) respond(handle handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, p := func() (_ problem.Response, p *problem.Problem) {
			defer func() {
				if x := recover(); x != nil {
					level.Error(s.options.Logger).Log("msg", "panic in a handler", "panic", x, "stack", string(debug.Stack()))
					p = problem.New(problem.Internal, "see the log of the exporter")
				}
			}()
			return handle(r)
		}()
		if p != nil {
			response = p.Response()
		}
		response.Write(w)
	})
}

// checkRoute returns a problem if no route matches the request.
func checkRoute(mux *http.ServeMux, r *http.Request) *problem.Problem {
	h, pattern := mux.Handler(r)
	if pattern != "" {
		return nil
	}
	w := &headerRecorder{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.status == http.StatusMethodNotAllowed {
		allow := w.header.Get("Allow")
		return problem.New(problem.MethodNotAllowed, "allowed methods: %s", allow).WithHeader("Allow", allow)
	}
	return problem.New(problem.NotFound, "no such path")
}

// headerRecorder is a response that keeps only the status and the headers.
type headerRecorder struct {
	header http.Header
	status int
}

func (h *headerRecorder) Header() http.Header         { return h.header }
func (h *headerRecorder) Write(p []byte) (int, error) { return len(p), nil }
func (h *headerRecorder) WriteHeader(status int)      { h.status = status }

// statusRecorder records the status of a response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader records the status.
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the underlying writer for http.ResponseController.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// logRejected logs a rejected request, so that password guesses and requests of other web pages can be noticed. The
// number of messages is limited; the log has the number of those that were left out. Requests without a matching route
// are not logged.
func (s *Server) logRejected(r *http.Request, p *problem.Problem) {
	if p.Type == problem.NotFound || p.Type == problem.MethodNotAllowed {
		return
	}
	user, _, _ := r.BasicAuth()
	level.Warn(s.rejectedLog).Log(
		"msg", "request rejected", "type", p.Type.Slug, "remote", r.RemoteAddr,
		"user", truncate(user), "subject", authz.CertificateName(r.TLS), "method", truncate(r.Method),
		"path", truncate(r.URL.Path))
}

// truncate limits the length of a text from an unauthenticated client.
func truncate(text string) string {
	const maxBytes = 100
	if len(text) > maxBytes {
		return text[:maxBytes] + "..."
	}
	return text
}
