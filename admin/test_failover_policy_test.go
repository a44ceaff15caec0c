package admin

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A caller without destructive can end a test failover that was started through the endpoint, with a confirmation, and
// no other one. The endpoint knows that after a restart, too.
func TestCleanupOfAnOwnTestIsNotDestructive(t *testing.T) {
	env := newTestEnv(t)
	env.want("test failover that another program started",
		env.postAction("HV01", "tim", vmWithTestVM, "primary", "cleanup-test-failover", nil), 403, "forbidden")
	done := env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "tim", vmReplicating, "primary", "test-failover", nil), "succeeded")
	test, _ := done.json["test_vm_id"].(string)
	env.restartEndpoint("HV02")
	allowed := env.get("HV02", "tim", env.replicaPath(vmReplicating, "primary")).json["allowed_operations"]
	wantJSON(t, "allowed operations", allowed, `["suspend","cleanup-test-failover"]`)
	method := object{"parameters": object{"AffectedSystem": test}}
	env.want("method", env.postMethod("HV02", "tim", msvm.MethodDestroySystem, method), 409, "confirmation-required")
	env.waitForJob("clean up", "HV02",
		env.postConfirmed("HV02", "tim", vmReplicating, "cleanup-test-failover", nil), "succeeded")
}

// The test VM of a job belongs to the replica of that job only.
func TestTestVMOfAnotherReplicaIsNotTheOwnTest(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.reply = replyWith(wmiquery.Reply{
		Out: map[string]any{"ResultingSystem": msvm.VMRef(env.testVMOf("HV01", vmWithTestVM))},
	})
	env.want("test failover", env.postAction("HV01", "tim", vmInbound, "primary", "test-failover", nil), 200, "")
	env.want("clean up",
		env.postAction("HV01", "tim", vmWithTestVM, "primary", "cleanup-test-failover", nil), 403, "forbidden")
}

// The callers of the example in the documentation can do what the text after it says, and nothing else.
func TestCallersOfTheExamplePolicy(t *testing.T) {
	env := newTestEnv(t)
	env.writeFile(env.policy, strings.NewReplacer(
		"grafana", "vic", "bob", "tim", "ada", "fred", "root", "omar", "'web.*'", env.vmName("HV02", vmReplicating),
		"subjects: ['CN=automation,O=Contoso']", "users: [stranger]",
	).Replace(examplePolicy(t)))
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	env.want("reload", env.request("HV02", "omar", "POST", "/-/reload", nil), 200, "")
	dryRun := object{"dry_run": true}
	for _, tt := range []struct {
		host, user string
		vm         int
		action     string
		want       int
	}{
		{"HV02", "vic", vmReplicating, "suspend", 403},
		{"HV02", "tim", vmReplicating, "suspend", 200},
		{"HV02", "tim", vmReplicating, "test-failover", 200},
		{"HV02", "tim", vmReplicating, "failover", 403},
		{"HV02", "tim", vmWithRecoveryPoints, "suspend", 403},
		{"HV01", "tim", vmReplicating, "resynchronize", 403},
		{"HV02", "fred", vmReplicating, "failover", 200},
		{"HV02", "fred", vmWithRecoveryPoints, "failover", 200},
		{"HV01", "fred", vmReplicating, "remove", 403},
		{"HV01", "omar", vmReplicating, "remove", 200},
		{"HV02", "stranger", vmReplicating, "suspend", 200},
		{"HV02", "stranger", vmReplicating, "test-failover", 403},
	} {
		r := env.postAction(tt.host, tt.user, tt.vm, "primary", tt.action, dryRun)
		if r.code != tt.want {
			t.Errorf("%s of VM %d by %s: got %s, want %d", tt.action, tt.vm, tt.user, r, tt.want)
		}
	}
	env.waitForJob("test failover",
		"HV02", env.postAction("HV02", "tim", vmReplicating, "primary", "test-failover", nil), "succeeded")
	env.waitForJob("clean up",
		"HV02", env.postConfirmed("HV02", "tim", vmReplicating, "cleanup-test-failover", nil), "succeeded")
}
