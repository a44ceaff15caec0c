package admin

import (
	"fmt"
	"testing"
	"time"
)

// A rule by the name of a VM also covers its maintenance.
func TestMaintenanceOfAVMByName(t *testing.T) {
	env := newTestEnv(t)
	mine := env.vms[vmReplicating]
	env.writePolicy("rules:\n  - {users: [tim], role: operator, vms: \"" + env.vmName("HV01", vmReplicating) + "\"}\n" +
		"  - {users: [omar], role: owner, destructive: true, vms: all, host: true}\n")
	env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
	r := env.postMaintenance("tim", object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour), "vm_id": mine})
	env.want("announce", r, 201, "")
	if l := env.get("HV01", "tim", apiMaintenance).json["maintenance"].([]any); len(l) != 1 {
		t.Errorf("list %v", l)
	}
	env.want("end", env.request("HV01", "tim", "POST", apiMaintenance+"/"+r.json["id"].(string)+"/end", nil), 200, "")
}

// The view of a relationship has the jobs of its own VM only.
func TestViewHasJobsOfItsVMOnly(t *testing.T) {
	env := newTestEnv(t)
	env.want("a", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
	env.want("b", env.postAction("HV01", "tim", 2, "primary", "test-connection", nil), 202, "")
	jobs, _ := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")).json["jobs"].([]any)
	if len(jobs) != 1 || jobs[0].(object)["vm_id"] != env.vms[vmReplicating] {
		t.Errorf("jobs %v", jobs)
	}
}

// A limiter that is full forgets no client that has used up its burst.
func TestFullLimiterKeepsThrottledClients(t *testing.T) {
	l, now := newLimiter(1, 10), time.Now()
	for range 10 {
		l.take("x", now)
	}
	for i := range maxCallers - 1 {
		l.take(fmt.Sprint(i), now)
	}
	now = now.Add(2 * time.Second)
	l.take("new", now)
	n := 0
	for range 10 {
		if l.take("x", now) == 0 {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d allowed, want 2", n)
	}
}

// When the limit of actions is reached, a failover is still possible, and the view says so.
func TestViewAllowsFailoverAtTheLimitOfActions(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.MaxActions = 1 })
	env.want("first", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
	view := env.get("HV01", "fred", env.replicaPath(vmInbound, "primary")).json
	refused := map[string]bool{}
	for _, r := range view["refused_operations"].([]any) {
		refused[r.(object)["operation"].(string)] = true
	}
	if refused["failover"] || !refused["test-failover"] {
		t.Errorf("refused operations %v, want test-failover but not failover", refused)
	}
	env.want("failover", env.postConfirmed("HV01", "fred", vmInbound, "failover", nil), 202, "")
}
