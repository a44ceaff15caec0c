package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// The policy decides about each VM. A VM that the caller cannot fail over is refused; the others fail over.
func TestBulkFailoverAsksThePolicyAboutEachVM(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: viewer, vms: all}
  - {users: [tim], role: viewer, vms: 'dc01|web.*'}
  - {users: [fred], role: failover, vms: 'dc01|mail01', destructive: true}
  - {users: [fred], role: failover, vms: 'web01'}
  - {users: [fred], role: operator, vms: 'intranet01', destructive: true}
  - {users: [fred], role: failover, vms: 'sql02', destructive: true, methods: [commit-failover]}
  - {users: [omar], role: owner, vms: none, host: true}
`)
	env.want("reload", env.request("HV02", "omar", http.MethodPost, "/-/reload", object{}), 200, "")
	const unknown = "00000000-0000-4000-8000-000000000000"
	list := object{"vm_ids": []string{env.vms[2], env.vms[5], env.vms[0], env.vms[14], env.vms[22], env.vms[23], unknown}}
	end := env.waitForBulk("failover", env.confirmBulk(list))
	for vm, want := range map[int]string{
		2: "succeeded ", 5: "succeeded ", 0: "refused forbidden", 14: "refused forbidden", 22: "refused forbidden",
		23: "refused forbidden",
	} {
		entry, slug := env.bulkVMOf(end, vm)
		if got := fmt.Sprint(entry["state"], " ", slug); got != want {
			t.Errorf("VM %d: got %s, want %s", vm, got, want)
		}
	}
	for user, want := range map[string]string{
		"fred": "map[refused:5 succeeded:2]", "tim": "map[refused:1 succeeded:1]",
	} {
		shown := env.get("HV02", user, "/api/v1/bulk-failovers/"+end.json["id"].(string))
		if got := fmt.Sprint(shown.json["counts"]); got != want {
			t.Errorf("%s sees %s, want %s", user, got, want)
		}
	}
	if n := env.hosts["HV02"].pool.callCount(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// A caller learns nothing about VMs that no rule of the caller includes: in a list they look like VMs that do not exist,
// and they are not among the replicas of a server, in its name or in the results of other callers.
func TestBulkFailoverRevealsNothing(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: viewer, vms: all}
  - {users: [tim], role: viewer, vms: 'web.*'}
  - {users: [olga], role: viewer, vms: 'pki01'}
  - {users: [fred], role: failover, vms: 'dc01|mail01', destructive: true}
  - {users: [omar], role: owner, vms: none, host: true}
`)
	env.want("reload", env.request("HV02", "omar", http.MethodPost, "/-/reload", object{}), 200, "")
	const unknown = "00000000-0000-4000-8000-000000000000"
	dry := env.postBulk("fred", object{"dry_run": true, "vm_ids": []string{env.vms[2], env.vms[0], unknown}})
	vms := dry.json["vms"].([]any)
	hidden, missing := vms[1].(object), vms[2].(object)
	delete(hidden, "vm_id")
	delete(missing, "vm_id")
	if fmt.Sprint(hidden) != fmt.Sprint(missing) {
		t.Errorf("a VM of others is %v, one that does not exist %v", hidden, missing)
	}
	start := env.confirmBulk(object{"primary_server": server01})
	if got := bulkStates(start); len(got) != 2 || got[env.vms[2]] != "pending" || got[env.vms[5]] != "pending" {
		t.Errorf("the replicas of the server are %v", got)
	}
	env.waitForBulk("failover", start)
	location := start.header.Get("Location")
	env.want("bulk failover of VMs of others", env.get("HV02", "tim", location), 404, "not-found")
	env.want("bulk failover that does not exist", env.get("HV02", "fred", location+"x"), 404, "not-found")
	if list := env.get("HV02", "tim", "/api/v1/bulk-failovers").json["bulk_failovers"].([]any); len(list) > 0 {
		t.Errorf("the list for others has %v", list)
	}
	p := env.postBulk("olga", object{"dry_run": true, "primary_server": "HV99"})
	if detail := p.json["detail"].(string); strings.Contains(detail, "HV01") {
		t.Errorf("the detail for a caller who cannot see a replica is %q", detail)
	}
	env.want("replicas that the caller cannot see", env.postBulk("olga", object{
		"dry_run": true, "primary_server": server01,
	}), 404, "not-found")
}

// A caller sees of a bulk failover of another caller only the VMs that the policy allows, and counts only those.
func TestBulkFailoverShowsOnlyVisibleVMs(t *testing.T) {
	env := newTestEnv(t)
	start := env.confirmBulk(object{"vm_ids": []string{env.vms[2], env.vms[5], env.vms[9], env.vms[0]}})
	env.waitForBulk("failover", start)
	env.writePolicy(`
rules:
  - {users: [tim], role: viewer, vms: 'dc01|backup.*'}
  - {users: [omar], role: owner, vms: none, host: true}
`)
	env.want("reload", env.request("HV02", "omar", http.MethodPost, "/-/reload", object{}), 200, "")
	shown := env.get("HV02", "tim", start.header.Get("Location"))
	if got := fmt.Sprint(shown.json["counts"], len(bulkStates(shown))); got != "map[refused:1 succeeded:1] 2" {
		t.Errorf("got %s: %s", got, shown)
	}
}

// Callers without the role failover are refused, and so is everybody while the policy is read_only. The type of the
// problem is that of the VMs.
func TestBulkFailoverNeedsTheRoleFailover(t *testing.T) {
	env := newTestEnv(t)
	payload := object{"primary_server": server01, "max_data_loss_seconds": 1e9}
	for _, user := range []string{"vic", "olga", "tim"} {
		env.want(user, env.postBulk(user, payload), 403, "forbidden")
	}
	env.want("no rule", env.postBulk("stranger", payload), 403, "forbidden")
	env.writePolicy("read_only: true\n" + strings.TrimSuffix(strings.TrimSpace(fullPolicy), "\n..."))
	env.want("reload", env.request("HV02", "omar", http.MethodPost, "/-/reload", object{}), 200, "")
	env.want("read_only", env.postBulk("fred", payload), 403, "forbidden")
}

// If no VM can fail over, the problem has the type of the VMs if they have the same, and invalid-state otherwise. A
// replica whose primary server is not known is named.
func TestBulkFailoverWithoutAVMThatIsReady(t *testing.T) {
	env := newTestEnv(t)
	limited := object{"vm_ids": []string{env.vms[8]}, "max_data_loss_seconds": 1}
	env.want("beyond the limit", env.postBulk("fred", limited), 412, "data-loss-exceeded")
	limited["vm_ids"] = []string{env.vms[8], env.vms[9]}
	mixed := env.postBulk("fred", limited)
	env.want("several reasons", mixed, 409, "invalid-state")
	if got := fmt.Sprint(len(bulkStates(mixed)), mixed.json["confirmation_token"]); got != "2<nil>" && got != "2 <nil>" {
		t.Errorf("got %s: %s", got, mixed)
	}
	limited["vm_ids"] = []string{"00000000-0000-4000-8000-000000000000"}
	env.want("VM that does not exist", env.postBulk("fred", limited), 404, "not-found")
	env.hosts["HV02"].pool.onRead = func(dst any) {
		switch rows := dst.(type) {
		case *[]msvm.ReplicationSettingData:
			*rows = slices.DeleteFunc(*rows, func(row msvm.ReplicationSettingData) bool {
				return strings.Contains(row.InstanceID, env.vms[2]) || strings.Contains(row.InstanceID, env.vms[5])
			})
		case *[]msvm.ReplicationRelationship:
			for i := range *rows {
				if strings.Contains((*rows)[i].InstanceID, env.vms[5]) {
					(*rows)[i].ReplicationState = new(msvm.Disabled)
				}
			}
		}
	}
	dry := env.postBulk("fred", object{"dry_run": true, "primary_server": server01})
	entry, slug := env.bulkVMOf(dry, 2)
	if entry["state"] != "refused" || slug != "invalid-state" || entry["vm"] != "dc01" ||
		bulkStates(dry)[env.vms[5]] != "" || // it does not replicate
		!strings.Contains(dry.text, "the primary server of the VM is unknown") {
		t.Errorf("a replica without settings is %v", entry)
	}
}

// The list of bulk failovers has pages, the newest first.
func TestBulkFailoversAreListedInPages(t *testing.T) {
	env := newTestEnv(t)
	for _, id := range []string{"a", "b", "c"} {
		f := bulkFailover{ID: id, User: "fred", VMs: []bulkVM{{VMID: env.vms[2], State: bulkDone}}}
		if err := env.hosts["HV02"].server.store.Put(bucketBulk, id, f); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(query string) (all []string, next string) {
		t.Helper()
		r := env.get("HV02", "vic", "/api/v1/bulk-failovers"+query)
		for _, f := range r.json["bulk_failovers"].([]any) {
			all = append(all, f.(object)["id"].(string))
		}
		next, _ = r.json["continue"].(string)
		return all, next
	}
	first, next := ids("?limit=2")
	second, last := ids("?limit=2&continue=" + next)
	if fmt.Sprint(first, second) != "[c b] [a]" || last != "" {
		t.Errorf("the pages are %v and %v, then %q", first, second, last)
	}
}
