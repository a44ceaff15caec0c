package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/admin/internal/audit"
)

// postBulk requests a bulk failover on HV02.
func (env *testEnv) postBulk(user string, payload any, headers ...string) response {
	env.Helper()
	return env.request("HV02", user, http.MethodPost, "/api/v1/bulk-failovers", payload, headers...)
}

// confirmBulk requests a bulk failover on HV02 as fred, and confirms it with the number of VMs of the first response.
func (env *testEnv) confirmBulk(payload object) response {
	env.Helper()
	payload = maps.Clone(payload)
	if payload["max_data_loss_seconds"] == nil {
		payload["max_data_loss_seconds"] = 1e9
	}
	return env.postBulk("fred", env.bulkConfirmation(env.postBulk("fred", payload), payload))
}

// bulkConfirmation returns the body that confirms a bulk failover, from the response to its first request.
func (env *testEnv) bulkConfirmation(first response, payload object) object {
	env.Helper()
	env.want("first request of a bulk failover", first, http.StatusConflict, "confirmation-required")
	next := object{
		"confirmation_token": first.json["confirmation_token"], "reason": "a test", "host_name": "HV02",
		"vm_count": first.json["vm_count"],
	}
	maps.Copy(next, payload)
	return next
}

// waitForBulk advances the clock until a bulk failover is completed.
func (env *testEnv) waitForBulk(what string, r response) response {
	env.Helper()
	location := r.header.Get("Location")
	if r.code != http.StatusAccepted || !strings.HasPrefix(location, "/api/v1/bulk-failovers/") {
		env.Fatalf("%s: no bulk failover was started: %s", what, r)
	}
	for range 4000 {
		f := env.get("HV02", "vic", location)
		if f.code != http.StatusOK || f.json["state"] == "completed" {
			return f
		}
		if counts := f.json["counts"].(object); counts["running"] != nil {
			env.clock.Advance(5 * time.Second)
		}
	}
	env.Fatalf("%s: the bulk failover does not end", what)
	return r
}

// bulkStates returns the states of the VMs in a response, by GUID.
func bulkStates(r response) map[string]string {
	states := map[string]string{}
	vms, _ := r.json["vms"].([]any)
	for _, vm := range vms {
		states[vm.(object)["vm_id"].(string)] = vm.(object)["state"].(string)
	}
	return states
}

// bulkVMOf returns a VM in a response, with the type of its problem without the prefix.
func (env *testEnv) bulkVMOf(r response, vm int) (entry object, slug string) {
	env.Helper()
	vms, _ := r.json["vms"].([]any)
	i := slices.IndexFunc(vms, func(v any) bool { return v.(object)["vm_id"] == env.vms[vm] })
	if i < 0 {
		env.Errorf("VM %d is not in %s", vm, r)
		return nil, ""
	}
	entry = vms[i].(object)
	if p, ok := entry["problem"].(object); ok {
		slug = strings.TrimPrefix(p["type"].(string), "urn:hyperv-replica-exporter:problem:")
	}
	return entry, slug
}

// bulkAudit returns the events and the VMs of the audit records of HV02 that belong to a bulk failover.
func (env *testEnv) bulkAudit(id string) []string {
	env.Helper()
	var all []string
	for _, r := range env.auditRecords("HV02") {
		if r.BulkID == id && r.Event != audit.JobEnded {
			all = append(all, strings.TrimSpace(string(r.Event)+" "+r.VMID))
		}
	}
	return all
}
