package admin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A caller whose rules are for some VMs gets the same response for another VM and for a VM that does not exist, on
// every path that has the GUID of a VM or the ID of a job.
func TestOtherVMsAreLikeMissingVMs(t *testing.T) {
	env := newTestEnv(t)
	mine, other := env.vms[vmReplicating], env.vms[vmInbound]
	const missing = "00000000-1111-2222-3333-444444444444"
	env.writePolicy("rules:\n" +
		"  - {users: [vic], role: viewer, vms: '" + env.vmName("HV01", vmReplicating) + "'}\n" +
		"  - {users: [tim], role: owner, vms: '" + mine + "', destructive: true}\n" +
		"  - {users: [omar], role: owner, vms: all, host: true, destructive: true}\n")
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	jobs := env.hosts["HV01"].server.jobs
	for id, vm := range map[string]string{"job-of-mine": mine, "job-of-other": other} {
		if err := jobs.Begin(job.Record{
			ID: id, State: job.Failed, Action: "suspend", VMID: vm, Created: env.clock.Now(), Role: "operator",
		}); err != nil {
			t.Fatal(err)
		}
	}
	maintenanceOf := func(vm string) string {
		r := env.postMaintenance("omar",
			object{"vm_id": vm, "owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)})
		env.want("maintenance", r, 201, "")
		return r.json["id"].(string)
	}
	type example struct{ method, path, body string }
	inVM := func(method, path, body string) [3]example {
		var all [3]example
		for i, vm := range []string{mine, other, missing} {
			all[i] = example{method, strings.ReplaceAll(path, "VM", vm), strings.ReplaceAll(body, "VM", vm)}
		}
		return all
	}
	byID := func(method, path, body string, ids ...string) (all [3]example) {
		for i, id := range ids {
			all[i] = example{method, strings.ReplaceAll(path, "ID", id), body}
		}
		return all
	}
	var requests [][3]example
	for _, link := range []string{"primary", "extended"} {
		requests = append(requests, inVM("GET", apiReplicas+"/VM/"+link, ""))
		for _, action := range []string{"suspend", "resynchronize", "failover", "cancel-failover", "cleanup-test-failover"} {
			requests = append(requests, inVM("POST", apiReplicas+"/VM/"+link+"/actions/"+action, "{}"))
		}
	}
	requests = append(requests,
		inVM("POST", apiReplicas+"/VM/primary/actions/suspend", `{"dry_run": true}`),
		inVM("POST", apiReplicas+"/VM/primary/actions/suspend", `{"expected_state": "suspended"}`),
		inVM("POST", apiReplicas+"/VM/primary/actions/suspend", `{"parameters": {"x": 1}}`),
		inVM("POST", apiReplicas+"/VM/nonsense/actions/suspend", `{}`),
		inVM("POST", apiMaintenance, `{"vm_id": "VM", "owner": "a", "reason": "b", "until": "2026-11-22T13:00:00Z"}`),
		byID("GET", apiJobs+"/ID", "", "job-of-mine", "job-of-other", "job-missing!"),
		byID("POST", apiJobs+"/ID/cancel", "{}", "job-of-mine", "job-of-other", "job-missing!"),
		byID("POST", apiMaintenance+"/ID/end", "{}", maintenanceOf(mine), maintenanceOf(other), strings.Repeat("x", 26)),
	)
	for _, m := range msvm.Methods() {
		if isAboutVM(m) {
			requests = append(requests,
				inVM("POST", apiMethods+"/"+m.Name, `{"target": "VM", "parameters": {"RequestedState": 7}}`),
				inVM("POST", apiMethods+"/"+m.Name, `{"parameters": {"ComputerSystem": "VM", "AffectedSystem": "VM"}}`),
				inVM("POST", apiMethods+"/"+m.Name, `{"parameters": {"ComputerSystem": "VM"}}`),
				inVM("POST", apiMethods+"/"+m.Name, `{"parameters": {"AffectedSystem": "VM"}}`))
		}
	}
	// The response names what the request names. It must say nothing else about it.
	same := func(r response, e example) string {
		text := strings.ReplaceAll(r.text, e.path, "PATH")
		for _, name := range []string{other, missing} {
			text = strings.ReplaceAll(text, name, "VM")
		}
		for part := range strings.SplitSeq(e.path, "/") {
			if len(part) >= len("job-of-mine") && part != "maintenance" {
				text = strings.ReplaceAll(text, `\"`+part+`\"`, "NAME")
			}
		}
		return text
	}
	different := 0
	for _, user := range []string{"vic", "tim"} {
		for _, tt := range requests {
			a := env.request("HV01", user, tt[1].method, tt[1].path, tt[1].body)
			b := env.request("HV01", user, tt[2].method, tt[2].path, tt[2].body)
			if a.code != b.code || same(a, tt[1]) != same(b, tt[2]) || a.header.Get("Retry-After") != b.header.Get("Retry-After") {
				t.Errorf("%s %s %s by %s: got %s for another VM, %s for a missing one",
					tt[1].method, tt[1].path, tt[1].body, user, a, b)
			}
			if c := env.request("HV01", user, tt[0].method, tt[0].path, tt[0].body); same(c, tt[0]) != same(a, tt[1]) {
				different++
			}
		}
	}
	if different < len(requests)/2 {
		t.Errorf("only %d of %d requests about a VM in scope have another response", different, 2*len(requests))
	}
	env.want("missing VM for a caller of all VMs", env.get("HV01", "omar", apiReplicas+"/"+missing+"/primary"), 404, "not-found")
}

// A request about the host needs host: true, whatever the other fields of the rule are.
func TestHostIsExplicit(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: viewer, vms: all}
  - {users: [fred], role: viewer, vms: all, host: true}
  - {users: [olga], role: owner, destructive: true, vms: all}
  - {users: [omar], role: owner, destructive: true, vms: none, host: true}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	announcement := object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}
	for _, tt := range []struct {
		user, method, path string
		body               any
		code               int
	}{
		{"vic", "GET", apiReplicas, nil, 200},
		{"vic", "GET", apiAuthorization, nil, 403},
		{"fred", "GET", apiAuthorization, nil, 200},
		{"olga", "GET", apiAuthorization, nil, 403},
		{"omar", "GET", apiAuthorization, nil, 200},
		{"vic", "POST", "/api/v1/methods/GetSystemCertificates", nil, 403},
		{"fred", "POST", "/api/v1/methods/GetSystemCertificates", nil, 200},
		{"olga", "POST", "/api/v1/methods/ModifyServiceSettings", object{"dry_run": true}, 403},
		{"olga", "POST", apiMaintenance, announcement, 403},
		{"omar", "POST", apiMaintenance, announcement, 201},
		{"olga", "POST", "/-/reload", nil, 403},
		{"omar", "POST", "/-/reload", nil, 200},
		{"olga", "GET", env.replicaPath(vmReplicating, "primary"), nil, 200},
		{"omar", "GET", env.replicaPath(vmReplicating, "primary"), nil, 403},
		{"omar", "POST", env.replicaPath(vmReplicating, "primary") + "/actions/suspend", nil, 403},
	} {
		if r := env.request("HV01", tt.user, tt.method, tt.path, tt.body); r.code != tt.code {
			t.Errorf("%s %s by %s: got %s, want %d", tt.method, tt.path, tt.user, r, tt.code)
		}
	}
	if all, _ := env.get("HV01", "omar", apiReplicas).json["replicas"].([]any); len(all) > 0 {
		t.Errorf("%d replicas are listed under vms: none", len(all))
	}
}

// What sends data to another place, or lets others send data to this host, needs destructive: true and a confirmation.
func TestSendingDataElsewhereIsDestructive(t *testing.T) {
	env := newTestEnv(t)
	entry := *env.authorizationEntries("HV01")[0].AllowedPrimaryHostSystem
	settings := func(vm int, change object) object {
		return object{"ComputerSystem": env.vms[vm], "ReplicationSettingData": change}
	}
	service := func(change object) object { return object{"SettingData": change} }
	env.writePolicy(`
rules:
  - {users: [tim], role: owner, vms: all, host: true}
  - {users: [omar], role: owner, vms: all, host: true, destructive: true}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method      string
		parameters  object
		destructive bool
	}{
		{"ModifyReplicationSettings", settings(vmReplicating, object{"RecoveryConnectionPoint": "evil.example"}), true},
		{"ModifyReplicationSettings", settings(vmReplicating, object{"RecoveryHostSystem": "evil.example"}), true},
		{"ModifyReplicationSettings", settings(vmReplicating, object{"RecoveryServerPortNumber": 8080}), true},
		{"ModifyReplicationSettings", settings(vmReplicating, object{"CertificateThumbPrint": "AB"}), true},
		{"ModifyReplicationSettings", settings(vmReplicating, object{"CompressionEnabled": false}), false},
		{"CreateReplicationRelationship", settings(vmStandalone, object{"RecoveryConnectionPoint": "evil.example"}), true},
		{"AddAuthorizationEntry", object{"AuthorizationEntry": object{"AllowedPrimaryHostSystem": "*.evil.example"}}, true},
		{"ModifyAuthorizationEntry", object{"AuthorizationEntry": object{"AllowedPrimaryHostSystem": entry, "ReplicaStorageLocation": `\\evil\x`}}, true},
		{"SetAuthorizationEntry", object{"ComputerSystem": env.vms[vmInbound], "AuthorizationEntry": object{"AllowedPrimaryHostSystem": entry}}, true},
		{"StartReplication", object{"ComputerSystem": env.vms[vmNotStarted], "InitialReplicationType": 2, "InitialReplicationExportLocation": `\\evil\x`}, true},
		{"StartReplication", object{"ComputerSystem": env.vms[vmNotStarted], "InitialReplicationType": 1}, false},
		{"ModifyServiceSettings", service(object{"HttpPort": 8080}), true},
		{"ModifyServiceSettings", service(object{"AllowedAuthenticationType": 1}), true},
		{"ModifyServiceSettings", service(object{"MonitoringInterval": 7200}), false},
	} {
		body := object{"parameters": tt.parameters}
		r := env.postMethod("HV01", "tim", tt.method+"?dry_run=true", body)
		if want := map[bool]int{true: 403, false: 200}[tt.destructive]; r.code != want {
			t.Errorf("%s %v without destructive: got %s, want %d", tt.method, tt.parameters, r, want)
		}
		r = env.postMethod("HV01", "omar", tt.method+"?dry_run=true", body)
		if r.code != http.StatusOK || r.json["requires_confirmation"] != tt.destructive {
			t.Errorf("%s %v with destructive: got %s, want a confirmation: %v", tt.method, tt.parameters, r, tt.destructive)
		}
	}
}
