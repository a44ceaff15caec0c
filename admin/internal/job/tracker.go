// Package job tracks the actions that were started until they end, and stores their records.
package job

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/wmiquery"
)

// Options configure a tracker. All fields are required.
type Options struct {
	Reader wmiquery.Reader
	Store  *store.Store
	Audit  *audit.Log
	Logger log.Logger
	Now    func() time.Time
}

// Tracker tracks the actions that were started and stores their records.
type Tracker struct {
	Options
	// OnEnd is called for each job that ends, if it is not nil. Set it before the first job starts.
	OnEnd func(Record)

	refreshing sync.Mutex // held during Refresh
	updating   sync.Mutex // held during an update, so that the store gets updates in their order

	mu      sync.Mutex
	active  map[string]*Record // jobs that have not ended, or whose record is not stored yet; by ID
	unsaved map[string]bool    // IDs of the jobs in active that could not be stored
	ended   map[State]int      // number of jobs that have ended since the start
}

// NewTracker returns a tracker for the stored jobs that had not ended when the program stopped. If the host's job is
// known, the tracker looks for it. Otherwise the outcome is unknown. No call is repeated.
func NewTracker(o Options) (*Tracker, error) {
	t := &Tracker{
		Options: o, active: map[string]*Record{}, unsaved: map[string]bool{}, ended: map[State]int{},
	}
	all, err := t.All()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		switch {
		case r.State.Ended():
		case r.Path == "":
			r.Error = "the exporter stopped before the host answered"
			t.end(&r, Unknown)
		default:
			t.active[r.ID] = &r
		}
	}
	return t, nil
}

// Begin stores the record of a call that is about to be made, together with other entries. If it returns an error, the
// caller must not make the call.
func (t *Tracker) Begin(r Record, with ...store.Entry) error {
	if err := t.Store.PutAll(append(with, store.Entry{Bucket: Bucket, Key: r.ID, Value: r})...); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active[r.ID] = &r
	return nil
}

// Update changes the record of a job that has not ended, and returns the new record. It returns an empty record if the
// job has ended.
func (t *Tracker) Update(id string, change func(*Record)) Record {
	t.updating.Lock()
	defer t.updating.Unlock()
	t.mu.Lock()
	r := t.active[id]
	if r == nil || r.State.Ended() {
		t.mu.Unlock()
		return Record{}
	}
	change(r)
	next := *r
	t.mu.Unlock()
	if next.State.Ended() {
		t.end(&next, next.State)
	} else {
		t.save(next)
	}
	return next
}

// end stores the end of a job.
func (t *Tracker) end(r *Record, s State) {
	r.SetState(s, t.Now())
	t.mu.Lock()
	t.ended[s]++
	t.mu.Unlock()
	t.save(*r)
	if t.OnEnd != nil {
		t.OnEnd(*r)
	}
	if err := t.Audit.WriteOrKeep(r.auditEnd(t.Now())); err != nil {
		level.Error(t.Logger).Log("msg", "cannot write audit record, will retry", "job", r.ID, "state", s, "err", err)
	}
}

// save stores a record. A record that cannot be stored stays in memory, and RetryUnsaved stores it later.
func (t *Tracker) save(r Record) {
	err := t.Store.Put(Bucket, r.ID, r)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		if !t.unsaved[r.ID] {
			level.Error(t.Logger).Log("msg", "cannot store job record, will retry", "job", r.ID, "state", r.State, "err", err)
		}
		t.active[r.ID], t.unsaved[r.ID] = &r, true
	case r.State.Ended():
		delete(t.active, r.ID)
		fallthrough
	default:
		delete(t.unsaved, r.ID)
	}
}

// RetryUnsaved stores the job records and writes the audit records that could not be written before.
func (t *Tracker) RetryUnsaved() {
	t.updating.Lock()
	defer t.updating.Unlock()
	var all []Record
	t.mu.Lock()
	for id := range t.unsaved {
		all = append(all, *t.active[id])
	}
	t.mu.Unlock()
	for _, r := range all {
		t.save(r)
	}
	_ = t.Audit.FlushPending() // the first failure was logged
}

// All returns all records, newest first.
func (t *Tracker) All() ([]Record, error) {
	all, err := store.All[Record](t.Store, Bucket)
	sortNewestFirst(all)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range all {
		if active := t.active[r.ID]; active != nil { // newer than the stored record if that could not be written
			all[i] = *active
		}
	}
	return all, err
}

// Newest calls visit with the records, the one with the greatest ID first, until visit returns false. With before, it
// starts after that ID.
func (t *Tracker) Newest(before string, visit func(Record) bool) error {
	return store.Backward(t.Store, Bucket, before, func(r Record) bool {
		t.mu.Lock()
		if active := t.active[r.ID]; active != nil { // newer than the stored record if that could not be written
			r = *active
		}
		t.mu.Unlock()
		return visit(r)
	})
}

// Get returns the record of a job. It returns false if there is none.
func (t *Tracker) Get(id string) (Record, bool) {
	t.mu.Lock()
	if r := t.active[id]; r != nil {
		defer t.mu.Unlock()
		return *r, true
	}
	t.mu.Unlock()
	var r Record
	ok, err := t.Store.Get(Bucket, id, &r)
	return r, ok && err == nil
}

// Running returns the jobs of a VM that have not ended, those of all VMs for "". The newest is first.
func (t *Tracker) Running(vm string) []Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Record
	for _, r := range t.active {
		if (vm == "" || r.VMID == vm) && !r.State.Ended() {
			all = append(all, *r)
		}
	}
	sortNewestFirst(all)
	return all
}

// CountByState returns the number of jobs that have not ended, and of those that have ended since the start.
func (t *Tracker) CountByState() map[State]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := maps.Clone(t.ended)
	for _, r := range t.active {
		if !r.State.Ended() { // jobs that have ended are already counted
			counts[r.State]++
		}
	}
	return counts
}

// Watch refreshes the records at an interval until ctx is done. The host deletes a job five minutes after its end.
// Each read of the host has a timeout.
func (t *Tracker) Watch(ctx context.Context, interval, timeout time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c, cancel := context.WithTimeout(ctx, timeout)
		err := t.Refresh(c)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			level.Warn(t.Logger).Log("msg", "cannot read jobs from the host, will retry", "err", err)
		}
		failing = err != nil
		t.RetryUnsaved()
	}
}
