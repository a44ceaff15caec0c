package admin

import (
	"net/http"
	"slices"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
)

// bulkFailover is the record of a bulk failover.
type bulkFailover struct {
	ID                 string            `json:"id"`
	State              string            `json:"state"` // running or completed
	PrimaryServer      string            `json:"primary_server,omitempty"`
	User               string            `json:"user"`
	Reason             string            `json:"reason"`
	MaxDataLossSeconds float64           `json:"max_data_loss_seconds"`
	AcceptUnknownLoss  bool              `json:"accept_unknown_loss"`
	Created            time.Time         `json:"created"`
	Counts             map[bulkState]int `json:"counts"`        // of VMs by state
	VMs                []bulkVM          `json:"vms,omitempty"` // absent in a list
}

type bulkFailoverList struct {
	BulkFailovers []bulkFailover `json:"bulk_failovers"`
	// Continue is a parameter of the request for the next entries, "" if there are none.
	Continue string `json:"continue,omitempty"`
}

// States of a bulk failover.
const (
	bulkRunning   = "running"   // a VM waits or fails over
	bulkCompleted = "completed" // also if VMs failed or were refused
)

// Retention of bulk failovers. The records of their jobs are kept for longer.
const (
	bucketBulk     = "bulk_failovers"
	keepBulk       = 30 * 24 * time.Hour
	maxBulkRecords = 100
)

// bulkBucket returns the bucket of the records.
func bulkBucket() store.Bucket {
	return store.Bucket{
		Name: bucketBulk, New: func() any { return new(bulkFailover) },
		Expired: func(values []store.Value, now time.Time) (keys []string) {
			for i, v := range values { // the oldest first
				if len(values)-i > maxBulkRecords || now.Sub(v.Value.(*bulkFailover).Created) > keepBulk {
					keys = append(keys, v.Key)
				}
			}
			return keys
		},
	}
}

// update sets the states of the VMs from their jobs. A VM waits for its turn only while the bulk failover is active.
func (f *bulkFailover) update(find func(id string) (job.Record, bool), active bool) {
	for i := range f.VMs {
		vm := &f.VMs[i]
		if vm.JobID == "" {
			continue
		}
		j, found := find(vm.JobID)
		switch {
		case found:
			vm.State, vm.Error = bulkState(j.State), j.Error
		case active:
		case vm.State == bulkPending:
			vm.State = bulkNotStarted
		case !job.State(vm.State).Ended():
			vm.State = bulkState(job.Unknown)
		}
	}
	f.count()
}

// count sets what follows from the states of the VMs.
func (f *bulkFailover) count() {
	f.Counts, f.State = countStates(f.VMs), bulkCompleted
	for state := range f.Counts {
		if state == bulkPending || state == bulkState(job.Queued) || state == bulkState(job.Running) {
			f.State = bulkRunning
		}
	}
}

// view returns the bulk failover as the caller of a request can see it: without the VMs that the caller cannot see, and
// without the IDs of jobs that do not exist. The caller who requested it also sees the refusals of VMs about which they
// reveal nothing.
func (f bulkFailover) view(s *Server, r *http.Request) bulkFailover {
	own := f.User == principalOf(r).String()
	f.VMs = slices.DeleteFunc(slices.Clone(f.VMs), func(vm bulkVM) bool {
		return s.authorize(r, authz.Attributes{Role: authz.RoleViewer, VM: vm.VMID, VMName: vm.VM}) != nil &&
			(!own || vm.State != bulkRefused || vm.Current != nil)
	})
	f.count()
	for i := range f.VMs {
		if vm := &f.VMs[i]; vm.State == bulkPending || vm.State == bulkNotStarted {
			vm.JobID = ""
		}
	}
	return f
}

// response returns the response with a bulk failover.
func (f bulkFailover) response(status int) problem.Response {
	response := problem.JSON(status, f)
	if status == http.StatusAccepted {
		response.Location = apiBulkFailovers + "/" + f.ID
	}
	if f.State == bulkRunning {
		response.RetryAfter = "2"
	}
	return response
}

// newest calls visit with the bulk failovers, the newest first, until visit returns false. With before, it starts after
// that ID. Each has the states of its VMs now.
func (b *bulkFailovers) newest(before string, visit func(bulkFailover) bool) error {
	active := b.active() // before the read: a run that ends in between is in one of the two
	all, err := store.All[bulkFailover](b.server.store, bucketBulk)
	for _, f := range slices.Backward(all) {
		if before != "" && f.ID >= before {
			continue
		}
		run, running := active[f.ID]
		if running {
			f = run
		}
		f.update(b.server.jobs.Get, running)
		if !visit(f) {
			break
		}
	}
	return err
}

// get returns a bulk failover with the states of its VMs now. It has no VMs if there is none with this ID.
func (b *bulkFailovers) get(id string) (bulkFailover, error) {
	f, running := b.active()[id] // before the read
	if !running {
		if _, err := b.server.store.Get(bucketBulk, id, &f); err != nil {
			return bulkFailover{}, err
		}
	}
	f.update(b.server.jobs.Get, running)
	return f, nil
}

// active returns copies of the records of the runs that have not ended, by ID.
func (b *bulkFailovers) active() map[string]bulkFailover {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]bulkFailover{}
	for id, run := range b.runs {
		f := run.record
		f.VMs = slices.Clone(f.VMs)
		all[id] = f
	}
	return all
}

// endInterrupted stores the states of the VMs of the bulk failovers that were running when the program stopped.
func (b *bulkFailovers) endInterrupted() error {
	all, err := store.All[bulkFailover](b.server.store, bucketBulk)
	for _, f := range all {
		if f.State == bulkRunning && err == nil {
			f.update(b.server.jobs.Get, false)
			err = b.server.store.Put(bucketBulk, f.ID, f)
		}
	}
	return err
}

// listBulkFailovers handles GET /api/v1/bulk-failovers.
func (s *Server) listBulkFailovers(r *http.Request) (problem.Response, *problem.Problem) {
	page, p := pageFromQuery(r)
	if p != nil {
		return problem.Response{}, p
	}
	s.refreshJobs(r)
	list := func(before string, visit func(bulkFailover) bool) error {
		return s.bulk.newest(before, func(f bulkFailover) bool { return visit(f.view(s, r)) })
	}
	visible := func(f bulkFailover) bool { return len(f.VMs) > 0 }
	all, next, err := pageOf(page, list, visible, func(f bulkFailover) string { return f.ID })
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	for i := range all {
		all[i].VMs = nil
	}
	return problem.JSON(http.StatusOK, bulkFailoverList{all, next}), nil
}

// showBulkFailover handles GET /api/v1/bulk-failovers/{id}.
func (s *Server) showBulkFailover(r *http.Request) (problem.Response, *problem.Problem) {
	s.refreshJobs(r)
	f, err := s.bulk.get(r.PathValue("id"))
	if err != nil {
		return problem.Response{}, errStoreRead()
	}
	if f = f.view(s, r); len(f.VMs) == 0 {
		return problem.Response{}, problem.New(problem.NotFound, "bulk failover %.80q: not found", r.PathValue("id"))
	}
	return f.response(http.StatusOK), nil
}
