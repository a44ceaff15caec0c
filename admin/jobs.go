package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// jobs follows the actions that were begun, and keeps their records.
type jobs struct {
	reader wmiquery.Reader
	store  *store
	audit  *auditLog
	logger log.Logger
	now    func() time.Time

	ended func(jobRecord) // is told of each that ends, if not nil

	looking  sync.Mutex // one look at the host at a time
	changing sync.Mutex // one change at a time: what is kept is what came last

	mu      sync.Mutex
	active  map[string]*jobRecord // those that have not ended, or of which the store does not know how
	unsaved map[string]bool       // those of which the store has not what is here
	counts  map[jobState]int      // of those that have ended, since the start

	unasked map[string]int // how often the host did not say why a job failed; of looking
}

// maxUnasked is how often the host is asked why a job failed.
const maxUnasked = 5

// newJobs goes on with the jobs that had not ended when the program stopped: those
// whose path is known are looked for; how the others ended cannot be known. None
// is called again.
func newJobs(j *jobs) (*jobs, error) {
	j.active, j.unsaved, j.counts, j.unasked = map[string]*jobRecord{}, map[string]bool{}, map[jobState]int{}, map[string]int{}
	all, err := j.store.allJobs()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.State.ended() {
			continue
		}
		if r.Path == "" {
			r.Error = "the program stopped before the host had answered"
			j.end(&r, jobUnknown)
			continue
		}
		j.active[r.ID] = &r
	}
	return j, nil
}

// begin records that the host is about to be called, together with what else must then
// be known. With an error it must not be.
func (j *jobs) begin(r jobRecord, with ...entry) error {
	if err := j.store.putAll(append(with, entry{bucketJobs, r.ID, r})...); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.active[r.ID] = &r
	return nil
}

// change changes the record of a job that has not ended, and returns it.
func (j *jobs) change(id string, f func(*jobRecord)) jobRecord {
	j.changing.Lock()
	defer j.changing.Unlock()
	j.mu.Lock()
	r := j.active[id]
	if r == nil || r.State.ended() {
		j.mu.Unlock()
		return jobRecord{}
	}
	f(r)
	if r.State.ended() {
		r.at(r.State, j.now())
	}
	next := *r
	j.mu.Unlock()
	if next.State.ended() {
		j.end(&next, next.State)
	} else {
		j.save(next)
	}
	return next
}

// end writes down how a job ended.
func (j *jobs) end(r *jobRecord, s jobState) {
	r.at(s, j.now())
	j.mu.Lock()
	j.counts[s]++
	j.mu.Unlock()
	j.save(*r)
	if j.ended != nil {
		j.ended(*r)
	}
	line := auditLine{
		Time: j.now().UTC(), Event: auditJob, ID: r.ID, User: r.User, Action: r.Action, Method: r.Method,
		VMID: r.VMID, VM: r.VM, Relationship: r.Relationship, Job: r.Path, State: string(s), Error: r.Error, Code: r.Code,
		Duration: new(r.Updated.Sub(r.Created).Seconds()),
	}
	if err := j.audit.note(line); err != nil {
		level.Error(j.logger).Log("msg", "the end of a job cannot be written to the audit log, and is as soon as it can", "job", r.ID, "state", s, "err", err)
	}
}

// save keeps a record. One that cannot be kept is served from memory, and tried again.
func (j *jobs) save(r jobRecord) {
	err := j.store.put(bucketJobs, r.ID, r)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case err != nil:
		if !j.unsaved[r.ID] {
			level.Error(j.logger).Log("msg", "the record of a job cannot be kept, and is as soon as it can", "job", r.ID, "state", r.State, "err", err)
		}
		j.active[r.ID], j.unsaved[r.ID] = &r, true
	case r.State.ended():
		delete(j.active, r.ID) // only now, that the store has it
		fallthrough
	default:
		delete(j.unsaved, r.ID)
	}
}

// settle keeps what could not be kept.
func (j *jobs) settle() {
	j.changing.Lock()
	defer j.changing.Unlock()
	var all []jobRecord
	j.mu.Lock()
	for id := range j.unsaved {
		all = append(all, *j.active[id])
	}
	j.mu.Unlock()
	for _, r := range all {
		j.save(r)
	}
	_ = j.audit.settleOwed() // it was told when the line could not be written
}

// get is the record of a job, false if there is none.
func (j *jobs) get(id string) (jobRecord, bool) {
	j.mu.Lock()
	if r := j.active[id]; r != nil {
		defer j.mu.Unlock()
		return *r, true
	}
	j.mu.Unlock()
	var r jobRecord
	ok, err := j.store.get(bucketJobs, id, &r)
	return r, ok && err == nil
}

// latest is a record as the store has it, or as it is since: the store may be full.
func (j *jobs) latest(r jobRecord) jobRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.active[r.ID]; now != nil {
		return *now
	}
	return r
}

// running are the jobs of a VM that have not ended, of all VMs for "".
func (j *jobs) running(vm string) []jobRecord {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []jobRecord
	for _, r := range j.active {
		if (vm == "" || r.VMID == vm) && !r.State.ended() {
			all = append(all, *r)
		}
	}
	slices.SortFunc(all, func(a, b jobRecord) int { return b.Created.Compare(a.Created) })
	return all
}

// look brings the records up to what the host shows.
func (j *jobs) look(ctx context.Context) error {
	j.looking.Lock()
	defer j.looking.Unlock()
	followed := slices.DeleteFunc(j.running(""), func(r jobRecord) bool { return r.Path == "" })
	if len(followed) == 0 {
		return nil
	}
	rows, err := wmiquery.All[msvm.ConcreteJob](ctx, j.reader)
	if err != nil {
		return err
	}
	if len(rows) == 0 { // there are none, or the host shows nothing any more
		if services, err := wmiquery.All[msvm.ReplicationService](ctx, j.reader); err != nil || len(services) == 0 {
			return err
		}
	}
	for _, r := range followed {
		i := slices.IndexFunc(rows, func(row msvm.ConcreteJob) bool {
			return strings.EqualFold(row.InstanceID, msvm.JobID(wmiquery.Ref(r.Path)))
		})
		if i < 0 {
			j.change(r.ID, func(r *jobRecord) {
				r.Error = "the host's job is gone, and nobody saw how it ended"
				r.at(jobUnknown, j.now())
			})
			continue
		}
		j.follow(ctx, r, rows[i])
	}
	return nil
}

// follow brings a record up to the host's job. What only the host can tell is asked
// before the record ends.
func (j *jobs) follow(ctx context.Context, r jobRecord, row msvm.ConcreteJob) {
	r.follow(row, j.now())
	var why []issueModel
	if r.State == jobFailed || r.Warnings {
		var err error
		why, err = j.errors(ctx, r.Path)
		if err != nil && !errors.Is(err, wmiquery.ErrNotFound) && !errors.Is(err, wmiquery.ErrUnsupported) && j.unasked[r.ID] < maxUnasked {
			j.unasked[r.ID]++ // the host still has the job: it is asked again
			return
		}
		delete(j.unasked, r.ID)
	}
	made := ""
	if r.State == jobSucceeded && r.Method == "TestReplicaSystem" {
		made = j.made(ctx, r)
	}
	j.change(r.ID, func(r *jobRecord) {
		r.follow(row, j.now())
		r.Errors, r.TestVM = why, made
	})
}

// errors are the host's reasons why a job failed.
func (j *jobs) errors(ctx context.Context, path string) ([]issueModel, error) {
	reply, err := j.reader.Get(ctx, wmiquery.Call{Namespace: wmiquery.Virtualization, Object: wmiquery.Ref(path), Method: "GetErrorEx"})
	if err := cmp.Or(err, reply.Err()); err != nil {
		return nil, err
	}
	texts, _ := reply.Out["Errors"].([]string)
	var all []issueModel
	for _, text := range texts {
		var e msvm.Error
		if _, err := cimxml.Unmarshal(text, &e); err == nil {
			all = append(all, issueOf(e))
		}
	}
	return all, nil
}

// made is the test VM that a job made: what it affects beside the replica, or else
// the replica's test VM.
func (j *jobs) made(ctx context.Context, r jobRecord) string {
	rows, _ := wmiquery.All[msvm.AffectedJobElement](ctx, j.reader)
	for _, row := range rows {
		vm := msvm.VMOf(row.AffectedElement)
		if strings.EqualFold(msvm.JobID(row.AffectingElement), msvm.JobID(wmiquery.Ref(r.Path))) && vm != "" && vm != r.VMID {
			return vm
		}
	}
	tests, _ := wmiquery.All[msvm.ReplicaSystemDependency](ctx, j.reader)
	for _, d := range tests {
		if msvm.VMOf(d.Antecedent) == r.VMID {
			return msvm.VMOf(d.Dependent)
		}
	}
	return ""
}

// watch looks at the host again and again, until ctx ends: jobs disappear five
// minutes after their end.
func (j *jobs) watch(ctx context.Context, every, timeout time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, cancel := context.WithTimeout(ctx, timeout)
		err := j.look(c)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			level.Warn(j.logger).Log("msg", "jobs cannot be followed", "err", err)
		}
		failing = err != nil
		j.settle()
	}
}
