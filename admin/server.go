// Package admin is the admin endpoint: an HTTP API that controls Hyper-V Replica on one host.
//
// The endpoint denies by default. The listener's web config authenticates callers, and a policy file authorizes them.
// Without a policy file, callers can only read. Every action is in the audit log before it is executed, and a
// destructive action must be confirmed. The endpoint never fails over by itself.
//
// A request for an action takes these steps:
//
//  1. gate.go authenticates the caller and limits the rate.
//  2. idempotency.go returns the stored response if the Idempotency-Key was used before.
//  3. execution.go reads the state of the host, plans the call (package operation) and asks the policy (package authz).
//  4. locks.go locks the VM. execution.go then reads the host and checks everything again.
//  5. confirm.go checks the confirmation of a destructive action.
//  6. execution.go writes the intent to the audit log (package audit) and stores a record (package job).
//  7. call.go calls the host, once, and writes the outcome to the audit log.
//
// If the host starts a job, package job tracks it until it ends.
package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/internal/logging"
	"hyperv_replica_exporter/wmiquery"
)

// Options configure an endpoint. A number or duration that is 0 has a default.
type Options struct {
	Reader  wmiquery.Reader
	Invoker wmiquery.Invoker
	// FailoverInvoker makes the calls of callers with the role failover. If it is nil, Invoker does.
	FailoverInvoker wmiquery.Invoker
	Now             func() time.Time // clock of tokens, limits and logs
	Logger          log.Logger
	// Namespace is the prefix of the metrics.
	Namespace string

	// Objective returns the recovery point objective of a VM from its name, its GUID and its replication interval, 0 if it
	// is not known. If it is nil, no objective is shown.
	Objective func(name, id string, interval time.Duration) time.Duration

	// PolicyFile is the policy. Without it all callers are viewers.
	PolicyFile string
	// WebConfigFile is the web config of the listener.
	WebConfigFile string
	// Addresses are the listen addresses. They are checked against the web config.
	Addresses []string
	// Hosts are the allowed values of the Host header, in addition to names of the loopback interface.
	Hosts []string
	// DataDir is the directory of the audit log and the store.
	DataDir string
	// AuditMaxBytes is the size at which the audit log is rotated, 0 for never. AuditMaxFiles is the number of rotated
	// files that are kept.
	AuditMaxBytes int64
	AuditMaxFiles int
	// RefusalInterval is the interval at which refusals after the first one are written to the audit log, as one record.
	// A negative one writes each.
	RefusalInterval time.Duration
	// Events is called with each line of the audit log, without the newline, after the line is in the file and in the
	// order of the file. An error is only logged, because the file is the authoritative record.
	Events func(line []byte) error

	BodyTimeout   time.Duration // limit for reading the body of a request
	CallTimeout   time.Duration // how long a request waits for the answer to a call; a longer call continues
	WatchInterval time.Duration // interval at which jobs and configuration files are checked
	MaxActions    int           // maximum number of actions in progress, without failovers
	// BulkParallelism is the number of VMs of bulk failovers that fail over at a time. BulkJobTimeout is how long a VM
	// whose job runs keeps its slot.
	BulkParallelism int
	BulkJobTimeout  time.Duration
	RequestRate     float64 // requests per second by one caller; ten times as many with the role failover
	RequestBurst    int
	ActionRate      float64 // actions per second by one caller; ten times as many with the role failover
	ActionBurst     int
}

// Defaults of the limits in Options.
const (
	DefaultMaxActions = 32
	// DefaultBulkParallelism is less than the number of workers of FailoverInvoker, so that a bulk failover of a slow host
	// leaves a worker for other failovers.
	DefaultBulkParallelism = 3
	DefaultRequestRate     = 10
	DefaultRequestBurst    = 100
	DefaultActionRate      = 2
	DefaultActionBurst     = 100
)

// readTimeout limits how long the host can take to show its state.
const readTimeout = 20 * time.Second

func (o Options) withDefaults() Options {
	if o.FailoverInvoker == nil {
		o.FailoverInvoker = o.Invoker
	}
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 10*time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 30*time.Second)
	o.WatchInterval = cmp.Or(o.WatchInterval, 5*time.Second)
	o.RefusalInterval = cmp.Or(o.RefusalInterval, time.Minute)
	o.MaxActions = cmp.Or(o.MaxActions, DefaultMaxActions)
	o.BulkParallelism = cmp.Or(o.BulkParallelism, DefaultBulkParallelism)
	o.BulkJobTimeout = cmp.Or(o.BulkJobTimeout, 2*time.Minute)
	o.RequestRate, o.RequestBurst = cmp.Or(o.RequestRate, DefaultRequestRate), cmp.Or(o.RequestBurst, DefaultRequestBurst)
	o.ActionRate, o.ActionBurst = cmp.Or(o.ActionRate, DefaultActionRate), cmp.Or(o.ActionBurst, DefaultActionBurst)
	return o
}

// Server is an admin endpoint.
type Server struct {
	options Options

	policy        atomic.Pointer[authz.Policy]
	authenticator atomic.Pointer[authz.Authenticator]
	audit         *audit.Log
	store         *store.Store
	jobs          *job.Tracker
	locks         *locks
	changes       *vmChanges
	confirmations *confirmations
	idempotency   *idempotency
	maintenance   *maintenanceStore
	limits        *callerLimits
	bulk          *bulkFailovers
	metrics       *metrics
	handler       http.Handler

	rejectedLog log.Logger // for messages about rejected requests, whose number is limited

	reloading    sync.Mutex
	fileVersions [2]fileVersion // of the configuration files at the last reload; guarded by reloading
	calls        sync.WaitGroup // calls of the host in progress
	stop         context.CancelFunc
	stopping     <-chan struct{} // closed by stop
	background   sync.WaitGroup
}

// New returns an endpoint. It starts to track the stored jobs that have not ended. Close stops the endpoint.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	versions := fileVersions(o)
	policy, w, err := readConfiguration(o)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, fileVersions: versions, rejectedLog: logging.NewLimited(o.Logger, 20, time.Minute)}
	s.use(policy, w)
	if err := s.openFiles(); err != nil {
		return nil, err
	}
	if err := s.auditUnfinished(); err != nil {
		return nil, errors.Join(err, s.store.Close(), s.audit.Close())
	}
	s.jobs, err = job.NewTracker(job.Options{
		Reader: o.Reader, Store: s.store, Audit: s.audit, Logger: o.Logger, Now: o.Now,
	})
	if err != nil {
		return nil, errors.Join(err, s.store.Close(), s.audit.Close())
	}
	s.locks = newLocks(s.jobs, o.MaxActions, o.CallTimeout)
	s.changes = newVMChanges()
	s.confirmations = newConfirmations(o.Now, s.changes.number)
	s.idempotency = newIdempotency(s.store, o.Now)
	if s.maintenance, err = newMaintenanceStore(s.store, o.Now); err != nil {
		return nil, errors.Join(err, s.store.Close(), s.audit.Close())
	}
	s.limits = newCallerLimits(o)
	s.bulk = newBulkFailovers(s)
	if err := s.bulk.endInterrupted(); err != nil {
		return nil, errors.Join(err, s.store.Close(), s.audit.Close())
	}
	s.prune()
	s.metrics = newMetrics(o.Namespace, s.jobs, s.audit, s.maintenance)
	s.jobs.OnEnd = func(r job.Record) {
		s.metrics.jobEnded(r)
		s.changes.add(r.VMID, r.LockVM)
		s.bulk.jobEnded(r.ID)
	}
	s.handler = s.newHandler()
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.stopping = stop, ctx.Done()
	s.background.Go(func() { s.jobs.Watch(ctx, o.WatchInterval, readTimeout) })
	s.background.Go(func() { s.watchFiles(ctx) })
	s.background.Go(func() { s.runHourly(ctx) })
	s.background.Go(func() { s.bulk.serve(ctx) })
	return s, nil
}

// Handler returns the HTTP API.
func (s *Server) Handler() http.Handler { return s.handler }

// Metrics returns the metrics of the endpoint.
func (s *Server) Metrics() prometheus.Collector { return s.metrics }

// runHourly deletes expired records every hour until ctx is done.
func (s *Server) runHourly(ctx context.Context) {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.prune()
		}
	}
}

// prune deletes expired records.
func (s *Server) prune() {
	s.maintenance.forget()
	if err := s.store.Prune(s.options.Now()); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot delete expired records, will retry", "err", err)
	}
}

// Stop makes requests that wait for the host return: a client that waits for an action gets the job of the action.
func (s *Server) Stop() { s.stop() }

// Close stops the endpoint. It waits for calls of the host in progress until ctx is done. The next start finds out the
// outcome of calls that have not returned by then. What is only in memory because it could not be written is written.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	done := make(chan struct{})
	go func() { s.background.Wait(); s.calls.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	for _, r := range s.jobs.Running("") { // state is queued if the host has not answered, running if it runs the job
		level.Warn(s.options.Logger).Log("msg", "stopping while an action is open",
			"action", r.Action, "job", r.ID, "state", r.State, "vm_id", r.VMID, "vm", r.VM, "user", r.User)
	}
	s.jobs.RetryUnsaved()
	return errors.Join(s.store.Close(), s.audit.Close())
}

// roleOf returns the highest role that the policy gives a caller.
func (s *Server) roleOf(c authz.Principal) authz.Role { return s.policy.Load().Role(c) }

// authorize asks the policy about a request.
func (s *Server) authorize(r *http.Request, a authz.Attributes) *problem.Problem {
	return s.policy.Load().Authorize(principalOf(r), a)
}

// auditAfter writes an audit record about something that has already happened. If that fails, the record is written
// later.
func (s *Server) auditAfter(r audit.Record) {
	if err := s.audit.WriteOrKeep(r); err != nil {
		level.Error(s.options.Logger).Log(
			"msg", "cannot write audit record, will retry", "event", r.Event, "action", r.ID, "status", r.Status, "err", err)
	}
}

// auditRefusal writes an audit record about a refused request that is not an action on the host, and returns p. It only
// logs an error: a record that is kept in memory for every refused request would fill the memory.
func (s *Server) auditRefusal(c authz.Principal, action string, p *problem.Problem) *problem.Problem {
	r := audit.Record{
		Time: s.options.Now().UTC(), Event: audit.Refused, User: c.String(), Remote: c.Remote, Action: action,
		Status: p.Type.Status, Type: p.Type.Slug, Error: p.Detail,
	}
	if err := s.audit.WriteRefused(r); err != nil {
		level.Error(s.options.Logger).Log("msg", "cannot write audit record of a refusal", "action", action, "err", err)
	}
	return p
}

// auditUnavailable returns the problem for an audit log that cannot be written.
func (s *Server) auditUnavailable(err error) *problem.Problem {
	level.Error(s.options.Logger).Log("msg", "request rejected, cannot write audit record", "err", err)
	return problem.New(problem.AuditUnavailable, "the request was not executed; see the log of the exporter")
}

// errStoreRead returns the problem for a store that cannot be read.
func errStoreRead() *problem.Problem {
	return problem.New(problem.Internal, "the store cannot be read")
}
