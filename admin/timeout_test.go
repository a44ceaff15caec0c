package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// timedEndpoint is an endpoint with default timeouts in a bubble of synctest, whose clock runs when everything waits.
type timedEndpoint struct {
	*testing.T
	server *Server
	pool   *spy
	vm     string // GUID of a VM that replicates
}

// withTimedEndpoint runs a test in a bubble.
func withTimedEndpoint(t *testing.T, test func(*timedEndpoint), change ...func(*Options)) {
	t.Helper()
	folder := filetest.Dir(t)
	policy, web := filepath.Join(folder, "policy.yml"), filepath.Join(folder, "web.yml")
	for file, text := range map[string]string{
		policy: fullPolicy, web: "basic_auth_users:\n  omar: " + passwordHash() + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		world, err := simulator.New(simulator.Config{Seed: 1, VMs: 1, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		e := &timedEndpoint{T: t, pool: &spy{
			Pool: wmiquery.NewPool(wmiquery.PoolOptions{
				Open: world.OpenHost("HV01"), Now: world.Now, Workers: 1, StuckAfter: time.Hour, MaxStuck: 1,
			}),
			called: make(chan wmiquery.Call, 10),
		}}
		defer e.pool.Close()
		o := Options{
			Reader: e.pool, Invoker: e.pool, Now: time.Now, Logger: log.NewNopLogger(), Namespace: "test", PolicyFile: policy,
			WebConfigFile: web, Addresses: []string{"127.0.0.1:0"}, DataDir: filepath.Join(folder, "data"),
			WatchInterval: time.Hour,
		}
		for _, f := range change {
			f(&o)
		}
		e.server, err = New(o)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := wmiquery.All[msvm.ReplicationRelationship](t.Context(), e.pool)
		if err != nil || len(rows) == 0 {
			t.Fatal(rows, err)
		}
		key, err := msvm.ParseKey(rows[0].InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		e.vm = key.VM
		test(e)
		if err := e.server.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// want sends a request and checks the status, and how long the response took.
func (e *timedEndpoint) want(method, path, body string, code int, after time.Duration, headers ...string) {
	e.Helper()
	r := httptest.NewRequestWithContext(e.Context(), method, "http://localhost"+path, strings.NewReader(body))
	r.SetBasicAuth("omar", password)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w, began := httptest.NewRecorder(), time.Now()
	e.server.Handler().ServeHTTP(w, r)
	if waited := time.Since(began); waited != after || w.Code != code {
		e.Errorf("%s %s after %s: %d %s, want %d after %s", method, path, waited, w.Code, w.Body, code, after)
	}
}

// hang waits until the context ends.
func hang(ctx context.Context, _ any) error {
	<-ctx.Done()
	return ctx.Err()
}

// By default a request waits 30 seconds for the answer of the host. Then it is answered as accepted.
func TestRequestWaits30SecondsForTheHost(t *testing.T) {
	withTimedEndpoint(t, func(e *timedEndpoint) {
		e.pool.block = make(chan struct{})
		e.want(http.MethodPost, apiReplicas+"/"+e.vm+"/primary/actions/suspend", "", 202, 30*time.Second)
		close(e.pool.block)
	})
}

// A request waits 20 seconds for the state of a host that hangs. A list of jobs then has what was known.
func TestRequestWaits20SecondsForTheState(t *testing.T) {
	withTimedEndpoint(t, func(e *timedEndpoint) {
		e.pool.read = hang
		replica := apiReplicas + "/" + e.vm + "/primary"
		e.want(http.MethodGet, apiReplicas, "", 504, 20*time.Second)
		e.want(http.MethodGet, replica, "", 504, 20*time.Second)
		e.want(http.MethodPost, replica+"/actions/suspend", "", 504, 20*time.Second)
		e.want(http.MethodPost, replica+"/actions/suspend?dry_run=true", "", 504, 20*time.Second)
		e.want(http.MethodPost, apiMethods+"/CommitFailover",
			`{"parameters": {"ComputerSystem": "`+e.vm+`"}}`, 504, 20*time.Second)
		e.want(http.MethodPost, apiMaintenance, fmt.Sprintf(
			`{"vm_id": %q, "owner": "a", "reason": "b", "until": %q}`, e.vm, time.Now().Add(time.Hour).Format(time.RFC3339)),
			504, 20*time.Second)
		e.want(http.MethodGet, apiJobs, "", 200, 0)
		if err := e.server.jobs.Begin(job.Record{
			ID: "a", State: job.Running, Path: string(msvm.JobRef("J")), Role: "operator", Created: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		e.want(http.MethodGet, apiJobs, "", 200, 20*time.Second)
		e.want(http.MethodGet, apiJobs+"/a", "", 200, 20*time.Second)
		e.want(http.MethodPost, apiJobs+"/a/cancel", "", 504, 20*time.Second)
	})
}

// Actions are possible on a host that takes 19 seconds to show its state: the plan and the check under the lock have 20
// seconds each.
func TestActionOnASlowHost(t *testing.T) {
	withTimedEndpoint(t, func(e *timedEndpoint) {
		e.pool.read = func(ctx context.Context, dst any) error {
			select {
			case <-time.After(19 * time.Second):
			case <-ctx.Done():
			}
			return e.pool.Pool.Read(ctx, dst)
		}
		e.want(http.MethodPost, apiReplicas+"/"+e.vm+"/primary/actions/suspend", "", 202, 38*time.Second)
	})
}

// A cancellation waits 30 seconds for the answer of the host. Then its outcome is unknown.
func TestCancellationWaits30SecondsForTheHost(t *testing.T) {
	withTimedEndpoint(t, func(e *timedEndpoint) {
		if err := e.server.jobs.Begin(job.Record{
			ID: "a", State: job.Running, Path: string(msvm.JobRef("J")), Role: "operator", Created: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		e.pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
				*rows = []msvm.ConcreteJob{{InstanceID: "j", JobState: new(msvm.JobState(4)), Cancellable: new(true)}}
			}
		}
		e.pool.reply = func(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
			return wmiquery.Reply{}, hang(ctx, nil)
		}
		e.want(http.MethodPost, apiJobs+"/a/cancel", "", 503, 30*time.Second)
	})
}

// Expired records are deleted every hour.
func TestExpiredRecordsAreDeletedEveryHour(t *testing.T) {
	withTimedEndpoint(t, func(e *timedEndpoint) {
		m := maintenance{ID: "a", Until: time.Now().Add(-8 * 24 * time.Hour)}
		for range 2 {
			if err := e.server.store.Put(bucketMaintenance, m.ID, m); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				after time.Duration
				found bool
			}{{time.Hour - time.Second, true}, {time.Second, false}} {
				time.Sleep(step.after) // fake time
				synctest.Wait()
				if found, err := e.server.store.Get(bucketMaintenance, m.ID, &m); found != step.found || err != nil {
					t.Errorf("the expired record is found: %v, want %v; %v", found, step.found, err)
				}
			}
		}
	})
}
