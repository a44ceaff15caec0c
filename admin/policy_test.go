package admin

import (
	"fmt"
	"testing"
	"time"
)

// Without a policy file all callers are viewers.
func TestNoPolicyAllowsOnlyReading(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.PolicyFile, o.WebConfigFile = "", "" })
	env.want("read", env.get("HV01", "", "/api/v1/replicas"), 200, "")
	env.want("action", env.postAction("HV01", "", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("action with a password",
		env.postAction("HV01", "omar", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("reload", env.request("HV01", "", "POST", "/-/reload", nil), 403, "forbidden")
	env.want("method that only reads",
		env.request("HV01", "", "POST", "/api/v1/methods/GetSystemCertificates", nil), 200, "")
	env.want("method", env.request("HV01", "", "POST", "/api/v1/methods/StartService", nil), 403, "forbidden")
}

// A rule is for users, and can be limited to methods and VMs.
func TestPolicyRules(t *testing.T) {
	env := newTestEnv(t)
	name := env.vmName("HV01", vmReplicating)
	env.writePolicy(fmt.Sprintf(`
rules:
  - {users: [vic], role: viewer, vms: all, host: true}
  - {users: [olga], role: operator, vms: '%s'}
  - {users: [tim], role: operator, methods: [suspend], vms: all, host: true}
  - {users: [fred], role: operator, methods: [RequestReplicationStateChangeEx], vms: '(?i)%s'}
  - {users: [fred], role: failover, methods: [CommitFailover], destructive: true, vms: all, host: true}
  - {users: [omar], role: owner, vms: all, host: true}
`, env.vms[vmReplicating], name))
	env.hosts["HV01"].server.Reload()
	dry := object{"dry_run": true}
	for _, tt := range []struct {
		user   string
		vm     int
		action string
		code   int
	}{
		{"olga", vmReplicating, "suspend", 200},
		{"olga", vmInbound, "suspend", 403},
		{"tim", vmReplicating, "suspend", 200},
		{"tim", vmInbound, "suspend", 200},
		{"tim", vmReplicating, "test-connection", 403},
		{"fred", vmReplicating, "suspend", 200},
		{"fred", vmInbound, "suspend", 403},
		{"fred", vmReplicating, "test-connection", 403},
		{"fred", vmReplicating, "failover", 403},
		{"omar", vmReplicating, "suspend", 200},
		{"omar", vmReplicating, "remove", 403}, // destructive
	} {
		if r := env.postAction("HV01", tt.user, tt.vm, "primary", tt.action, dry); r.code != tt.code {
			t.Errorf("%s by %s: got %s, want %d", tt.action, tt.user, r, tt.code)
		}
	}
	env.want("read another VM", env.get("HV01", "olga", env.replicaPath(vmInbound, "primary")), 403, "forbidden")
	if all, _ := env.get("HV01", "olga", apiReplicas).json["replicas"].([]any); len(all) != 1 {
		t.Errorf("%d replicas are listed, want 1", len(all))
	}
	env.want("method about the host",
		env.request("HV01", "olga", "POST", "/api/v1/methods/GetSystemCertificates", nil), 403, "forbidden")
}

// A read_only policy denies all actions. Only an owner can end it.
func TestReadOnlyPolicy(t *testing.T) {
	env := newTestEnv(t)
	env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("action", env.postAction("HV01", "omar", vmReplicating, "primary", "suspend", nil), 403, "forbidden")
	env.want("announcement", env.postMaintenance("omar",
		object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
	env.want("read", env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")), 200, "")
	env.writeFile(env.policy, fullPolicy)
	env.want("reload by another role", env.request("HV01", "fred", "POST", "/-/reload", nil), 403, "forbidden")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("action after read_only",
		env.postAction("HV01", "omar", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
}

// A rule for some VMs includes neither VMs whose name only begins or ends with the expression, nor the host.
func TestRuleForVMsIsNotForOthers(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: viewer, vms: all, host: true}
  - {users: [olga], role: owner, destructive: true, vms: 'web|sql.*|c0\d'}
  - {users: [omar], role: owner, destructive: true, vms: '.*'}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		vm   int
		name string
		code int
	}{
		{vmReplicating, "web01", 403}, {vmInbound, "sql01", 200}, {2, "dc01", 403}, {22, "sql02", 200}, {23, "dc02", 403},
	} {
		if got := env.vmName("HV01", tt.vm); got != tt.name {
			t.Fatalf("the name of VM %d is %s, want %s", tt.vm, got, tt.name)
		}
		if r := env.postAction("HV01", "olga", tt.vm, "primary", "suspend", object{"dry_run": true}); r.code != tt.code {
			t.Errorf("action on %s: got %s, want %d", tt.name, r, tt.code)
		}
		if r := env.get("HV01", "olga", env.replicaPath(tt.vm, "primary")); r.code != tt.code {
			t.Errorf("read of %s: got %s, want %d", tt.name, r, tt.code)
		}
	}
	for _, user := range []string{"olga", "omar"} {
		for _, method := range []string{"GetSystemCertificates", "ModifyServiceSettings", "AddAuthorizationEntry"} {
			env.want(method+" by "+user, env.postMethod("HV01", user, method, nil), 403, "forbidden")
		}
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// What a request destroys, and the role that it needs, can depend on its parameters and on the host. The policy decides
// on that, too.
func TestPolicyDecidesOnTheWholePlan(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic], role: viewer, vms: all, host: true}
  - {users: [olga], role: operator, destructive: true, vms: all, host: true}
  - {users: [tim], role: owner, vms: all, host: true}
  - {users: [omar], role: owner, destructive: true, vms: all, host: true}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	settings := func(change object) object {
		return object{"ComputerSystem": env.vms[vmWithRecoveryPoints], "ReplicationSettingData": change}
	}
	replication := func(kind int) object {
		return object{"ComputerSystem": env.vms[vmNotStarted], "InitialReplicationType": kind}
	}
	for _, tt := range []struct {
		name, user, method string
		parameters         object
		code               int
		slug               string
	}{
		{"fewer recovery points", "tim", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 1}), 403, "forbidden"},
		{"fewer disks", "tim", "ModifyReplicationSettings", settings(object{"IncludedDisks": []string{}}), 403, "forbidden"},
		{"more recovery points", "tim", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 24}), 200, ""},
		{"fewer recovery points, destructive", "omar", "ModifyReplicationSettings", settings(object{"RecoveryHistory": 1}), 200, ""},
		{"no replica server", "tim", "ModifyServiceSettings", object{"SettingData": object{"RecoveryServerEnabled": false}}, 403, "forbidden"},
		{"no replica server, destructive", "omar", "ModifyServiceSettings", object{"SettingData": object{"RecoveryServerEnabled": false}}, 200, ""},
		{"initial replication by export", "olga", "StartReplication", replication(2), 403, "forbidden"},
		{"initial replication", "olga", "StartReplication", replication(1), 200, ""},
		{"initial replication, viewer", "vic", "StartReplication", replication(1), 403, "forbidden"},
	} {
		env.want(tt.name, env.postMethod("HV01", tt.user, tt.method+"?dry_run=true", object{"parameters": tt.parameters}),
			tt.code, tt.slug)
	}
}

// A caller who cannot execute an action learns nothing about the VM from its problems.
func TestRefusalByPolicyComesFirst(t *testing.T) {
	env := newTestEnv(t)
	for _, tt := range []struct {
		name   string
		vm     int
		action string
		body   object
	}{
		{"action that does not apply", vmInbound, "resynchronize", object{}},
		{"action in a wrong state", vmSuspended, "suspend", object{}},
		{"unknown parameter", vmReplicating, "suspend", object{"parameters": object{"x": 1}}},
		{"unknown recovery point", vmInbound, "failover", object{"parameters": object{"SnapshotSettingData": "x"}}},
		{"target", vmReplicating, "suspend", object{"target": env.vms[2]}},
	} {
		env.want(tt.name, env.postAction("HV01", "vic", tt.vm, "primary", tt.action, tt.body), 403, "forbidden")
	}
}
