package job

import (
	"path/filepath"
	"testing"

	"hyperv_replica_exporter/admin/internal/store"
	"hyperv_replica_exporter/internal/filetest"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The end of a job that could not be stored is stored, once, when the store can be written again.
func TestEndIsStoredWhenTheStoreRecovers(t *testing.T) {
	tr := newTestTracker(t)
	tr.begin("a", vmA, path(jobA))
	if err := tr.Store.Close(); err != nil {
		t.Fatal(err)
	}
	tr.host.jobs = []msvm.ConcreteJob{row(jobA, 7)}
	tr.refresh()
	tr.RetryUnsaved()
	dir := filetest.Dir(t)
	s, _, err := store.Open(filepath.Join(dir, "x.db"), tr.now, StoreBucket())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tr.Store = s
	for range 2 {
		tr.RetryUnsaved()
	}
	tr.wantState("stored", "a", Succeeded)
	if len(tr.unsaved) > 0 || len(tr.active) > 0 {
		t.Errorf("unsaved %v, active %v", tr.unsaved, tr.active)
	}
}
