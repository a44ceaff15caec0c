package job

import (
	"cmp"
	"context"
	"strings"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

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
