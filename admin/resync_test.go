package admin

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A resume that continues a resynchronization is refused while another one runs. Only one resynchronization can be
// scheduled.
func TestResumeAndScheduleCountAsResynchronization(t *testing.T) {
	env := newTestEnv(t)
	r := env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil)
	env.want("resume while another VM resynchronizes", r, 409, "resynchronization-running")
	if strings.Contains(r.text, env.vms[vmResyncing]) {
		t.Errorf("the response shows the other VM: %s", r)
	}
	if err := env.world.SetState("HV01", msvm.Key{VM: env.vms[vmResyncing], Link: msvm.Primary},
		msvm.Replicating); err != nil {
		t.Fatal(err)
	}
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	at := object{"parameters": object{"StartTime": env.clock.Now().Add(time.Hour).Format(time.RFC3339)}}
	env.want("first scheduled resynchronization",
		env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", at), 202, "")
	env.want("second scheduled resynchronization",
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", at), 409, "resynchronization-running")
	env.want("immediate resynchronization",
		env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", nil), 409, "confirmation-required")
}

// One resynchronization runs at a time. Another one is refused with Retry-After, and is accepted when the first has
// ended.
func TestSecondResynchronizationIsRefused(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	spy := env.hosts["HV01"].pool
	refused := func(what string, r response) {
		t.Helper()
		env.want(what, r, http.StatusConflict, "resynchronization-running")
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After: %v", what, r.header)
		}
		if strings.Contains(r.text, env.vms[vmReplicating]) || r.json["job"] != nil {
			t.Errorf("%s: the response shows the other VM, for which the caller may have no rights: %s", what, r)
		}
	}
	second := func(payload any) response {
		return env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", payload)
	}
	env.waitForJob("suspend", "HV01",
		env.postAction("HV01", "olga", vmReplicating, "primary", "suspend", nil), "succeeded")
	running := env.postConfirmed("HV01", "olga", vmReplicating, "resynchronize", nil)
	calls := spy.callCount()
	refused("second resynchronization", second(nil))
	refused("dry run of a second resynchronization", second(object{"dry_run": true}))
	refused("resume that resynchronizes", env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil))
	if n := spy.callCount() - calls; n > 0 {
		t.Errorf("%d calls while a resynchronization runs, want 0", n)
	}
	env.waitForJob("first resynchronization", "HV01", running, "succeeded")

	resumed := env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil)
	env.waitForJob("resume that resynchronizes", "HV01", resumed, "succeeded")
	refused("resynchronization after the resume", second(nil))
	env.clock.Advance(2 * time.Hour)
	env.waitForJob("second resynchronization",
		"HV01", env.postConfirmed("HV01", "olga", vmResyncRequired, "resynchronize", nil), "succeeded")
}

// A resume that continues a resynchronization counts as one while its job runs, even if the host does not show the new
// state yet.
func TestResumeThatResynchronizesCounts(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour)
	env.hosts["HV01"].pool.reply = func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
		return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef("00000000-0000-0000-0000-000000000001")}, nil
	}
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ConcreteJob); ok {
			*rows = append(*rows, msvm.ConcreteJob{
				InstanceID: "00000000-0000-0000-0000-000000000001",
				JobState:   new(msvm.JobRunning),
			})
		}
	}
	env.want("resume", env.postAction("HV01", "tim", vmResyncPaused, "primary", "resume", nil), http.StatusAccepted, "")
	r := env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", object{"dry_run": true})
	env.want("resynchronization while the resume runs", r, http.StatusConflict, "resynchronization-running")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}
}

// A record that an older version stored as waiting has an unknown outcome after a restart. The host is not called.
func TestWaitingRecordOfOlderVersion(t *testing.T) {
	env := newTestEnv(t)
	record := object{
		"id": "waited", "state": "queued", "waiting": true, "cancellable": true, "action": "resynchronize",
		"method": "Resynchronize", "vm_id": env.vms[vmResyncRequired], "role": "operator", "user": "olga",
		"created": env.clock.Now(),
	}
	if err := env.hosts["HV01"].server.store.Put(job.Bucket, "waited", record); err != nil {
		t.Fatal(err)
	}
	env.restartEndpoint("HV01")
	if j := env.get("HV01", "vic", apiJobs+"/waited"); j.json["state"] != "unknown" || j.json["ended"] == nil ||
		j.json["cancellable"] != false {
		t.Errorf("the job is %s, want the state unknown", j)
	}
	env.clock.Advance(2 * time.Hour)
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// A resume that becomes a resynchronization between the two checks is refused: its lock is not that of a
// resynchronization.
func TestStateChangeDuringRequestIsRefused(t *testing.T) {
	env := newTestEnv(t)
	reads := 0
	env.hosts["HV01"].pool.onRead = func(dst any) {
		rows, ok := dst.(*[]msvm.ReplicationRelationship)
		if !ok {
			return
		}
		reads++
		for i := range *rows {
			switch k, _ := msvm.ParseKey((*rows)[i].InstanceID); {
			case k.VM != env.vms[vmSuspended]:
				(*rows)[i].ReplicationState = new(msvm.Replicating)
			case reads > 1:
				(*rows)[i].ReplicationState = new(msvm.ResynchronizationSuspended)
			}
		}
	}
	env.want("resume", env.postAction("HV01", "tim", vmSuspended, "primary", "resume", nil), 409, "invalid-state")
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}
