package job

import (
	"os/signal"
	"syscall"
	"testing"
)

// A start on a full disk ends a call without an answer like any other start. The record is stored when there is space.
func TestStartOnAFullDisk(t *testing.T) {
	tr := newTestTracker(t)
	if err := tr.Begin(Record{ID: "queued", State: Queued, VMID: vmA, Created: tr.now}); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	setLimit := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { setLimit(before) })
	setLimit(syscall.Rlimit{Cur: 8 << 10, Max: before.Max}) // no page of the store can be written
	tr.restart()
	tr.RetryUnsaved()
	tr.wantState("full disk", "queued", Unknown)
	if r := tr.Running(""); len(r) > 0 {
		t.Errorf("the running jobs are %+v", r)
	}
	stored := func() State {
		var r Record
		if found, err := tr.Store.Get(Bucket, "queued", &r); !found || err != nil {
			t.Fatal(found, err)
		}
		return r.State
	}
	if s := stored(); s != Queued {
		t.Fatalf("the stored state is %s although the disk is full", s)
	}
	setLimit(before)
	tr.RetryUnsaved()
	if s := stored(); s != Unknown {
		t.Errorf("the stored state is %s, want unknown", s)
	}
}
