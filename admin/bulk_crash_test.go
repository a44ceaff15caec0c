//go:build !windows

// On Windows the file of the store cannot be copied while it is open.

package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// After a crash in the middle, the outcome of a call without an answer is unknown, and the VMs that were not called are
// not started: also one that was refused, whose reason is lost.
func TestBulkFailoverAndACrash(t *testing.T) {
	withTimedBulk(t, func(e *timedBulk) {
		e.hangFor(func(vm string) bool { return vm == e.vms[2] })
		e.pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ComputerSystem); ok && e.pool.callCount() == 1 {
				for i := range *rows {
					if (*rows)[i].Name == e.vms[1] {
						(*rows)[i].EnabledState = new(msvm.EnabledState(2)) // it was started
					}
				}
			}
		}
		path := e.run(e.vms[:5]...)
		e.wantCalls("before the crash", 2)
		e.want("before the crash", path, "pending:2 queued:1 refused:1 succeeded:1")
		crashed := e.server
		for _, file := range []string{storeFile, auditFile} {
			text, err := os.ReadFile(filepath.Join(e.options.DataDir, file))
			if err != nil {
				t.Fatal(err)
			}
			copied := filepath.Join(e.options.DataDir, "..", "copy")
			if err := os.MkdirAll(copied, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(copied, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e.options.DataDir = filepath.Join(e.options.DataDir, "..", "copy")
		e.start()
		for range 2 {
			e.want("after the crash", path, "not_started:3 succeeded:1 unknown:1")
		}
		var stored bulkFailover // so that the states do not depend on how long jobs are kept
		if _, err := e.server.store.Get(bucketBulk, filepath.Base(path), &stored); err != nil ||
			stored.State != "completed" || stored.Counts["not_started"] != 3 || stored.Counts["unknown"] != 1 {
			t.Errorf("the stored record is %+v, %v", stored, err)
		}
		text, err := os.ReadFile(filepath.Join(e.options.DataDir, auditFile))
		if err != nil || strings.Count(string(text), `"state":"unknown"`) != 2 { // the outcome, and the end of the job
			t.Errorf("the audit log has %s, %v", text, err)
		}
		e.wantCalls("after the crash", 2)
		crashed.Stop()
		close(e.block)
		if err := crashed.Close(e.Context()); err != nil {
			t.Error(err)
		}
	}, func(o *Options) { o.BulkParallelism = 1 })
}
