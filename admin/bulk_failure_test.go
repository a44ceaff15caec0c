package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The failure of a VM does not stop the others. Its error is that of its job, and its outcome is in the audit log.
func TestBulkFailoverContinuesAfterAFailure(t *testing.T) {
	env := newTestEnv(t)
	pool := env.hosts["HV02"].pool
	pool.reply = func(ctx context.Context, c wmiquery.Call) (wmiquery.Reply, error) {
		switch vmOfCall(c) {
		case env.vms[2]:
			return wmiquery.Reply{Code: 32768}, nil
		case env.vms[5]:
			return wmiquery.Reply{}, wmiquery.ErrTimeout
		case env.vms[14]:
			return wmiquery.Reply{}, wmiquery.ErrBusy
		}
		return pool.Pool.Invoke(ctx, c)
	}
	end := env.waitForBulk("failover", env.confirmBulk(object{"primary_server": server01}))
	for vm, want := range map[int]string{
		2: "failed InitiateFailover: failed (32768)", 5: "unknown InitiateFailover: the host did not answer",
		14: "failed InitiateFailover: all workers are busy", 0: "succeeded ", vmSuspended: "succeeded ",
	} {
		entry, _ := env.bulkVMOf(end, vm)
		text, _ := entry["error"].(string)
		if state, detail, _ := strings.Cut(want, " "); entry["state"] != state || (text == "") != (detail == "") {
			t.Errorf("VM %d: got %v %q, want %s", vm, entry["state"], text, want)
		}
	}
	outcomes := map[string]string{}
	for _, r := range env.auditRecords("HV02") {
		if r.Event == audit.Outcome {
			outcomes[r.VMID] = r.State
		}
	}
	if outcomes[env.vms[2]] != "failed" || outcomes[env.vms[5]] != "unknown" || outcomes[env.vms[14]] != "failed" {
		t.Errorf("the outcomes are %v", outcomes)
	}
}

// blockedBulk starts a bulk failover of one VM at a time and returns when the call for the first one hangs. release lets
// the call return.
func (env *testEnv) blockedBulk(vms ...int) (started response, release func()) {
	env.Helper()
	pool := env.hosts["HV02"].pool
	block := make(chan struct{})
	pool.block = block
	var ids []string
	for _, vm := range vms {
		ids = append(ids, env.vms[vm])
	}
	started = env.confirmBulk(object{"vm_ids": ids})
	<-pool.called
	return started, func() {
		pool.mu.Lock()
		pool.block = nil
		pool.mu.Unlock()
		close(block)
	}
}

// A change of the policy applies to the VMs whose turn has not come, and read_only stops the rest.
func TestBulkFailoverAndAChangeOfThePolicy(t *testing.T) {
	for name, tt := range map[string]struct{ policy, want string }{
		"less rights": {
			"rules:\n  - {users: [fred], role: failover, vms: 'dc01|intranet01', destructive: true}\n" +
				"  - {users: [vic], role: viewer, vms: all}\n  - {users: [omar], role: owner, vms: none, host: true}",
			"succeeded refused succeeded",
		},
		"emergency stop": {
			"read_only: true\n" + strings.TrimSuffix(strings.TrimSpace(fullPolicy), "\n..."),
			"succeeded refused refused",
		},
	} {
		env := newTestEnv(t, func(o *Options) { o.BulkParallelism = 1 })
		started, release := env.blockedBulk(2, 5, 14)
		env.writePolicy(tt.policy)
		env.want("reload", env.request("HV02", "omar", http.MethodPost, "/-/reload", object{}), 200, "")
		release()
		end := env.waitForBulk(name, started)
		var got []string
		for _, vm := range []int{2, 5, 14} {
			entry, slug := env.bulkVMOf(end, vm)
			if got = append(got, entry["state"].(string)); entry["state"] == "refused" && slug != "forbidden" {
				t.Errorf("%s: VM %d has the problem %s", name, vm, slug)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %v, want %s", name, got, tt.want)
		}
		refused := 0
		for _, r := range env.auditRecords("HV02") {
			if r.Event == audit.Refused && r.BulkID == end.json["id"] && r.Type == "forbidden" {
				refused++
			}
		}
		if want := strings.Count(tt.want, "refused"); refused != want {
			t.Errorf("%s: %d refusals are in the audit log, want %d", name, refused, want)
		}
	}
}

// A VM on which another action is in progress is refused. One that another request has failed over is done.
func TestBulkFailoverAndOtherActions(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.BulkParallelism = 1 })
	started, release := env.blockedBulk(2, 5)
	busy := env.postBulk("fred", object{"dry_run": true, "vm_ids": []string{env.vms[2], env.vms[5]}})
	if _, slug := env.bulkVMOf(busy, 2); slug != "busy" || fmt.Sprint(busy.json["counts"]) != "map[ready:1 refused:1]" {
		t.Errorf("got %s", busy)
	}
	pending := env.get("HV02", "vic", started.header.Get("Location"))
	if entry, _ := env.bulkVMOf(pending, 5); entry["state"] != "pending" || entry["job_id"] != nil {
		t.Errorf("a VM that waits is %v", entry)
	}
	release()
	env.waitForBulk("first", started)
	test := env.postAction("HV02", "fred", 23, "primary", "test-failover", object{})
	env.want("test failover", test, 202, "")
	env.clock.Advance(time.Hour) // its job has ended, which nobody has noticed yet
	free := env.postBulk("fred", object{"dry_run": true, "vm_ids": []string{env.vms[23]}})
	if entry, _ := env.bulkVMOf(free, 23); entry["state"] != "ready" {
		t.Errorf("got %s", free)
	}
	payload := object{"vm_ids": []string{env.vms[14], env.vms[22]}, "max_data_loss_seconds": 1e9}
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	env.waitForJob("single VM", "HV02", env.postConfirmed("HV02", "omar", 14, "failover", nil), "succeeded")
	end := env.waitForBulk("second", env.postBulk("fred", body))
	if got := fmt.Sprint(end.json["counts"]); got != "map[done:1 succeeded:1]" {
		t.Errorf("got %s", got)
	}
}

// Without the audit log or the store nothing starts.
func TestBulkFailoverNeedsItsRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(*Server) error
		code   int
		slug   string
	}{
		"audit log": {func(s *Server) error { return s.audit.Close() }, 503, "audit-unavailable"},
		"store":     {func(s *Server) error { return s.store.Close() }, 500, "internal"},
	} {
		env := newTestEnv(t)
		payload := object{"vm_ids": []string{env.vms[2]}, "max_data_loss_seconds": 1e9}
		body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
		env.hosts["HV02"].closed = true
		if err := tt.damage(env.hosts["HV02"].server); err != nil {
			t.Fatal(err)
		}
		env.want(name, env.postBulk("fred", body), tt.code, tt.slug)
		env.hosts["HV02"].server.Stop()
		env.hosts["HV02"].server.background.Wait()
		if n := env.hosts["HV02"].pool.callCount(); n > 0 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
}

// A panic while a VM is checked refuses the VM, and releases its lock.
func TestBulkFailoverAndAPanic(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"vm_ids": []string{env.vms[2], env.vms[5]}, "max_data_loss_seconds": 1e9}
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	c := env.hosts["HV02"].server.confirmations
	change := c.change
	c.change = func(vm string) uint64 {
		if vm == env.vms[2] {
			panic("on purpose")
		}
		return change(vm)
	}
	end := env.waitForBulk("panic", env.postBulk("fred", body))
	_, slug := env.bulkVMOf(end, 2)
	if slug != "internal" || fmt.Sprint(end.json["counts"]) != "map[refused:1 succeeded:1]" {
		t.Errorf("got %s", end)
	}
	c.change = change
	env.waitForBulk("again", env.confirmBulk(payload))
}

// The dry run of many VMs reads each class once, and no recovery points.
func TestBulkDryRunReadsTheHostOnce(t *testing.T) {
	env := newTestEnv(t)
	var vms, points atomic.Int32
	env.hosts["HV02"].pool.onRead = func(dst any) {
		switch dst.(type) {
		case *[]msvm.ComputerSystem:
			vms.Add(1)
		case *[]msvm.VirtualSystemSettingData:
			points.Add(1)
		}
	}
	env.want("dry run", env.postBulk("fred", object{"dry_run": true, "primary_server": server01}), 200, "")
	if vms.Load() != 1 || points.Load() != 0 {
		t.Errorf("the VMs are read %d times, the recovery points %d times", vms.Load(), points.Load())
	}
}

// Bulk failovers are kept for 30 days, and the latest 100 of them.
func TestBulkFailoversExpire(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var values []store.Value
	for i := range 102 {
		age := time.Duration(102-i) * time.Minute
		values = append(values, store.Value{Key: fmt.Sprint("k", i), Value: &bulkFailover{Created: now.Add(-age)}})
	}
	if got := bulkBucket().Expired(values, now); !slices.Equal(got, []string{"k0", "k1"}) {
		t.Errorf("%v expire", got)
	}
	for age, want := range map[time.Duration]int{720 * time.Hour: 0, 720*time.Hour + 1: 1} {
		old := []store.Value{{Key: "a", Value: &bulkFailover{Created: now.Add(-age)}}}
		if got := bulkBucket().Expired(old, now); len(got) != want {
			t.Errorf("after %s %v expire", age, got)
		}
	}
}

// The state of a VM is that of its job. Without a record of the job, a VM waits only while the bulk failover is active,
// and nothing is known about a job that had started.
func TestStatesOfABulkFailover(t *testing.T) {
	jobs := map[string]job.Record{"a": {State: job.Failed, Error: "no space"}, "b": {State: job.Running}}
	find := func(id string) (job.Record, bool) { j, ok := jobs[id]; return j, ok }
	for _, tt := range []struct {
		state         bulkState
		id            string
		active, ended bulkState // afterwards
		error         string
	}{
		{"pending", "a", "failed", "failed", "no space"},
		{"pending", "b", "running", "running", ""},
		{"pending", "c", "pending", "not_started", ""},
		{"queued", "c", "queued", "unknown", ""},
		{"running", "c", "running", "unknown", ""},
		{"succeeded", "c", "succeeded", "succeeded", ""},
		{"refused", "", "refused", "refused", ""},
		{"done", "", "done", "done", ""},
		{"not_started", "c", "not_started", "not_started", ""},
	} {
		for active, want := range map[bool]bulkState{true: tt.active, false: tt.ended} {
			f := bulkFailover{VMs: []bulkVM{{State: tt.state, JobID: tt.id}}}
			f.update(find, active)
			state := bulkCompleted
			if want == "pending" || want == "queued" || want == "running" {
				state = bulkRunning
			}
			if vm := f.VMs[0]; vm.State != want || vm.Error != tt.error || f.State != state || f.Counts[want] != 1 {
				t.Errorf("%s %s, active %v: got %+v, want %s", tt.state, tt.id, active, f, want)
			}
		}
	}
}
