// Package admin is the control endpoint: an HTTP API that acts on Hyper-V Replica.
//
// It denies by default. Who asks is proven by the listener's web config; what they
// may do stands in a policy file, and without one everybody may only look. Nothing
// is done that is not in the audit log before; what destroys is asked for twice.
// It never fails anything over by itself.
//
// A request that acts goes this way: it is let in (access.go); its Idempotency-Key is
// looked for; the host is looked at, a plan is made and the policy asked (plan.go); its VM
// is claimed (locks.go); all is looked at again; what destroys is confirmed (confirm.go);
// the intent is in the audit log; the record is kept; the host is called, once (call.go);
// the outcome is in the audit log, and the answer is given. What the host goes on with is
// followed (jobs.go).
package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"hyperv_replica_exporter/wmiquery"
)

// Options are what an endpoint needs. Zero values of numbers and durations have
// defaults.
type Options struct {
	Reader  wmiquery.Reader
	Invoker wmiquery.Invoker
	Now     func() time.Time // the clock of tokens, limits and logs
	Logger  log.Logger
	// Namespace is the prefix of the metrics.
	Namespace string

	// PolicyFile is the policy; "" is that everybody may only look.
	PolicyFile string
	// WebConfigFile is that of the listener.
	WebConfigFile string
	// Addresses are those that are listened on, to check them against the web
	// config.
	Addresses []string
	// Hosts are the names by which the endpoint may be addressed, beside those of
	// the loopback interface.
	Hosts []string
	// DataDir is where the audit log and the store are.
	DataDir string
	// Events gets each line of the audit log, without its end, once it is in the
	// file, in the order of the file. The file is the record: an error here is
	// logged and stops nothing.
	Events func(line []byte) error

	BodyTimeout   time.Duration // how long the body of a request may take
	CallTimeout   time.Duration // how long a request waits for the answer to a call
	ReadTimeout   time.Duration // how long the host has to show what there is
	WatchInterval time.Duration // how often jobs are looked at
	TokenLife     time.Duration // how long a confirmation is good
	Actions       int           // how many may be under way
	RequestRate   float64       // requests per second of one address, RequestBurst at once
	RequestBurst  int
	ActionRate    float64 // actions per second of one caller, ActionBurst at once
	ActionBurst   int
}

// Names of the files in Options.DataDir.
const (
	auditFile = "audit.jsonl"
	storeFile = "admin.db"
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 10*time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 30*time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 20*time.Second)
	o.WatchInterval = cmp.Or(o.WatchInterval, 5*time.Second)
	o.TokenLife = cmp.Or(o.TokenLife, 3*time.Minute)
	o.Actions = cmp.Or(o.Actions, 8)
	o.RequestRate, o.RequestBurst = cmp.Or(o.RequestRate, 10), cmp.Or(o.RequestBurst, 40)
	o.ActionRate, o.ActionBurst = cmp.Or(o.ActionRate, 1), cmp.Or(o.ActionBurst, 10)
	return o
}

// Server is the endpoint.
type Server struct {
	o Options

	policy        atomic.Pointer[policy]
	authenticator atomic.Pointer[authenticator]
	audit         *auditLog
	store         *store
	jobs          *jobs
	locks         *locks
	confirmations *confirmations
	idempotency   *idempotency
	calendar      *calendar
	metrics       *metrics
	handler       http.Handler

	complaints *rate.Limiter // of what is turned away

	reloading sync.Mutex
	files     [2]stamp       // stamps of the files that were read last
	calls     sync.WaitGroup // calls of the host
	stop      context.CancelFunc
	watching  sync.WaitGroup
}

// Check finds what is wrong with the configuration, without opening anything.
func Check(o Options) error {
	_, _, err := o.configuration()
	return err
}

// configuration reads policy and web config, and checks that they make sense
// together.
func (o Options) configuration() (*policy, WebConfig, error) {
	w, err := ReadWebConfig(o.WebConfigFile)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: web config: %w", err)
	}
	for _, a := range o.Addresses {
		if err := w.CheckAddress(a); err != nil {
			return nil, w, fmt.Errorf("admin endpoint: %w", err)
		}
	}
	p, err := readPolicy(o.PolicyFile)
	if err != nil {
		return nil, w, fmt.Errorf("admin endpoint: policy: %w", err)
	}
	if p.file != "" && !w.Authenticates() {
		return nil, w, errors.New("admin endpoint: a policy is about users, so the web config must have users, or client certificates that are required and verified")
	}
	return p, w, nil
}

// New makes an endpoint and starts to follow the jobs that it knows. Close stops
// it.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	files := o.stamps()
	p, w, err := o.configuration()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, files: files, confirmations: newConfirmations(o.TokenLife), complaints: rate.NewLimiter(1, 20)}
	s.policy.Store(p)
	s.authenticator.Store(newAuthenticator(w))
	if err := s.open(); err != nil {
		return nil, err
	}
	s.jobs, err = newJobs(&jobs{reader: o.Reader, store: s.store, audit: s.audit, logger: o.Logger, now: o.Now})
	if err != nil {
		return nil, errors.Join(err, s.store.Close(), s.audit.Close())
	}
	s.locks = &locks{jobs: s.jobs, limit: o.Actions, patience: o.CallTimeout, calls: map[string]call{}}
	s.idempotency = &idempotency{store: s.store, now: o.Now, open: map[string]string{}}
	s.calendar = &calendar{store: s.store, now: o.Now}
	s.forget()
	s.metrics = newMetrics(o.Namespace, s.jobs, s.calendar)
	s.jobs.ended = s.metrics.ended
	s.handler = s.routes()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.watching.Go(func() { s.jobs.watch(ctx, o.WatchInterval, o.ReadTimeout) })
	s.watching.Go(func() { s.watchFiles(ctx) })
	s.watching.Go(func() { s.keepHouse(ctx) })
	return s, nil
}

// open opens the audit log and the store.
func (s *Server) open() error {
	err := os.MkdirAll(s.o.DataDir, 0o700)
	if err != nil {
		return err
	}
	if s.audit, err = openAudit(filepath.Join(s.o.DataDir, auditFile), s.event); err != nil {
		return err
	}
	var damage error
	if s.store, damage, err = openStore(filepath.Join(s.o.DataDir, storeFile), s.o.Now()); err != nil {
		return errors.Join(err, s.audit.Close())
	}
	if damage == nil {
		return nil
	}
	level.Error(s.o.Logger).Log("msg", "the records of earlier actions are lost, in whole or in part", "err", damage)
	s.audited(auditLine{Time: s.o.Now().UTC(), Event: auditDamage, User: "(start)", Action: "open-store", Error: damage.Error()})
	return nil
}

// event passes a line of the audit log on.
func (s *Server) event(line []byte) {
	if s.o.Events == nil {
		return
	}
	if err := s.o.Events(line); err != nil {
		level.Error(s.o.Logger).Log("msg", "a line of the audit log could not be passed on, it is in the file only", "err", err)
	}
}

// Handler is the HTTP API.
func (s *Server) Handler() http.Handler { return s.handler }

// Metrics are the endpoint's figures about itself.
func (s *Server) Metrics() prometheus.Collector { return s.metrics }

// forget drops what has been kept for long enough.
func (s *Server) forget() {
	if err := errors.Join(s.store.prune(s.o.Now()), s.calendar.prune()); err != nil {
		level.Error(s.o.Logger).Log("msg", "old records cannot be dropped", "err", err)
	}
}

// keepHouse forgets once an hour, until ctx ends.
func (s *Server) keepHouse(ctx context.Context) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hourly.C:
			s.forget()
		}
	}
}

// Close stops to follow jobs, and closes the files when the calls under way have
// ended, or when ctx has: what they bring is then found out at the next start.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	done := make(chan struct{})
	go func() { s.watching.Wait(); s.calls.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	return errors.Join(s.store.Close(), s.audit.Close())
}

// reading is a context for looking at the host.
func (s *Server) reading(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.o.ReadTimeout)
}
