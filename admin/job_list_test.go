package admin

import (
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/store"
)

// The list has the 500 newest jobs that the caller can see, newest first.
func TestListOfJobsIsLimited(t *testing.T) {
	env := newTestEnv(t)
	mine, others := env.vms[vmReplicating], env.vms[vmSuspended]
	env.writePolicy("rules:\n  - {users: [vic], role: viewer, vms: \"" + mine + "\"}\n" +
		"  - {users: [omar], role: owner, destructive: true, vms: all, host: true}\n")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	put := func(from, to int, vm string) {
		t.Helper()
		var entries []store.Entry
		for i := from; i < to; i++ {
			r := job.Record{
				ID: fmt.Sprintf("job%03d", i), State: job.Succeeded, VMID: vm, Action: "suspend", Method: "X", User: "tim",
				Role: "operator", Created: env.clock.Now().Add(time.Duration(i) * time.Second),
			}
			entries = append(entries, store.Entry{Bucket: job.Bucket, Key: r.ID, Value: r})
		}
		if err := env.hosts["HV01"].server.store.PutAll(entries...); err != nil {
			t.Fatal(err)
		}
	}
	wantJobs := func(what, user string, n int, first, last string) {
		t.Helper()
		jobs := env.get("HV01", user, apiJobs).json["jobs"].([]any)
		if len(jobs) != n || jobs[0].(object)["id"] != first || jobs[n-1].(object)["id"] != last {
			t.Errorf("%s: got %d jobs from %v to %v, want %d from %s to %s", what, len(jobs), jobs[0].(object)["id"],
				jobs[len(jobs)-1].(object)["id"], n, first, last)
		}
	}
	put(0, 499, mine)
	wantJobs("below the limit", "vic", 499, "job498", "job000")
	put(499, 500, mine)
	wantJobs("at the limit", "vic", 500, "job499", "job000")
	put(500, 501, mine)
	wantJobs("above the limit", "vic", 500, "job500", "job001")
	put(501, 601, others)
	wantJobs("with newer jobs of VMs that the caller cannot see", "vic", 500, "job500", "job001")
	wantJobs("all VMs", "omar", 500, "job600", "job101")
	env.want("job of a VM that the caller cannot see", env.get("HV01", "vic", apiJobs+"/job600"), 404, "not-found")
	env.want("job of a VM that the caller can see", env.get("HV01", "vic", apiJobs+"/job500"), 200, "")
}

// A caller sees only the relationships of the VMs that the rules of the caller include.
func TestReplicasAreAuthorizedByVM(t *testing.T) {
	env := newTestEnv(t)
	mine := env.vms[vmReplicating]
	env.writePolicy("rules:\n  - {users: [vic], role: viewer, vms: \"" + mine + "\"}\n" +
		"  - {users: [omar], role: owner, destructive: true, vms: all, host: true}\n")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	all := env.get("HV01", "vic", apiReplicas).json["replicas"].([]any)
	if len(all) != 1 || all[0].(object)["vm_id"] != mine {
		t.Errorf("the list has %v", all)
	}
	env.want("own VM", env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")), 200, "")
	env.want("VM of others", env.get("HV01", "vic", env.replicaPath(vmSuspended, "primary")), 403, "forbidden")
}

// A cancellation needs the role of the action, also after it was started by somebody else.
func TestCancelNeedsTheRoleOfTheAction(t *testing.T) {
	env := newTestEnv(t)
	for _, tt := range []struct {
		role string // of the action
		user string
		code int
		slug string
	}{
		{"operator", "vic", 403, "forbidden"},
		{"operator", "tim", 409, "invalid-state"},
		{"failover", "tim", 403, "forbidden"},
		{"failover", "fred", 409, "invalid-state"},
		{"owner", "fred", 403, "forbidden"},
		{"owner", "omar", 409, "invalid-state"},
		{"viewer", "vic", 403, "forbidden"},
		{"viewer", "tim", 409, "invalid-state"},
	} {
		r := job.Record{
			ID: tt.role, State: job.Succeeded, VMID: env.vms[vmReplicating], Role: tt.role, Created: env.clock.Now(),
		}
		if err := env.hosts["HV01"].server.store.Put(job.Bucket, r.ID, r); err != nil {
			t.Fatal(err)
		}
		env.want("action of role "+tt.role+" by "+tt.user,
			env.request("HV01", tt.user, "POST", apiJobs+"/"+r.ID+"/cancel", nil), tt.code, tt.slug)
	}
}
