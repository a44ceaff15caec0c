package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// server01 is the name of the primary server of the replicas on HV02.
const server01 = "HV01.contoso.com"

// calledVMs returns the GUIDs of the VMs in the calls of a host, in their order.
func (e *endpoint) calledVMs() []string {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	var all []string
	for _, c := range e.pool.calls {
		all = append(all, vmOfCall(c))
	}
	return all
}

// vmOfCall returns the GUID of the VM in a call.
func vmOfCall(c wmiquery.Call) string {
	for _, p := range c.In {
		if ref, ok := p.Value.(wmiquery.Ref); ok && p.Name == "ComputerSystem" {
			return msvm.VMOf(ref)
		}
	}
	return ""
}

// A dry run has the state, the possible loss and the refusal of each replica of a server. It changes nothing and gives
// no token.
func TestBulkDryRunShowsEachVM(t *testing.T) {
	env := newTestEnv(t)
	all := env.postBulk("fred", object{"dry_run": true, "primary_server": "hv01.CONTOSO.com"})
	env.want("dry run", all, 200, "")
	for vm, want := range map[int]string{
		vmReplicating: "ready 270 ", vmSuspended: "ready 2595 ", 8: "ready 5516 ",
		9: "refused 4848 invalid-state", 7: "refused <nil> invalid-state", 12: "refused 1354 invalid-state",
	} {
		entry, slug := env.bulkVMOf(all, vm)
		loss, _ := entry["estimated_loss"].(object)
		current, _ := entry["current"].(object)
		if got := fmt.Sprint(entry["state"], " ", loss["lag_seconds"], " ", slug); got != want ||
			current["mode"] != "replica" || entry["vm"] != env.vmName("HV02", vm) {
			t.Errorf("VM %d: got %s %v %v, want %s", vm, got, entry["vm"], current, want)
		}
	}
	states := bulkStates(all)
	if states[env.vms[vmInbound]] != "" || states[env.vms[vmStandalone]] != "" { // sent by HV02, and not replicated
		t.Errorf("other VMs are in the dry run: %v", states)
	}
	var names []string
	for _, vm := range all.json["vms"].([]any) {
		names = append(names, vm.(object)["vm"].(string))
	}
	if !slices.IsSorted(names) {
		t.Errorf("the VMs are in the order %v", names)
	}
	env.want("VMs that this host sends", env.postBulk("fred", object{
		"dry_run": true, "primary_server": "HV02.contoso.com",
	}), 404, "not-found")
	counts := all.json["counts"].(object)
	if all.json["vm_count"] != counts["ready"] || all.json["requires_confirmation"] != true || len(counts) != 2 ||
		all.json["dry_run"] != true || all.json["confirmation_token"] != nil {
		t.Errorf("got %s", all)
	}
	bounded := env.postBulk("fred", object{
		"dry_run": true, "primary_server": server01, "max_data_loss_seconds": 3600,
	})
	for vm, want := range map[int]string{vmSuspended: "ready", 8: "refused data-loss-exceeded"} {
		entry, slug := env.bulkVMOf(bounded, vm)
		if got := strings.TrimSpace(fmt.Sprint(entry["state"], " ", slug)); got != want {
			t.Errorf("VM %d with a limit: got %s, want %s", vm, got, want)
		}
	}
	if n := testutil.ToFloat64(env.hosts["HV02"].server.metrics.requests.WithLabelValues("InitiateFailover", "200")); n != 2 {
		t.Errorf("%v requests are counted, want 2", n)
	}
	records := slices.DeleteFunc(env.auditRecords("HV02"), func(r audit.Record) bool { return r.Event != audit.DryRun })
	if len(records) != 2 || records[0].Event != audit.DryRun || records[0].Action != "bulk-failover" ||
		records[0].User != "fred" || records[0].Parameters["primary_server"] != "hv01.CONTOSO.com" ||
		records[0].Parameters["vm_count"] != all.json["vm_count"] || *records[1].Accepted.MaxLossSeconds != 3600 {
		t.Errorf("the audit log has %+v", records)
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("a dry run makes %d calls", n)
	}
}

// A confirmed request fails over exactly the VMs that were ready. Each has a job, and an intent and an outcome in the
// audit log, which all name the bulk failover. The VMs that were left out keep their reasons.
func TestBulkFailsOverTheReplicasOfAServer(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"primary_server": server01, "max_data_loss_seconds": 3600}
	dry := env.postBulk("fred", object{"dry_run": true, "primary_server": server01, "max_data_loss_seconds": 3600})
	want := map[string]string{}
	for vm, state := range bulkStates(dry) {
		if want[vm] = state; state == "ready" {
			want[vm] = "succeeded"
		}
	}
	started := env.confirmBulk(payload)
	env.want("confirmation", started, 202, "")
	end := env.waitForBulk("failover", started)
	if got := bulkStates(end); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the states are %v, want %v", got, want)
	}
	if _, slug := env.bulkVMOf(end, 8); slug != "data-loss-exceeded" {
		t.Errorf("the VM beyond the limit has the problem %q", slug)
	}
	id := end.json["id"].(string)
	if end.json["user"] != "fred" || end.json["reason"] != "a test" || end.json["max_data_loss_seconds"] != 3600.0 ||
		end.json["primary_server"] != server01 || end.json["vms"] == nil {
		t.Errorf("got %s", end)
	}
	entry, _ := env.bulkVMOf(end, vmReplicating)
	j := env.get("HV02", "vic", "/api/v1/jobs/"+entry["job_id"].(string))
	if j.json["bulk_id"] != id || j.json["vm_id"] != env.vms[vmReplicating] || j.json["reason"] != "a test" {
		t.Errorf("the job is %s", j)
	}
	if s := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json["state"]; s != "recovered" {
		t.Errorf("the state is %v", s)
	}
	records := env.bulkAudit(id)
	wantRecords := []string{"bulk"}
	for vm, state := range want {
		if state == "succeeded" {
			wantRecords = append(wantRecords, "intent "+vm, "outcome "+vm)
		}
	}
	slices.Sort(records)
	slices.Sort(wantRecords)
	if !slices.Equal(records, wantRecords) {
		t.Errorf("the audit log has %q, want %q", records, wantRecords)
	}
	for _, r := range env.auditRecords("HV02") {
		switch {
		case r.Event == audit.Bulk && (r.ID != id || r.Parameters["vm_count"] != dry.json["vm_count"] ||
			!r.Accepted.Confirmed || *r.Accepted.MaxLossSeconds != 3600 || r.Reason != "a test" || r.User != "fred"):
			t.Errorf("the record of the bulk failover is %+v", r)
		case r.Event == audit.Intent && (r.Action != "failover" || !r.Accepted.Confirmed ||
			*r.Accepted.MaxLossSeconds != 3600 || r.Seen == nil):
			t.Errorf("an intent is %+v", r)
		}
	}
	listed := env.get("HV02", "vic", "/api/v1/bulk-failovers")
	list := listed.json["bulk_failovers"].([]any)
	if len(list) != 1 || list[0].(object)["id"] != id || list[0].(object)["vms"] != nil ||
		fmt.Sprint(list[0].(object)["counts"]) != fmt.Sprint(end.json["counts"]) {
		t.Errorf("the list is %s", listed)
	}
}

// A request that is repeated after its end finds the VMs done and calls the host for none of them. A repeated
// confirmation with the same key gets the same response.
func TestBulkFailoverIsSafeToRepeat(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"vm_ids": []string{env.vms[2], env.vms[5]}, "max_data_loss_seconds": 1e9}
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	const key = "the night of the flood"
	started := env.postBulk("fred", body, headerIdempotencyKey, key)
	again := env.postBulk("fred", body, headerIdempotencyKey, key)
	if again.text != started.text || again.header.Get("Location") != started.header.Get("Location") ||
		again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the repeated confirmation gets %s, want %s", again, started)
	}
	env.want("another body", env.postBulk("fred", payload, headerIdempotencyKey, key), 422, "idempotency-reuse")
	env.waitForBulk("failover", started)
	env.restartEndpoint("HV02")
	again = env.postBulk("fred", body, headerIdempotencyKey, key)
	if again.text != started.text {
		t.Errorf("after a restart the repeated confirmation gets %s, want %s", again, started)
	}
	payload["vm_ids"] = []string{env.vms[2], env.vms[5], env.vms[14]}
	dry := env.postBulk("fred", object{"dry_run": true, "vm_ids": payload["vm_ids"]})
	if got := fmt.Sprint(dry.json["counts"]); got != "map[done:2 ready:1]" {
		t.Errorf("the dry run has %s", got)
	}
	end := env.waitForBulk("more VMs", env.confirmBulk(payload))
	if got := fmt.Sprint(end.json["counts"]); got != "map[done:2 succeeded:1]" {
		t.Errorf("the second failover has %s", got)
	}
	env.waitForJob("commit", "HV02", env.postConfirmed("HV02", "fred", 2, "commit-failover", nil), "succeeded")
	env.hosts["HV02"].pool.calls = nil
	all := env.postBulk("fred", payload)
	env.want("nothing is left", all, 200, "")
	if got := fmt.Sprint(all.json["counts"], all.json["requires_confirmation"]); got != "map[done:3] false" {
		t.Errorf("when all have failed over: %s", got)
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls", n)
	}
}

// VMs fail over in the order of the list.
func TestBulkFailoverKeepsTheOrderOfTheList(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.BulkParallelism = 1 })
	var ids []string
	for _, vm := range []int{29, 2, 5, 0, 30, 22} {
		ids = append(ids, strings.ToLower(env.vms[vm]))
	}
	env.waitForBulk("failover", env.confirmBulk(object{"vm_ids": ids}))
	if got := env.hosts["HV02"].calledVMs(); strings.ToLower(fmt.Sprint(got)) != fmt.Sprint(ids) {
		t.Errorf("the order is %v, want %v", got, ids)
	}
}

// A VM whose lag is unknown is left out, unless the request accepts that.
func TestBulkFailoverLeavesOutUnknownLoss(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV02"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
			for i := range *rows {
				if strings.Contains((*rows)[i].InstanceID, env.vms[2]) {
					(*rows)[i].LastReplicationTime = new(env.clock.Now().Add(time.Hour))
				}
			}
		}
	}
	payload := object{"vm_ids": []string{env.vms[2], env.vms[5]}, "max_data_loss_seconds": 1e9}
	end := env.waitForBulk("without the unknown", env.confirmBulk(payload))
	if _, slug := env.bulkVMOf(end, 2); slug != "data-loss-exceeded" || fmt.Sprint(end.json["counts"]) !=
		"map[refused:1 succeeded:1]" {
		t.Errorf("got %s", end)
	}
	payload["accept_unknown_loss"] = true
	end = env.waitForBulk("with the unknown", env.confirmBulk(payload))
	if got := fmt.Sprint(end.json["counts"], end.json["accept_unknown_loss"]); got != "map[done:1 succeeded:1] true" {
		t.Errorf("got %s", got)
	}
}

// The limit of the data loss applies when the turn of a VM comes.
func TestBulkFailoverChecksTheLossOfEachVM(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"vm_ids": []string{env.vms[2], env.vms[5]}, "max_data_loss_seconds": 600} // 15 and 570
	body := env.bulkConfirmation(env.postBulk("fred", payload), payload)
	env.clock.Advance(time.Minute)
	end := env.waitForBulk("a minute later", env.postBulk("fred", body))
	entry, slug := env.bulkVMOf(end, 5)
	if slug != "data-loss-exceeded" || entry["estimated_loss"].(object)["lag_seconds"] != 630.0 ||
		fmt.Sprint(end.json["counts"]) != "map[refused:1 succeeded:1]" {
		t.Errorf("got %s", end)
	}
}

// A request that is not valid is rejected before the host is read.
func TestBulkRequestsThatAreNotValid(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV02"].pool.onRead = func(any) { t.Error("the host is read") }
	vm := env.vms[2]
	guids := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
		}
		return all
	}
	for _, tt := range []struct {
		name    string
		payload any
		code    int
		slug    string
		detail  string
	}{
		{"nothing", object{"dry_run": true}, 400, "invalid-parameter", "either vm_ids or primary_server"},
		{"both", object{"dry_run": true, "vm_ids": []string{vm}, "primary_server": "x"}, 400, "invalid-parameter", "either"},
		{"blank server", object{"dry_run": true, "primary_server": " \u2800"}, 400, "invalid-parameter", "is blank"},
		{"no VM", object{"dry_run": true, "vm_ids": []string{}}, 400, "invalid-parameter", "either"},
		{"name", object{"dry_run": true, "vm_ids": []string{"dc01"}}, 400, "invalid-parameter", `"DC01" is not a GUID`},
		{
			"duplicate",
			object{"dry_run": true, "vm_ids": []string{vm, env.vms[5], strings.ToLower(vm)}},
			400, "invalid-parameter", "duplicate " + vm,
		},
		{"1025 VMs", object{"dry_run": true, "vm_ids": guids(1025)}, 400, "invalid-parameter", "up to 1024"},
		{"10,000 VMs", object{"dry_run": true, "vm_ids": guids(10_000)}, 413, "too-large", "65536"},
		{"no limit", object{"vm_ids": []string{vm}}, 400, "invalid-parameter", "max_data_loss_seconds: is required"},
		{
			"negative limit",
			object{"vm_ids": []string{vm}, "max_data_loss_seconds": -1},
			400, "bad-request", "must not be negative",
		},
		{"long name", object{"dry_run": true, "primary_server": strings.Repeat("x", 1001)}, 400, "bad-request", "1000 bytes"},
		{"blank reason", object{"dry_run": true, "primary_server": "x", "reason": " "}, 400, "bad-request", "is blank"},
		{"other field", object{"dry_run": true, "force": true}, 400, "bad-request", `field "force"`},
		{"no object", `["` + vm + `"]`, 400, "bad-request", "not a JSON object"},
	} {
		r := env.postBulk("fred", tt.payload)
		env.want(tt.name, r, tt.code, tt.slug)
		if detail, _ := r.json["detail"].(string); !strings.Contains(detail, tt.detail) {
			t.Errorf("%s: the detail is %q, want %q in it", tt.name, detail, tt.detail)
		}
	}
	r := env.request("HV02", "fred", http.MethodPost, apiBulkFailovers+"?dry_run=true", object{"vm_ids": []string{vm}})
	env.want("query", r, 400, "bad-request")
}
