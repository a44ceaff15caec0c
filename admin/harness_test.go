package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lab is two simulated hosts, each with its endpoint on a port of its own.
type lab struct {
	*testing.T
	clock  *clock
	world  *simulator.World
	hosts  map[string]*endpoint
	policy string // file
	vms    []string
}

// endpoint is the endpoint of one host.
type endpoint struct {
	server *Server
	http   *httptest.Server
	pool   *spy
	folder string
	close  func()
}

// spy notes which methods are called, and can make them fail or wait.
type spy struct {
	*wmiquery.Pool
	mu    sync.Mutex
	calls []wmiquery.Call
	fails error
	wait  chan struct{}
	power map[string]uint16
}

func (s *spy) Invoke(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	fails, wait := s.fails, s.wait
	s.mu.Unlock()
	if wait != nil {
		<-wait
	}
	if fails != nil {
		return wmiquery.Reply{}, fails
	}
	return s.Pool.Invoke(ctx, c)
}

// Read gives which VMs run, which the simulated hosts do not tell.
func (s *spy) Read(ctx context.Context, dst any) error {
	if rows, ok := dst.(*[]systemPower); ok && s.power != nil {
		for vm, p := range s.power {
			*rows = append(*rows, systemPower{vm, &p})
		}
		return nil
	}
	return s.Pool.Read(ctx, dst)
}

func (s *spy) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// everything is a policy in which each user may do what their role may.
const everything = `
rules:
  - {users: [vic], role: viewer}
  - {users: [olga], role: operator, destructive: true}
  - {users: [tim], role: operator}
  - {users: [fred], role: failover, destructive: true}
  - {users: [omar], role: owner, destructive: true}
`

// password is everybody's.
const password = "correct horse"

var passwordHash = sync.OnceValue(func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
})

// VMs of the simulated world by position.
const (
	healthy, inboundVM, alone, suspendedVM = 0, 1, 4, 6
	resyncRequired, freshVM, withExtension = 8, 10, 18
)

func newLab(t *testing.T, change ...func(*Options)) *lab {
	t.Helper()
	l := &lab{T: t, clock: &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, hosts: map[string]*endpoint{}}
	var err error
	l.world, err = simulator.New(simulator.Config{Seed: 1, VMs: 40, Now: l.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	l.policy = filepath.Join(folder, "policy.yml")
	l.write(l.policy, everything)
	users := "basic_auth_users:\n"
	for _, u := range []string{"vic", "olga", "tim", "fred", "omar", "stranger"} {
		users += fmt.Sprintf("  %s: %s\n", u, passwordHash())
	}
	l.write(filepath.Join(folder, "web.yml"), users)
	for _, host := range []string{"HV01", "HV02"} {
		l.start(host, filepath.Join(folder, host), change...)
	}
	rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), l.hosts["HV01"].pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if k, err := msvm.ParseKey(r.InstanceID); err == nil && k.Link == msvm.Primary {
			l.vms = append(l.vms, k.VM)
		}
	}
	return l
}

func (l *lab) write(file, text string) {
	l.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

// start starts the endpoint of a host.
func (l *lab) start(host, folder string, change ...func(*Options)) {
	l.Helper()
	pool := &spy{Pool: wmiquery.NewPool(wmiquery.PoolOptions{
		Open: l.world.OpenHost(host), Now: l.world.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 4,
	})}
	o := Options{
		Reader: pool, Invoker: pool, Now: l.clock.Now, Logger: log.NewNopLogger(), Namespace: "test",
		PolicyFile: l.policy, WebConfigFile: filepath.Join(filepath.Dir(l.policy), "web.yml"),
		Addresses: []string{"127.0.0.1:0"}, Folder: folder, WatchInterval: time.Hour,
		RequestRate: 1e6, RequestBurst: 1e6, ActionRate: 1e6, ActionBurst: 1e6,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		l.Fatal(err)
	}
	e := &endpoint{server: s, http: httptest.NewServer(s.Handler()), pool: pool, folder: folder}
	e.close = sync.OnceFunc(func() {
		e.http.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			l.Error(err)
		}
		pool.Close()
	})
	l.Cleanup(e.close)
	l.hosts[host] = e
}

// restart stops the endpoint of a host and starts it anew over the same files.
func (l *lab) restart(host string) {
	l.Helper()
	l.hosts[host].close()
	l.start(host, l.hosts[host].folder)
}

// response is an answer of an endpoint.
type response struct {
	code   int
	header http.Header
	text   string
	json   map[string]any
}

func (r response) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// slug is the type of the problem.
func (r response) slug() string {
	t, _ := r.json["type"].(string)
	return strings.TrimPrefix(t, typePrefix)
}

// do sends a request; headers are in pairs of name and value.
func (l *lab) do(host, user, method, path string, payload any, headers ...string) response {
	l.Helper()
	var reader io.Reader
	switch p := payload.(type) {
	case nil:
	case string:
		reader = strings.NewReader(p)
	default:
		text, err := json.Marshal(p)
		if err != nil {
			l.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(l.Context(), method, l.hosts[host].http.URL+path, reader)
	if err != nil {
		l.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.Fatal(err)
	}
	r := response{code: resp.StatusCode, header: resp.Header, text: string(text)}
	if err := json.Unmarshal(text, &r.json); err != nil {
		l.Errorf("%s %s: the body is no JSON: %s", method, path, text)
	}
	return r
}

func (l *lab) get(host, user, path string) response {
	l.Helper()
	return l.do(host, user, http.MethodGet, path, nil)
}

// m is a JSON object.
type m = map[string]any

// act does a verb.
func (l *lab) act(host, user string, vm int, link, verb string, payload any, headers ...string) response {
	l.Helper()
	return l.do(host, user, http.MethodPost, l.replica(vm, link)+"/actions/"+verb, payload, headers...)
}

func (l *lab) replica(vm int, link string) string { return apiReplicas + "/" + l.vms[vm] + "/" + link }

// want checks code and type of an answer.
func (l *lab) want(what string, r response, code int, slug string) {
	l.Helper()
	if r.code != code || r.slug() != slug {
		l.Errorf("%s: want %d %s, got %s", what, code, slug, r)
	}
	if slug != "" && (r.header.Get("Content-Type") != "application/problem+json" || r.json["title"] == "" || r.json["status"] != float64(code)) {
		l.Errorf("%s: this is no problem+json: %v %s", what, r.header, r)
	}
}

// confirmed does a verb in two steps.
func (l *lab) confirmed(host, user string, vm int, verb string, payload m) response {
	l.Helper()
	if payload == nil {
		payload = m{}
	}
	first := l.act(host, user, vm, "primary", verb, payload)
	l.want("first step of "+verb, first, http.StatusConflict, "confirmation-required")
	return l.act(host, user, vm, "primary", verb, l.second(host, vm, first, payload))
}

// second is the body of the second step.
func (l *lab) second(host string, vm int, first response, payload m) m {
	l.Helper()
	next := m{"confirmation_token": first.json["confirmation_token"], "reason": "a test", "vm_name": l.name(host, vm), "max_data_loss_seconds": 1e9}
	maps.Copy(next, payload)
	return next
}

func (l *lab) name(host string, vm int) string {
	l.Helper()
	return l.get(host, "vic", l.replica(vm, "primary")).json["vm"].(string)
}

// finish waits for a job, by the simulated clock.
func (l *lab) finish(what, host string, r response, want string) response {
	l.Helper()
	if r.code == http.StatusOK {
		if r.json["state"] != want {
			l.Errorf("%s: %s, want %s", what, r, want)
		}
		return r
	}
	if r.code != http.StatusAccepted || r.header.Get("Location") == "" || r.header.Get("Retry-After") == "" {
		l.Fatalf("%s: no job was started: %s", what, r)
	}
	for range 4000 {
		j := l.get(host, "vic", r.header.Get("Location"))
		if s := j.json["state"]; s != "running" && s != "queued" {
			if s != want {
				l.Errorf("%s: the job is %s, want %s", what, j, want)
			}
			return j
		}
		l.clock.Advance(5 * time.Second)
	}
	l.Fatalf("%s: the job does not end", what)
	return r
}

// audited are the lines of a host's audit log.
func (l *lab) audited(host string) []auditLine {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(l.hosts[host].folder, auditFile))
	if err != nil {
		l.Fatal(err)
	}
	var lines []auditLine
	for line := range strings.Lines(string(text)) {
		var a auditLine
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			l.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, a)
	}
	return lines
}
