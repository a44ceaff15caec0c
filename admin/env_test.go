package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// clock is a clock that a test advances.
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

// testEnv is a set of simulated hosts, each with an admin endpoint.
type testEnv struct {
	*testing.T
	clock  *clock
	world  *simulator.World
	hosts  map[string]*endpoint
	policy string   // name of the policy file
	vms    []string // GUIDs of the VMs by their position in the simulated world
	wrap   sessionWrapper
}

// endpoint is the admin endpoint of one host.
type endpoint struct {
	server *Server
	http   *httptest.Server
	pool   *spy
	folder string
	close  func()
	closed bool // the test has closed the server
}

// spy is a pool that records calls of methods. It can also make them fail or block.
type spy struct {
	*wmiquery.Pool
	mu     sync.Mutex
	calls  []wmiquery.Call
	err    error         // returned by every call, if not nil
	panics bool          // every call panics
	block  chan struct{} // calls wait until it is closed, if it is not nil
	// called receives each call before it waits. It has room for more calls than a test makes.
	called chan wmiquery.Call
	// reply, if not nil, answers calls instead of the host.
	reply func(context.Context, wmiquery.Call) (wmiquery.Reply, error)
	// get, if not nil, answers calls of methods that only read.
	get func(wmiquery.Call) (wmiquery.Reply, error)
	// read, if not nil, reads instead of the host.
	read func(ctx context.Context, dst any) error
	// onRead, if not nil, can change the rows that were read.
	onRead func(dst any)
}

func (s *spy) Read(ctx context.Context, dst any) error {
	read := s.Pool.Read
	if s.read != nil {
		read = s.read
	}
	err := read(ctx, dst)
	if s.onRead != nil {
		s.onRead(dst)
	}
	return err
}

func (s *spy) Get(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	if s.get != nil {
		return s.get(c)
	}
	return s.Pool.Get(ctx, c)
}

func (s *spy) Invoke(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	failure, block := s.err, s.block
	s.mu.Unlock()
	s.called <- c
	if block != nil { // as a host that does not answer
		wmiquery.StartedFunc(ctx)()
		<-block
	}
	if s.panics {
		panic("on purpose")
	}
	if failure != nil {
		return wmiquery.Reply{}, failure
	}
	if s.reply != nil {
		return s.reply(ctx, c)
	}
	return s.Pool.Invoke(ctx, c)
}

// callCount returns the number of calls.
func (s *spy) callCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// fullPolicy allows each user everything that the role includes, except that tim cannot destroy anything.
const fullPolicy = `
rules:
  - {users: [vic], role: viewer, vms: all, host: true}
  - {users: [olga], role: operator, destructive: true, vms: all, host: true}
  - {users: [tim], role: operator, vms: all, host: true}
  - {users: [fred], role: failover, destructive: true, vms: all, host: true}
  - {users: [omar], role: owner, destructive: true, vms: all, host: true}
...
`

// password is the password of all users.
const password = "correct horse"

var passwordHash = sync.OnceValue(func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
})

// Positions of VMs in the simulated world.
const (
	vmReplicating, vmInbound, vmWithRecoveryPoints, vmStandalone, vmSuspended = 0, 1, 3, 4, 6
	vmResyncRequired, vmNotStarted, vmResyncing, vmResyncPaused               = 8, 10, 12, 13
	vmExtended, vmWithTestVM                                                  = 18, 19
)

func newTestEnv(t *testing.T, change ...func(*Options)) *testEnv {
	t.Helper()
	return newTestEnvVia(t, []string{"HV01", "HV02"}, nil, change...)
}

// sessionWrapper returns a function that opens sessions in another way.
type sessionWrapper func(*testing.T, func() (wmiquery.Session, error)) func() (wmiquery.Session, error)

// newTestEnvVia returns an environment with some hosts. A wrapper changes how their sessions are opened; it can be nil.
func newTestEnvVia(t *testing.T, hosts []string, wrap sessionWrapper, change ...func(*Options)) *testEnv {
	t.Helper()
	return newTestEnvWith(t, 40, hosts, wrap, change...)
}

// newTestEnvWith returns an environment with a number of VMs.
func newTestEnvWith(t *testing.T, vms int, hosts []string, wrap sessionWrapper, change ...func(*Options)) *testEnv {
	t.Helper()
	env := &testEnv{T: t, clock: &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}, hosts: map[string]*endpoint{}}
	var err error
	env.world, err = simulator.New(simulator.Config{Seed: 1, VMs: vms, Now: env.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	folder := filetest.Dir(t)
	env.policy = filepath.Join(folder, "policy.yml")
	env.writeFile(env.policy, fullPolicy)
	users := "basic_auth_users:\n"
	for _, u := range []string{"vic", "olga", "tim", "fred", "omar", "stranger"} {
		users += fmt.Sprintf("  %s: %s\n", u, passwordHash())
	}
	env.writeFile(filepath.Join(folder, "web.yml"), users)
	env.wrap = wrap
	for _, host := range hosts {
		env.startEndpoint(host, filepath.Join(folder, host), change...)
	}
	direct := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: env.world.OpenHost("HV01"), Now: env.world.Now, Workers: 1,
		StuckAfter: time.Minute, MaxStuck: 1,
	})
	defer direct.Close()
	rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if k, err := msvm.ParseKey(r.InstanceID); err == nil && k.Link == msvm.Primary {
			env.vms = append(env.vms, k.VM)
		}
	}
	return env
}

func (env *testEnv) writeFile(file, text string) {
	env.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		env.Fatal(err)
	}
}

// writePolicy writes the policy and its last line.
func (env *testEnv) writePolicy(text string) {
	env.Helper()
	env.writeFile(env.policy, text+"\n...\n")
}

// startEndpoint starts the endpoint of a host.
func (env *testEnv) startEndpoint(host, folder string, change ...func(*Options)) {
	env.Helper()
	open := env.world.OpenHost(host)
	if env.wrap != nil {
		open = env.wrap(env.T, open)
	}
	pool := &spy{Pool: wmiquery.NewPool(wmiquery.PoolOptions{
		Open: open, Now: env.world.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 4,
	}), called: make(chan wmiquery.Call, 100_000)}
	o := Options{
		Reader: pool, Invoker: pool, Now: env.clock.Now, Logger: log.NewNopLogger(), Namespace: "test",
		PolicyFile: env.policy, WebConfigFile: filepath.Join(filepath.Dir(env.policy), "web.yml"),
		Addresses: []string{"127.0.0.1:0"}, DataDir: folder, WatchInterval: time.Hour,
		RefusalInterval: -1, RequestRate: 1e6, RequestBurst: 1e6, ActionRate: 1e6, ActionBurst: 1e6,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		env.Fatal(err)
	}
	e := &endpoint{server: s, http: httptest.NewServer(acceptSubject(s.Handler())), pool: pool, folder: folder}
	e.close = sync.OnceFunc(func() {
		e.http.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if !e.closed {
			if err := s.Close(ctx); err != nil {
				env.Error(err)
			}
		}
		pool.Close()
	})
	env.Cleanup(e.close)
	env.hosts[host] = e
}

// headerSubject is the header by which a test says that the client has a verified certificate with this common name.
const headerSubject = "Test-Certificate-Name"

// acceptSubject returns a handler that treats headerSubject like the certificate of a TLS connection.
func acceptSubject(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.Header.Get(headerSubject); name != "" {
			subject, err := asn1.Marshal(pkix.Name{CommonName: name}.ToRDNSequence())
			if err != nil {
				panic(err)
			}
			certificate := &x509.Certificate{RawSubject: subject}
			r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate}}}
		}
		h.ServeHTTP(w, r)
	})
}

// restartEndpoint stops the endpoint of a host and starts it again with the same files.
func (env *testEnv) restartEndpoint(host string) {
	env.Helper()
	env.hosts[host].close()
	env.startEndpoint(host, env.hosts[host].folder)
}

// authorizationEntries returns the authorization entries of a host.
func (env *testEnv) authorizationEntries(host string) []msvm.ReplicationAuthorizationSettingData {
	env.Helper()
	all, err := wmiquery.All[msvm.ReplicationAuthorizationSettingData](env.Context(), env.hosts[host].pool)
	if err != nil {
		env.Fatal(err)
	}
	return all
}
