package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// timedBulk is the endpoint of HV02 with default timeouts in a bubble of synctest.
type timedBulk struct {
	*testing.T
	options Options
	server  *Server
	pool    *spy
	vms     []string // GUIDs of VMs that can fail over
	block   chan struct{}
	exited  bool // the program has ended: calls do not return when block is closed
}

// withTimedBulk runs a test in a bubble.
func withTimedBulk(t *testing.T, test func(*timedBulk), change ...func(*Options)) {
	t.Helper()
	folder := filetest.Dir(t)
	policy, web := filepath.Join(folder, "policy.yml"), filepath.Join(folder, "web.yml")
	for file, text := range map[string]string{
		policy: fullPolicy, web: "basic_auth_users:\n  fred: " + passwordHash() + "\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		world, err := simulator.New(simulator.Config{Seed: 1, VMs: 40, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		e := &timedBulk{T: t, block: make(chan struct{}), pool: &spy{
			Pool: wmiquery.NewPool(wmiquery.PoolOptions{
				Open: world.OpenHost("HV02"), Now: world.Now, Workers: 4, StuckAfter: time.Hour, MaxStuck: 1,
			}),
			called: make(chan wmiquery.Call, 100),
		}}
		defer e.pool.Close()
		e.options = Options{
			Reader: e.pool, Invoker: e.pool, Now: time.Now, Logger: log.NewNopLogger(), Namespace: "test", PolicyFile: policy,
			WebConfigFile: web, Addresses: []string{"127.0.0.1:0"}, DataDir: filepath.Join(folder, "data"),
		}
		for _, f := range change {
			f(&e.options)
		}
		e.start()
		dry := e.do(http.MethodPost, apiBulkFailovers, object{"dry_run": true, "primary_server": server01})
		for id, state := range bulkStates(dry) {
			if state == "ready" {
				e.vms = append(e.vms, id)
			}
		}
		slices.Sort(e.vms)
		test(e)
		e.close()
	})
}

// start starts the endpoint.
func (e *timedBulk) start() {
	e.Helper()
	var err error
	if e.server, err = New(e.options); err != nil {
		e.Fatal(err)
	}
}

// close stops the endpoint. It waits for calls for ten seconds.
func (e *timedBulk) close() {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.Context(), 10*time.Second)
	defer cancel()
	if err := e.server.Close(ctx); err != nil {
		e.Error(err)
	}
}

// do sends a request of fred.
func (e *timedBulk) do(method, path string, payload object) response {
	e.Helper()
	sent, err := json.Marshal(payload)
	if err != nil {
		e.Fatal(err)
	}
	r := httptest.NewRequestWithContext(e.Context(), method, "http://localhost"+path, strings.NewReader(string(sent)))
	r.SetBasicAuth("fred", password)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	e.server.Handler().ServeHTTP(w, r)
	got := response{code: w.Code, header: w.Header(), text: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got.json); err != nil {
		e.Fatal(err)
	}
	return got
}

// run starts a bulk failover and returns its path.
func (e *timedBulk) run(vms ...string) string {
	e.Helper()
	return e.confirm(vms, func() {})
}

// confirm starts a bulk failover and returns its path. It calls a function before the confirmation.
func (e *timedBulk) confirm(vms []string, before func()) string {
	e.Helper()
	payload := object{"vm_ids": vms, "max_data_loss_seconds": 1e9}
	first := e.do(http.MethodPost, apiBulkFailovers, payload)
	maps.Copy(payload, object{
		"confirmation_token": first.json["confirmation_token"], "reason": "a test", "host_name": "HV02", "vm_count": len(vms),
	})
	before()
	r := e.do(http.MethodPost, apiBulkFailovers, payload)
	if r.code != http.StatusAccepted {
		e.Fatalf("the bulk failover does not start: %s", r)
	}
	return r.header.Get("Location")
}

// want checks the states of a bulk failover, "succeeded:1" and so on.
func (e *timedBulk) want(what, path, want string) response {
	e.Helper()
	r := e.do(http.MethodGet, path, nil)
	if got := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(r.json["counts"]), "map["), "]"); got != want {
		e.Errorf("%s: got %s, want %s", what, got, want)
	}
	return r
}

// wantCalls checks how many calls the host has got when nothing happens any more at this time.
func (e *timedBulk) wantCalls(what string, want int) {
	e.Helper()
	synctest.Wait()
	if n := e.pool.callCount(); n != want {
		e.Errorf("%s: %d calls, want %d", what, n, want)
	}
}

// hangFor makes the calls about some VMs hang until block is closed. All others succeed at once.
func (e *timedBulk) hangFor(hangs func(vm string) bool) {
	e.pool.reply = func(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
		if hangs(vmOfCall(c)) {
			wmiquery.StartedFunc(ctx)()
			<-e.block
			if e.exited {
				runtime.Goexit()
			}
		}
		return wmiquery.Reply{}, nil
	}
}

// Three VMs fail over at a time, of all bulk failovers together. A call that hangs gives its slot to the next VM after
// 30 seconds, when it counts as stuck.
func TestBulkFailoverRunsAFewVMsAtATime(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(string) bool { return true })
		first := e.run(e.vms[:5]...)
		second := e.run(e.vms[5:10]...)
		e.wantCalls("start", 3)
		for _, calls := range [][2]int{{3, 6}, {6, 9}, {9, 10}} {
			time.Sleep(30*time.Second - time.Nanosecond)
			e.wantCalls("before the timeout", calls[0])
			time.Sleep(time.Nanosecond)
			e.wantCalls("after the timeout", calls[1])
		}
		e.want("hanging calls", first, "queued:5")
		close(e.block)
		synctest.Wait()
		e.want("answered calls", first, "succeeded:5")
		e.want("answered calls", second, "succeeded:5")
		if b := e.server.bulk; len(b.runs)+len(b.ends)+len(b.slots) > 0 {
			t.Errorf("at the end there are still %d runs, %d jobs and %d slots", len(b.runs), len(b.ends), len(b.slots))
		}
	})
}

// The number of VMs at a time can be set.
func TestBulkParallelismCanBeSet(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(string) bool { return true })
		e.run(e.vms[:5]...)
		e.wantCalls("start", 2)
		close(e.block)
		e.wantCalls("answered calls", 5)
	}, func(o *Options) { o.BulkParallelism = 2 })
}

// VMs whose call hangs do not stop the others. They are queued until they are unlocked.
func TestBulkFailoverWithVMsThatHang(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(vm string) bool { return vm == e.vms[0] || vm == e.vms[2] })
		path := e.run(e.vms[:10]...)
		synctest.Wait()
		hung := e.want("two VMs hang", path, "queued:2 succeeded:8")
		if hung.json["state"] != "running" || hung.header.Get("Retry-After") != "2" {
			t.Errorf("got %s", hung)
		}
		time.Sleep(time.Hour)
		for _, vm := range hung.json["vms"].([]any) {
			if vm.(object)["state"] != "queued" {
				continue
			}
			unlock := apiJobs + "/" + vm.(object)["job_id"].(string) + "/unlock"
			token := e.do(http.MethodPost, unlock, object{}).json["confirmation_token"]
			e.do(http.MethodPost, unlock, object{
				"confirmation_token": token, "reason": "it hangs", "vm_name": vm.(object)["vm"],
			})
		}
		synctest.Wait()
		if end := e.want("unlocked", path, "succeeded:8 unknown:2"); end.json["state"] != "completed" {
			t.Errorf("got %s", end)
		}
		close(e.block)
	})
}

// A slot is free when the job of its VM has ended, or after two minutes.
func TestBulkFailoverWaitsForJobs(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		var mu sync.Mutex
		rows := []msvm.ConcreteJob{}
		e.pool.onRead = func(dst any) {
			if all, ok := dst.(*[]msvm.ConcreteJob); ok {
				mu.Lock()
				defer mu.Unlock()
				*all = slices.Clone(rows)
			}
		}
		e.pool.reply = func(_ context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, msvm.ConcreteJob{InstanceID: vmOfCall(c), JobState: new(msvm.JobState(4))})
			return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef(vmOfCall(c))}, nil
		}
		path := e.run(e.vms[:8]...)
		e.wantCalls("start", 3)
		e.want("start", path, "pending:5 running:3")
		time.Sleep(time.Minute)
		end := func(from, to int) {
			mu.Lock()
			defer mu.Unlock()
			for i := from; i < to; i++ {
				rows[i].JobState = new(msvm.JobState(7))
			}
		}
		end(1, 2)
		time.Sleep(5 * time.Second) // jobs are checked every five seconds
		e.wantCalls("the second job has ended", 4)
		time.Sleep(55*time.Second - time.Nanosecond)
		e.wantCalls("after almost two minutes", 4)
		time.Sleep(time.Nanosecond)
		e.wantCalls("after two minutes", 6)
		e.want("after two minutes", path, "pending:2 running:5 succeeded:1")
		end(0, 6)
		time.Sleep(5 * time.Second)
		e.wantCalls("the jobs have ended", 8)
	}, func(o *Options) { o.BulkParallelism = 3 })
}

// Each VM counts as an action of the caller. A bulk failover waits while the caller has sent too many.
func TestBulkFailoverKeepsTheLimitOfTheCaller(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(string) bool { return false })
		path := e.run(e.vms[:12]...)
		e.wantCalls("of ten actions, three were requests", 7)
		for n := range 5 {
			time.Sleep(time.Second)
			e.wantCalls("one action in each second", 8+n)
		}
		e.want("end", path, "succeeded:12")
	}, func(o *Options) { o.ActionBurst, o.ActionRate, o.BulkParallelism = 1, 0.1, 1 })
}

// A stop of the program in the middle leaves the outcome of each VM known, or unknown if the host has not answered. No
// call is repeated.
func TestBulkFailoverAndAStop(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(vm string) bool { return vm == e.vms[1] })
		path := e.run(e.vms[:5]...)
		e.wantCalls("before the stop", 2)
		e.server.Stop()
		e.close()
		e.start()
		end := e.want("after the start", path, "not_started:3 succeeded:1 unknown:1")
		states := bulkStates(end)
		if states[e.vms[0]] != "succeeded" || states[e.vms[1]] != "unknown" || end.json["state"] != "completed" {
			t.Errorf("the states are %v", states)
		}
		for _, vm := range end.json["vms"].([]any) {
			if job, ok := vm.(object)["job_id"]; ok != (vm.(object)["state"] != "not_started") {
				t.Errorf("a VM that is %v has the job %v", vm.(object)["state"], job)
			}
		}
		e.wantCalls("after the start", 2)
		if n := e.server.jobs.CountByState()[job.Unknown]; n != 1 {
			t.Errorf("%d jobs are unknown", n)
		}
		e.exited = true
		close(e.block)
		synctest.Wait()
	}, func(o *Options) { o.BulkParallelism = 1 })
}

// A VM that is being checked when the program stops is not started. It is not refused.
func TestBulkFailoverStopsDuringACheck(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		path := e.confirm(e.vms[:2], func() { e.pool.read = hang })
		synctest.Wait()
		e.server.Stop()
		synctest.Wait()
		e.want("after the stop", path, "not_started:2")
		e.pool.read = nil
	})
}
