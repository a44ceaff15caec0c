package job

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// maxErrorRetries is the maximum number of reads of the errors of a failed job that can fail.
const maxErrorRetries = 5

// Refresh updates the records with the jobs of the host.
func (t *Tracker) Refresh(ctx context.Context) error {
	t.refreshing.Lock()
	defer t.refreshing.Unlock()
	tracked := slices.DeleteFunc(t.Running(""), func(r Record) bool { return r.Path == "" })
	if len(tracked) == 0 {
		return nil
	}
	rows, err := wmiquery.All[msvm.ConcreteJob](ctx, t.Reader)
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return err
	}
	unreadable := slices.ContainsFunc(invalid, func(v wmiquery.InvalidValue) bool { return v.Row < 0 })
	if len(rows) == 0 { // either there are no jobs, or the host denies access
		services, err := wmiquery.All[msvm.ReplicationService](ctx, t.Reader)
		if len(services) == 0 {
			return err
		}
	}
	for _, r := range tracked {
		i := slices.IndexFunc(rows, func(row msvm.ConcreteJob) bool {
			return strings.EqualFold(row.InstanceID, msvm.JobID(wmiquery.Ref(r.Path)))
		})
		if i < 0 && unreadable {
			continue // one of those that could not be read may be this job
		}
		if i < 0 {
			t.Update(r.ID, func(r *Record) {
				r.Error = "the job is gone from the host; its outcome was not observed"
				r.SetState(Unknown, t.Now())
			})
			continue
		}
		t.refreshRecord(ctx, r, rows[i])
	}
	return nil
}

// refreshRecord updates a record with the host's job. Before the record ends, it reads what only the host knows.
func (t *Tracker) refreshRecord(ctx context.Context, r Record, row msvm.ConcreteJob) {
	r.ApplyJob(row, t.Now())
	var issues []operation.Issue
	if r.State == Failed || r.Warnings {
		var err error
		issues, err = readErrors(ctx, t.Reader, r.Path)
		permanent := errors.Is(err, wmiquery.ErrNotFound) || errors.Is(err, wmiquery.ErrUnsupported)
		if err != nil && !permanent && r.ErrorRetries < maxErrorRetries {
			// The host still has the job; the next refresh reads its errors again.
			t.Update(r.ID, func(r *Record) { r.ErrorRetries++ })
			return
		}
	}
	testVM := ""
	if r.State == Succeeded && r.Method == msvm.MethodTestReplicaSystem {
		testVM = findTestVM(ctx, t.Reader, r)
	}
	t.Update(r.ID, func(r *Record) {
		r.ApplyJob(row, t.Now())
		r.Errors, r.TestVM = issues, testVM
	})
}

// readErrors reads the errors of a job.
func readErrors(ctx context.Context, reader wmiquery.Reader, path string) ([]operation.Issue, error) {
	call := wmiquery.Call{Namespace: wmiquery.Virtualization, Object: wmiquery.Ref(path), Method: msvm.MethodGetErrorEx}
	reply, err := reader.Get(ctx, call)
	if err := cmp.Or(err, reply.Err()); err != nil {
		return nil, err
	}
	var all []operation.Issue
	for _, e := range msvm.Errors(reply) {
		all = append(all, operation.NewIssue(e))
	}
	return all, nil
}

// findTestVM returns the GUID of the test VM that a job created: the VM that the job affects besides the replica. If
// the host does not show it, findTestVM returns the test VM of the replica.
func findTestVM(ctx context.Context, reader wmiquery.Reader, r Record) string {
	rows, _ := wmiquery.All[msvm.AffectedJobElement](ctx, reader)
	for _, row := range rows {
		vm := msvm.VMOf(row.AffectedElement)
		if strings.EqualFold(msvm.JobID(row.AffectingElement), msvm.JobID(wmiquery.Ref(r.Path))) && vm != "" && vm != r.VMID {
			return vm
		}
	}
	tests, _ := wmiquery.All[msvm.ReplicaSystemDependency](ctx, reader)
	for _, d := range tests {
		if msvm.VMOf(d.Antecedent) == r.VMID {
			return msvm.VMOf(d.Dependent)
		}
	}
	return ""
}

// FindNative returns the record of the job whose own job of the host has an InstanceID, which is in upper case. It
// returns false if there is none.
func (t *Tracker) FindNative(id string) (found Record, ok bool) {
	err := t.Newest("", func(r Record) bool {
		if ok = r.Path != "" && msvm.JobID(wmiquery.Ref(r.Path)) == id; ok {
			found = r
		}
		return !ok
	})
	return found, ok && err == nil
}

// TestResults returns the result of the last test failover of each VM whose clean-up reported one, by the GUID of the
// VM.
func (t *Tracker) TestResults() (map[string]string, error) {
	all := map[string]string{}
	err := t.Newest("", func(r Record) bool {
		if r.TestResult != "" && r.State == Succeeded && all[r.VMID] == "" {
			all[r.VMID] = r.TestResult
		}
		return true
	})
	return all, err
}

// TestVMs returns the GUIDs of the test VMs that the jobs created, with the GUIDs of their replicas.
func (t *Tracker) TestVMs() map[string]string {
	all := map[string]string{}
	_ = t.Newest("", func(r Record) bool { // a record that cannot be read gives no rights
		if r.TestVM != "" {
			all[r.TestVM] = r.VMID
		}
		return true
	})
	return all
}
