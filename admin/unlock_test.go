package admin

import (
	"context"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
)

// hungCall makes a call of tim that the host does not answer, an hour ago. The other calls are answered.
func (env *testEnv) hungCall(vm int, action string) (hung response, answer func()) {
	env.Helper()
	e := env.hosts["HV01"]
	e.server.options.CallTimeout = time.Nanosecond
	block := make(chan struct{})
	e.pool.setBlock(block)
	hung = env.postAction("HV01", "tim", vm, "primary", action, nil)
	env.want("call that hangs", hung, 202, "")
	<-e.pool.called
	e.pool.setBlock(nil)
	env.clock.Advance(time.Hour)
	return hung, func() { close(block) }
}

// unlock sends a request to unlock the VM of a call.
func (env *testEnv) unlock(user string, hung response, body any) response {
	env.Helper()
	return env.request("HV01", user, "POST", hung.header.Get("Location")+"/unlock", body)
}

// unlockConfirmation returns the body that confirms the unlocking of a VM.
func (env *testEnv) unlockConfirmation(vm int, first response) object {
	env.Helper()
	env.want("first request", first, 409, "confirmation-required")
	return object{
		"confirmation_token": first.json["confirmation_token"], "reason": "a test", "vm_name": env.vmName("HV01", vm),
	}
}

// A call that hangs does not keep its VM from failing over: a user with the role failover can unlock the VM, with a
// confirmation. The job of the call has an unknown outcome; the answer is recorded when it comes.
func TestFailoverAfterACallThatHangs(t *testing.T) {
	env := newTestEnv(t)
	hung, answer := env.hungCall(vmInbound, "suspend")
	busy := env.postAction("HV01", "fred", vmInbound, "primary", "failover", nil)
	env.want("failover", busy, 409, "busy")
	if !strings.Contains(busy.text, "/unlock") || strings.Contains(busy.text, "restart") ||
		busy.json["job"] != hung.header.Get("Location") {
		t.Errorf("the response does not say how to unlock the VM: %s", busy)
	}
	body := env.unlockConfirmation(vmInbound, env.unlock("fred", hung, nil))
	unlocked := env.unlock("fred", hung, body)
	env.want("unlocking", unlocked, 200, "")
	if unlocked.json["state"] != "unknown" || !strings.Contains(unlocked.text, "unlocked by fred") {
		t.Errorf("the job is %s, want the state unknown and who unlocked the VM", unlocked)
	}
	env.want("unlocking again", env.unlock("fred", hung, body), 409, "invalid-state")
	failover := env.postConfirmed("HV01", "fred", vmInbound, "failover", nil)
	env.want("failover", failover, 202, "")
	answer()
	env.hosts["HV01"].server.calls.Wait()
	late := env.get("HV01", "vic", hung.header.Get("Location"))
	if reply, _ := late.json["late_reply"].(object); late.json["state"] != "unknown" || reply["return_code"] == nil ||
		reply["time"] != env.clock.Now().Format(time.RFC3339Nano) {
		t.Errorf("the job is %s, want the state unknown and the answer of the host", late)
	}
	var events []string
	for _, r := range env.auditRecords("HV01") {
		if r.ID == late.json["id"] && r.Event != audit.Refused {
			events = append(events, string(r.Event)+" "+r.Action+" "+r.User+" "+r.State)
		}
		if r.Event == audit.Unlock && (r.Reason != "a test" || r.VMID != env.vms[vmInbound] || !r.Accepted.Confirmed) {
			t.Errorf("the audit record is %+v", r)
		}
	}
	const want = "intent suspend tim , unlock unlock fred , job suspend tim unknown, outcome suspend tim unknown"
	if got := strings.Join(events, ", "); got != want {
		t.Errorf("the audit log has %s, want %s", got, want)
	}
	env.waitForJob("failover", "HV01", failover, "succeeded")
}

// Only the role failover with destructive: true unlocks a VM, and only with a complete confirmation of this job.
func TestUnlockingIsConfirmed(t *testing.T) {
	env := newTestEnv(t)
	hung, answer := env.hungCall(vmReplicating, "test-connection")
	defer answer()
	for _, user := range []string{"vic", "tim", "olga"} {
		env.want("unlocking by "+user, env.unlock(user, hung, nil), 403, "forbidden")
	}
	env.want("another field", env.unlock("fred", hung, object{"dry_run": true}), 400, "bad-request")
	body := env.unlockConfirmation(vmReplicating, env.unlock("fred", hung, nil))
	for field, value := range map[string]string{"vm_name": "another", "reason": "", "confirmation_token": "x"} {
		right := body[field]
		body[field] = value
		env.want("another "+field, env.unlock("fred", hung, body), 409, "confirmation-invalid")
		body[field] = right
	}
	env.want("token of another user", env.unlock("omar", hung, body), 409, "confirmation-invalid")
	body = env.unlockConfirmation(vmReplicating, env.unlock("fred", hung, nil))
	other, answerOther := env.hungCall(vmReplicating, "suspend") // possible while the other call hangs
	defer answerOther()
	body["confirmation_token"] = env.unlock("fred", hung, nil).json["confirmation_token"]
	env.want("token of another job", env.unlock("fred", other, body), 409, "confirmation-invalid")
	env.want("unknown job", env.request("HV01", "fred", "POST", apiJobs+"/x/unlock", nil), 404, "not-found")
}

// A call can be unlocked when the host has not answered it for more than 30 seconds. Jobs of the host cannot.
func TestWhatCanBeUnlocked(t *testing.T) {
	env := newTestEnv(t)
	hung, answer := env.hungCall(vmReplicating, "test-connection")
	env.clock.Advance(30*time.Second - time.Hour)
	early := env.unlock("fred", hung, nil)
	env.want("unlocking after 30 s", early, 409, "invalid-state")
	if early.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After is %q, want 5", early.header.Get("Retry-After"))
	}
	env.clock.Advance(time.Nanosecond)
	env.want("unlocking later", env.unlock("fred", hung, nil), 409, "confirmation-required")
	answer()
	env.hosts["HV01"].server.calls.Wait()
	env.want("unlocking during the job", env.unlock("fred", hung, nil), 409, "invalid-state")
	env.waitForJob("test", "HV01", hung, "succeeded")
	env.want("unlocking after the job", env.unlock("fred", hung, nil), 409, "invalid-state")
}

// A VM is not unlocked if that cannot be written to the audit log.
func TestUnlockingNeedsTheAuditLog(t *testing.T) {
	env := newTestEnv(t)
	hung, answer := env.hungCall(vmReplicating, "test-connection")
	defer answer()
	body := env.unlockConfirmation(vmReplicating, env.unlock("fred", hung, nil))
	unblock := env.hosts["HV01"].blockAuditLog(env)
	env.want("unlocking", env.unlock("fred", hung, body), 503, "audit-unavailable")
	unblock()
	env.want("action on the VM",
		env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 409, "busy")
}

// The role failover of a rule that lists methods must list unlock, too.
func TestPolicyCanListUnlock(t *testing.T) {
	for methods, slug := range map[string]string{"failover": "forbidden", "failover, unlock": "confirmation-required"} {
		env := newTestEnv(t)
		env.writeFile(env.policy, "rules: [{users: [tim], role: operator, vms: all}, "+
			"{users: [omar], role: owner, vms: all, host: true}, "+
			"{users: [fred], role: failover, vms: all, destructive: true, methods: ["+methods+"]}]\n...\n")
		env.want("reload", env.request("HV01", "omar", "POST", "/-/reload", nil), 200, "")
		hung, answer := env.hungCall(vmReplicating, "test-connection")
		if r := env.unlock("fred", hung, nil); r.slug() != slug {
			t.Errorf("methods %s: %s, want %s", methods, r, slug)
		}
		answer()
	}
}

// A call that waits for a worker when its VM is unlocked never reaches the host.
func TestUnlockedCallThatWaitsIsNotMade(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	e.server.options.CallTimeout = time.Nanosecond
	env.setFaults("hung=TestReplicationConnection")
	for vm := 22; vm < 24; vm++ { // there are two workers
		env.want("call that hangs", env.postAction("HV01", "tim", vm, "primary", "test-connection", nil), 202, "")
	}
	waiting := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("call that waits", waiting, 202, "")
	env.clock.Advance(time.Hour)
	body := env.unlockConfirmation(vmReplicating, env.unlock("fred", waiting, nil))
	env.want("unlocking", env.unlock("fred", waiting, body), 200, "")
	env.setFaults()
	e.server.calls.Wait()
	env.clock.Advance(time.Hour)
	if r := env.get("HV01", "vic", env.replicaPath(vmReplicating, "primary")); r.json["state"] != "replicating" {
		t.Errorf("the VM is %v: the call was made", r.json["state"])
	}
	if j := env.get("HV01", "vic", waiting.header.Get("Location")); j.json["late_reply"] == nil {
		t.Errorf("the job does not say that the call was cancelled: %s", j)
	}
}

// A call ends when it is abandoned before it reaches the host, and not with its request.
func TestAbandonedCall(t *testing.T) {
	early := &hostCall{}
	early.abandon()
	if early.context(t.Context()).Err() == nil {
		t.Error("a call that was abandoned before it waits is made")
	}
	request, cancel := context.WithCancel(t.Context())
	c := &hostCall{}
	ctx := c.context(request)
	cancel()
	if ctx.Err() != nil {
		t.Error("the call ends with its request")
	}
	c.abandon()
	if ctx.Err() == nil {
		t.Error("the call is not abandoned")
	}
}
