package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
)

// The audit record of a refused request has its action, its method and its VM, also if the policy refuses it before
// there is a plan.
func TestRefusalHasWhatTheRequestIsAbout(t *testing.T) {
	env := newTestEnv(t)
	vm, name := env.vms[vmReplicating], env.vmName("HV01", vmReplicating)
	env.want("action", env.postAction("HV01", "vic", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("method", env.postMethod("HV01", "tim", "RemoveReplicationRelationshipEx",
		object{"parameters": object{"ComputerSystem": vm, "ReplicationRelationship": object{"InstanceID": "x"}}}), 403, "forbidden")
	env.want("unknown VM", env.request("HV01", "vic", "POST",
		apiReplicas+"/00000000-0000-0000-0000-000000000001/extended/actions/remove", nil), 403, "forbidden")
	got := env.auditRecords("HV01")
	if len(got) != 3 {
		t.Fatalf("got %+v", got)
	}
	for i, want := range []audit.Record{
		{Action: "suspend", Method: "RequestReplicationStateChangeEx", VMID: vm, VM: name, Relationship: "primary"},
		{Action: "remove", Method: "RemoveReplicationRelationshipEx", VMID: vm, VM: name},
		{
			Action: "remove", Method: "RemoveReplicationRelationshipEx", Relationship: "extended",
			VMID: "00000000-0000-0000-0000-000000000001",
		},
	} {
		r := got[i]
		if r.Action != want.Action || r.Method != want.Method || r.VMID != want.VMID || r.VM != want.VM ||
			r.Relationship != want.Relationship || r.Event != audit.Refused {
			t.Errorf("record %d is %+v, want %+v", i, r, want)
		}
	}
}

// A caller who is refused again and again gets one line at once and then one per minute, which counts the others.
func TestRefusalsOfACallerAreCounted(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.RefusalInterval = 0 }) // the default
	for range 50 {
		env.want("suspend", env.postAction("HV01", "vic", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	}
	if n := len(env.auditRecords("HV01")); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	env.clock.Advance(time.Minute)
	env.hosts["HV01"].server.jobs.RetryUnsaved() // as at each interval
	all := env.auditRecords("HV01")
	if len(all) != 2 || all[1].Repeated == nil || all[1].Repeated.Count != 49 ||
		all[1].Repeated.Actions[fmt.Sprint("suspend ", env.vms[vmReplicating])] != 49 {
		t.Errorf("the records are %+v", all)
	}
}

// A dry run with the greatest body that is possible writes one line of at most 16 KiB.
func TestLineOfAGreatRequestIsBounded(t *testing.T) {
	env := newTestEnv(t)
	body := fmt.Sprintf(
		`{"dry_run": true, "parameters": {"ComputerSystem": %q, "ReplicationSettingData": {"ElementName": "%s"}}}`,
		env.vms[vmReplicating], strings.Repeat("<", 60_000))
	r := env.postMethod("HV01", "omar", "ModifyReplicationSettings", body)
	records := env.auditRecords("HV01")
	_, size := env.auditRecordsFrom("HV01", 0)
	if r.code != 200 || len(records) != 1 || size > 16<<10+1 {
		t.Errorf("%.200s: %d records with %d bytes", r, len(records), size)
	}
}
