package exporter

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/wmiquery"
)

// stallingHost is a simulated host whose reads and calls do not return while it is stalled.
type stallingHost struct {
	open         func() (wmiquery.Session, error)
	mu           sync.Mutex
	released     chan struct{} // nil if the host is not stalled
	onlyCalls    bool          // calls are stalled, reads are not
	reads, calls atomic.Int32  // in progress on the stalled host
}

func (h *stallingHost) stall(onlyCalls bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released, h.onlyCalls = make(chan struct{}), onlyCalls
}

func (h *stallingHost) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.released)
	h.released = nil
}

func (h *stallingHost) wait(count *atomic.Int32) {
	h.mu.Lock()
	released, isStalled := h.released, h.released != nil && (!h.onlyCalls || count == &h.calls)
	h.mu.Unlock()
	if isStalled {
		count.Add(1)
		<-released
		count.Add(-1)
	}
}

// Open returns a session with the host.
func (h *stallingHost) Open() (wmiquery.Session, error) {
	s, err := h.open()
	return stallingSession{s, h}, err
}

type stallingSession struct {
	wmiquery.Session
	host *stallingHost
}

func (s stallingSession) Read(dst any) error {
	s.host.wait(&s.host.reads)
	return s.Session.Read(dst)
}

func (s stallingSession) Call(c wmiquery.Call) (wmiquery.Reply, error) {
	s.host.wait(&s.host.calls)
	return s.Session.Call(c)
}

// flagRig is a metrics handler for a stallingHost, with a clock that the test moves.
type flagRig struct {
	host    *stallingHost
	source  *source
	handler *metricsHandler
}

func newFlagRig(t *testing.T, args ...string) *flagRig {
	t.Helper()
	c, err := parseFlags(append([]string{"--source=simulator"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	simulated, err := c.source.Open(t.Context(), log.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	h := &stallingHost{open: simulated.Open}
	s := newSource(c, h.Open, simulated.Now)
	t.Cleanup(func() { s.close(time.Now().Add(ShutdownTimeout)) })
	return &flagRig{h, s, newMetricsHandler(c, s, log.NewNopLogger())}
}

// scrape returns the metrics, and how long the scrape took. The timeout is that in the header of Prometheus.
func (r *flagRig) scrape(query string, timeout ...string) (body string, took time.Duration) {
	start, w := time.Now(), httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/metrics"+query, nil)
	request.Header["X-Prometheus-Scrape-Timeout-Seconds"] = timeout
	r.handler.ServeHTTP(w, request)
	return w.Body.String(), time.Since(start)
}

// A scrape of a stalled host ends at the scrape timeout, that of Prometheus or else that of the flag, less the margin.
func TestFlagsOfScrapeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFlagRig(t, "--scrape.timeout=100s", "--scrape.timeout-margin=7s", "--wmi.call-timeout=10m")
		if body, took := r.scrape(""); !strings.Contains(body, "hyperv_replica_up 1\n") || took != 0 {
			t.Errorf("the scrape of a host that answers took %v:\n%.3000s", took, body)
		}
		r.host.stall(false)
		defer r.host.release()
		if _, took := r.scrape(""); took != 93*time.Second {
			t.Errorf("the scrape took %v, want 93 s", took)
		}
		if _, took := r.scrape("", "20"); took != 13*time.Second {
			t.Errorf("the scrape took %v with a timeout of 20 s, want 13 s", took)
		}
	})
}

// Reads of a stalled host occupy the workers. A worker is stuck after the call timeout, and as many as the flag says
// are replaced.
func TestFlagsOfWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFlagRig(t, "--scrape.timeout=100s", "--wmi.call-timeout=11s", "--wmi.workers=3", "--wmi.max-stuck-workers=2")
		r.host.stall(false)
		defer r.host.release()
		go r.scrape("")
		elapsed := time.Duration(0)
		for _, tt := range []struct {
			at           time.Duration
			reads, stuck int
		}{{10900 * time.Millisecond, 3, 0}, {11100 * time.Millisecond, 5, 3}, {22100 * time.Millisecond, 5, 5}} {
			time.Sleep(tt.at - elapsed)
			elapsed = tt.at
			synctest.Wait()
			if reads, stuck := int(r.host.reads.Load()), r.source.pool.Stats().Stuck; reads != tt.reads || stuck != tt.stuck {
				t.Errorf("after %v: %d reads and %d stuck workers, want %d and %d", tt.at, reads, stuck, tt.reads, tt.stuck)
			}
		}
		body, _ := r.scrape("?collect[]=service")
		for _, want := range []string{"hyperv_replica_wmi_stuck_workers 5\n", "hyperv_replica_wmi_worker_restarts_total 2\n"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in\n%s", want, body)
			}
		}
	})
}

// A scrape waits for a response until the call timeout. The last values are exposed until they have the maximum age.
func TestFlagsOfCallTimeoutAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFlagRig(t, "--scrape.timeout=100s", "--wmi.call-timeout=11s", "--scrape.max-age=7m", "--wmi.workers=3")
		const query = "?collect[]=service"
		start := time.Now()
		r.scrape(query)
		r.host.stall(false)
		defer r.host.release()
		if _, took := r.scrape(query); took != 11*time.Second {
			t.Errorf("the scrape took %v, want the call timeout of 11 s", took)
		}
		for _, tt := range []struct {
			age  time.Duration
			want bool
		}{{6*time.Minute + 30*time.Second, true}, {7*time.Minute + time.Second, false}} {
			time.Sleep(time.Until(start.Add(tt.age)))
			if body, _ := r.scrape(query); strings.Contains(body, "hyperv_replica_server_enabled ") != tt.want {
				t.Errorf("values that are %v old are exposed: %v, want %v", tt.age, !tt.want, tt.want)
			}
		}
	})
}

// The statistics of as many relationships are read at the same time as there are workers, whatever the number of
// stuck workers that are replaced.
func TestFlagOfWorkersLimitsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFlagRig(t, "--wmi.workers=3", "--wmi.call-timeout=1s", "--scrape.timeout=90s")
		r.host.stall(true)
		defer r.host.release()
		go r.scrape("?collect[]=statistics")
		synctest.Wait()
		if n := r.host.calls.Load(); n != 3 {
			t.Errorf("%d calls at the same time, want 3", n)
		}
	})
}

var objectiveSample = regexp.MustCompile(`(?m)^hyperv_replica_rpo_objective_seconds\{.*\} (\S+)$`)

func TestFlagOfObjective(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, _ := newFlagRig(t, "--rpo.objective=17m").scrape("?collect[]=settings")
		values := objectiveSample.FindAllStringSubmatch(body, -1)
		if len(values) == 0 {
			t.Fatalf("no objectives in\n%s", body)
		}
		for _, v := range values {
			if v[1] != "1020" {
				t.Errorf("%s, want 1020 seconds", v[0])
			}
		}
	})
}
