package admin

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// bulkFailovers runs bulk failovers. Each VM is executed like a request for it alone.
type bulkFailovers struct {
	server  *Server
	started chan *bulkRun
	slots   chan struct{} // has an element for each VM that fails over now

	mu   sync.Mutex
	runs map[string]*bulkRun // that have not ended, by ID
	ends map[string]func()   // called when a job ends, by the ID of the job
}

// bulkRun is a bulk failover that has not ended.
type bulkRun struct {
	caller  authz.Principal
	request *operation.Request // for each VM
	record  bulkFailover       // guarded by bulkFailovers.mu
}

func newBulkFailovers(s *Server) *bulkFailovers {
	return &bulkFailovers{
		server: s, started: make(chan *bulkRun), slots: make(chan struct{}, s.options.BulkParallelism),
		runs: map[string]*bulkRun{}, ends: map[string]func(){},
	}
}

// newBulkRun returns the run of a confirmed request. The VMs that are ready get the IDs of their jobs, so that their
// outcomes can be found after a crash.
func newBulkRun(c authz.Principal, req *bulkRequest, vms []bulkVM, now time.Time) *bulkRun {
	run := &bulkRun{caller: c, request: req.forVM(), record: bulkFailover{
		ID: newID(now), PrimaryServer: req.PrimaryServer, User: c.String(), Reason: req.Reason,
		MaxDataLossSeconds: *req.MaxDataLossSeconds, AcceptUnknownLoss: req.AcceptUnknownLoss,
		Created: now, VMs: slices.Clone(vms),
	}}
	for i := range run.record.VMs {
		if vm := &run.record.VMs[i]; vm.State == bulkReady {
			vm.State, vm.JobID, vm.bulkID = bulkPending, newID(now), run.record.ID
		}
	}
	run.record.count()
	return run
}

// start stores a run with other entries, and starts it.
func (b *bulkFailovers) start(run *bulkRun, with []store.Entry) error {
	err := b.server.store.PutAll(append(with, store.Entry{Bucket: bucketBulk, Key: run.record.ID, Value: run.record})...)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.runs[run.record.ID] = run
	b.mu.Unlock()
	select {
	case b.started <- run:
	case <-b.server.stopping: // no VM is called; the next start says so
	}
	return nil
}

// serve runs the bulk failovers that are started until ctx is done.
func (b *bulkFailovers) serve(ctx context.Context) {
	var runs sync.WaitGroup
	defer runs.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case run := <-b.started:
			runs.Go(func() { b.run(ctx, run) })
		}
	}
}

// run fails over the VMs of a run, and stores their states at the end.
func (b *bulkFailovers) run(ctx context.Context, run *bulkRun) {
	var vms sync.WaitGroup
	for i, vm := range run.record.VMs { // each is changed only by its own goroutine
		if vm.State != bulkPending || !b.waitForLimit(ctx, run.caller) {
			continue
		}
		select {
		case b.slots <- struct{}{}:
			vms.Go(func() { b.runVM(ctx, run, i, vm) })
		case <-ctx.Done():
		}
	}
	vms.Wait()
	b.mu.Lock()
	run.record.update(b.server.jobs.Get, false)
	b.mu.Unlock()
	if n := run.record.Counts[bulkNotStarted]; n > 0 {
		level.Warn(b.server.options.Logger).Log(
			"msg", "stopping, VMs of a bulk failover are not started", "id", run.record.ID, "vms", n)
	}
	if err := b.server.store.Put(bucketBulk, run.record.ID, run.record); err != nil { // costs the reasons of refusals
		level.Error(b.server.options.Logger).Log(
			"msg", "cannot store the end of a bulk failover", "id", run.record.ID, "err", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.runs, run.record.ID)
}

// runVM fails over a VM and waits until its job ends. A call that hangs, and a job that takes long, give their slot to
// the next VM.
func (b *bulkFailovers) runVM(ctx context.Context, run *bulkRun, i int, vm bulkVM) {
	release := sync.OnceFunc(func() { <-b.slots })
	defer release()
	ended, forget := b.watchJob(vm.JobID)
	defer forget()
	x := b.server.newExecution(run.caller, run.request)
	x.id, x.bulk = vm.JobID, &vm
	action, _ := operation.FindAction(bulkVMAction)
	x.planAction(action, vm.VMID, string(msvm.Primary))
	if p := x.executeVM(ctx); p != nil {
		if ctx.Err() == nil { // otherwise the VM is not started
			b.refused(run, i, x, p)
		}
		return
	}
	if j, _ := b.server.jobs.Get(vm.JobID); j.State == job.Queued { // the call hangs
		release()
	}
	defer time.AfterFunc(b.server.options.BulkJobTimeout, release).Stop()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// executeVM executes the action on the VM like a request for it alone. A panic becomes a problem if the host was not
// called.
func (x *execution) executeVM(ctx context.Context) (p *problem.Problem) {
	defer func() {
		if e := recover(); e != nil {
			level.Error(x.server.options.Logger).Log(
				"msg", "panic in a bulk failover", "action", x.id, "panic", e, "stack", string(debug.Stack()))
			if _, called := x.server.jobs.Get(x.id); !called {
				p = problem.New(problem.Internal, "see the log of the exporter")
			}
		}
	}()
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if _, p := x.readAndPlan(reading); p != nil {
		return p
	}
	if p := x.refreshJobs(reading); p != nil {
		return p
	}
	_, p = x.execute(ctx)
	return p
}

// refused notes that a VM is left out. A VM that has failed over in the meantime is done.
func (b *bulkFailovers) refused(run *bulkRun, i int, x *execution, p *problem.Problem) {
	vm := bulkVM{VMID: run.record.VMs[i].VMID, VM: run.record.VMs[i].VM, State: bulkDone, Current: x.target}
	if x.target == nil || !x.plan.Target.IsFailedOver() {
		vm.refuse(x.auditRefusal(p))
		if x.target != nil {
			vm.Loss = &x.target.DataLoss
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	run.record.VMs[i] = vm
}

// waitForLimit counts the failover of a VM as an action of the caller, and waits while the caller has sent too many. It
// returns false when ctx is done.
func (b *bulkFailovers) waitForLimit(ctx context.Context, c authz.Principal) bool {
	for {
		wait := b.server.limits.takeAction(c, b.server.roleOf(c))
		if wait == 0 {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// watchJob returns a channel that is closed when a job ends, and a function that ends the watch.
func (b *bulkFailovers) watchJob(id string) (ended <-chan struct{}, forget func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan struct{})
	b.ends[id] = sync.OnceFunc(func() { close(ch) })
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ends, id)
	}
}

// jobEnded tells the run of a job that the job has ended.
func (b *bulkFailovers) jobEnded(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if end := b.ends[id]; end != nil {
		end()
	}
}
