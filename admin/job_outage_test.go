package admin

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// If the host shows nothing while a job runs, because permissions are lost or vmms restarts, the job keeps running and
// its VM stays locked. Afterwards the job ends as usual.
func TestRunningJobKeepsItsLockDuringAnOutage(t *testing.T) {
	for fault, want := range map[string]struct {
		code int
		slug string
	}{
		"denied":                         {403, "access-denied"},
		"disconnected":                   {503, "host-unavailable"},
		"class-missing=Msvm_ConcreteJob": {501, "not-supported"},
	} {
		t.Run(fault, func(t *testing.T) {
			env := newTestEnv(t)
			started := env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
			env.want("test failover", started, 202, "")
			calls := env.hosts["HV02"].pool.callCount()
			env.setFaults(fault)
			for range 2 {
				j := env.get("HV02", "vic", started.header.Get("Location"))
				if j.code != 200 || j.json["state"] != "running" {
					t.Errorf("during the outage the job is %s", j)
				}
			}
			if fault == "denied" {
				env.restartEndpoint("HV02")
				calls = 0
			}
			env.want("action on the same VM during the outage",
				env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), want.code, want.slug)
			env.setFaults()
			env.want("action on the same VM after the outage",
				env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), 409, "busy")
			env.want("dry run of an action on the same VM after the outage",
				env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", object{"dry_run": true}), 409, "busy")
			if n := env.hosts["HV02"].pool.callCount() - calls; n > 0 {
				t.Errorf("%d calls while the job runs, want 0", n)
			}
			env.waitForJob("test failover", "HV02", started, "succeeded")
		})
	}
}

// A cancellation asks the host to terminate the job of the action, with state 4.
func TestCancelCallsTheJobOfTheAction(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	e.pool.reply = nil
	before := e.pool.callCount()
	env.request("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	e.pool.mu.Lock()
	made := e.pool.calls[before:]
	e.pool.mu.Unlock()
	want := []wmiquery.Call{{
		Namespace: `root\virtualization\v2`, Object: fakeJob, Method: "RequestStateChange",
		In: []wmiquery.Param{{Name: "RequestedState", Value: uint16(4)}, {Name: "TimeoutPeriod"}},
	}}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("the calls are %+v, want %+v", made, want)
	}
}

// fakeJob is the path of the job of startFakeJob, and fakeJobID its InstanceID.
const (
	fakeJobID = "9947DC62-9DA2-4B25-BB27-BA9A161D75A9"
	fakeJob   = `Msvm_ConcreteJob.InstanceID="` + fakeJobID + `"`
)

// startFakeJob suspends a VM of HV01. The host answers with a job that runs and can be cancelled.
func (env *testEnv) startFakeJob(pool *spy) response {
	env.Helper()
	pool.reply = replyWith(wmiquery.Reply{Code: 4096, Job: wmiquery.Ref(`\\HV01\root\virtualization\v2:` + fakeJob)})
	pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
			*rows = append(*rows, msvm.ConcreteJob{
				InstanceID: strings.ToLower(fakeJobID), JobState: new(msvm.JobState(4)), Cancellable: new(true),
			})
		}
	}
	started := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", started, 202, "")
	return started
}

// Only a job that the host calls cancellable is cancelled, by a caller with the role of its action.
func TestCancelNeedsACancellableJob(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	show, before := e.pool.onRead, e.pool.callCount()
	for name, cancellable := range map[string]*bool{"null": nil, "false": new(false)} {
		e.pool.onRead = func(dst any) {
			show(dst)
			if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
				(*rows)[len(*rows)-1].Cancellable = cancellable
			}
		}
		cancel := started.header.Get("Location") + "/cancel"
		env.want("cancel if Cancellable is "+name, env.request("HV01", "tim", http.MethodPost, cancel, nil),
			409, "invalid-state")
		env.want("dry run if Cancellable is "+name,
			env.request("HV01", "tim", http.MethodPost, cancel, object{"dry_run": true}), 409, "invalid-state")
	}
	if n := e.pool.callCount() - before; n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}
