package job

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// options returns the options of a tracker with files of its own.
func options(t *testing.T, reader wmiquery.Reader) Options {
	t.Helper()
	dir := filetest.Dir(t)
	s, _, err := store.Open(filepath.Join(dir, "store"), time.Now(), StoreBucket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	auditLog, err := audit.Open(audit.Options{Path: filepath.Join(dir, "audit")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auditLog.Close() })
	return Options{Reader: reader, Store: s, Audit: auditLog, Logger: log.NewNopLogger(), Now: time.Now}
}

func newTracker(t *testing.T, o Options) *Tracker {
	t.Helper()
	tracker, err := NewTracker(o)
	if err != nil {
		t.Fatal(err)
	}
	return tracker
}

// Watch sees the end of a job before the host deletes it, five minutes after its end, and then stops reading.
func TestWatchSeesTheEndOfAJob(t *testing.T) {
	host := &fakeHost{}
	o := options(t, host)
	synctest.Test(t, func(t *testing.T) {
		host.ends = time.Now().Add(3 * time.Minute)
		tracker := newTracker(t, o)
		if err := tracker.Begin(Record{
			ID: "a", State: Running, Path: string(msvm.JobRef("J")),
			Created: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go tracker.Watch(ctx, 5*time.Second, time.Second)
		time.Sleep(time.Hour) // fake time
		stop()
		synctest.Wait()
		r, _ := tracker.Get("a")
		if took := r.Ended.Sub(r.Created); r.State != Succeeded || !r.Warnings || took < 3*time.Minute ||
			took > 4*time.Minute {
			t.Errorf("the job is %+v", r)
		}
		if host.reads > 40 {
			t.Errorf("%d reads of jobs, although the job has ended", host.reads)
		}
	})
}

// Watch writes what could not be written before, without another action.
func TestWatchRetriesUnsavedRecords(t *testing.T) {
	host := &fakeHost{}
	o := options(t, host)
	closed := o.Store
	reopened := options(t, host).Store
	synctest.Test(t, func(t *testing.T) {
		tracker := newTracker(t, o)
		if err := tracker.Begin(Record{ID: "a", State: Running, Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		tracker.Update("a", func(r *Record) { r.SetState(Succeeded, time.Now()) })
		tracker.Store = reopened
		ctx, stop := context.WithCancel(t.Context())
		go tracker.Watch(ctx, 5*time.Second, time.Second)
		time.Sleep(5 * time.Second) // fake time
		synctest.Wait()
		stop()
		synctest.Wait()
		var r Record
		if found, err := reopened.Get(Bucket, "a", &r); !found || err != nil || r.State != Succeeded {
			t.Errorf("the stored record is %+v, %v", r, err)
		}
	})
}

// A host that cannot be read is logged once, and again when it fails after a success. A stop is no failure.
func TestWatchLogsAFailingHostOnce(t *testing.T) {
	host := &host{jobs: []msvm.ConcreteJob{row(jobA, 4)}}
	o := options(t, host)
	var logs bytes.Buffer
	o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logs))
	synctest.Test(t, func(t *testing.T) {
		tracker := newTracker(t, o)
		if err := tracker.Begin(Record{ID: "a", State: Running, Path: path(jobA), Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		host.onRead = func() { // it fails in the first and the third minute
			host.jobsErr = nil
			if minutes := time.Since(began).Minutes(); minutes < 1 || minutes > 2 {
				host.jobsErr = wmiquery.ErrUnavailable
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		go tracker.Watch(ctx, 5*time.Second, time.Second)
		time.Sleep(3 * time.Minute) // fake time
		stop()
		synctest.Wait()
	})
	if n := strings.Count(logs.String(), "cannot read jobs from the host"); n != 2 {
		t.Errorf("%d messages, want 2:\n%s", n, logs.String())
	}
}

// fakeHost shows one job. It ends with warnings and is deleted five minutes later.
type fakeHost struct {
	wmiquery.Reader
	ends  time.Time
	reads int
}

func (h *fakeHost) Read(_ context.Context, dst any) error {
	rows, ok := dst.(*[]msvm.ConcreteJob)
	if !ok {
		*dst.(*[]msvm.ReplicationService) = make([]msvm.ReplicationService, 1)
		return nil
	}
	h.reads++
	state := msvm.JobRunning
	switch now := time.Now(); {
	case now.After(h.ends.Add(5 * time.Minute)):
		return nil
	case now.After(h.ends):
		state = msvm.JobCompletedWithWarnings
	}
	*rows = []msvm.ConcreteJob{{InstanceID: "j", JobState: &state}}
	return nil
}

func (h *fakeHost) Get(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return wmiquery.Reply{}, wmiquery.ErrNotFound
}

// The store has the last of two concurrent updates, and a record that has ended never changes again.
func TestUpdatesAreStoredInOrder(t *testing.T) {
	tracker := newTracker(t, options(t, nil))
	for i := range 50 {
		id := fmt.Sprint("job", i)
		if err := tracker.Begin(Record{ID: id, State: Queued, Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		saved := make(chan struct{})
		go func() {
			defer close(saved)
			tracker.Update(id, func(r *Record) { r.Path = "a job"; r.SetState(Running, time.Now()) })
		}()
		for path := ""; path == ""; {
			r, _ := tracker.Get(id)
			path = r.Path
		}
		tracker.Update(id, func(r *Record) { r.SetState(Succeeded, time.Now()) })
		<-saved
		var stored Record
		if _, err := tracker.Store.Get(Bucket, id, &stored); err != nil || stored.State != Succeeded {
			t.Fatalf("the stored state is %q, %v", stored.State, err)
		}
	}
	if n := len(tracker.active); n > 0 {
		t.Errorf("%d jobs are active after they have ended", n)
	}
}
