package admin

import (
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/operation"
)

// A relationship has every action, either as allowed or as refused with a reason. Failures of the host are reported.
func TestReplicas(t *testing.T) {
	env := newTestEnv(t)
	list := env.get("HV01", "vic", apiReplicas)
	all, _ := list.json["replicas"].([]any)
	if len(all) < 30 || !strings.Contains(list.text, env.vms[vmStandalone]) {
		t.Errorf("%d replicas are listed, or a VM that does not replicate is missing", len(all))
	}
	for _, x := range all {
		r := env.get("HV01", "omar", x.(object)["url"].(string))
		allowed, _ := r.json["allowed_operations"].([]any)
		refused, _ := r.json["refused_operations"].([]any)
		if len(allowed)+len(refused) != len(operation.Actions()) {
			t.Errorf("%d operations are allowed and %d refused, of %d", len(allowed), len(refused), len(operation.Actions()))
		}
		for _, x := range refused {
			if o := x.(object); o["reason"] == "" || o["type"] == "" {
				t.Errorf("%v is refused without a reason", o)
			}
		}
	}
	r := env.get("HV01", "omar", env.replicaPath(vmReplicating, "primary"))
	if got, _ := r.json["allowed_operations"].([]any); !slices.Contains(got, any("suspend")) ||
		slices.Contains(got, any("resume")) || slices.Contains(got, any("failover")) {
		t.Errorf("allowed_operations is %v", got)
	}
	if r.json["pending_bytes"] == nil || r.json["lag_seconds"] == nil || r.json["statistics"] == nil {
		t.Errorf("lag, pending bytes or statistics are missing: %s", r)
	}
	if r := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")); r.json["pending_bytes"] != nil {
		t.Errorf("the receiving side shows pending bytes: %s", r)
	}
	if r := env.get("HV01", "vic", env.replicaPath(vmSuspended, "primary")); len(r.json["health_issues"].([]any)) == 0 {
		t.Errorf("a suspended VM has no health issue: %s", r)
	}
	env.setFaults("denied")
	env.want("access denied", env.get("HV01", "vic", apiReplicas), 403, "access-denied")
	env.setFaults("disconnected")
	env.want("disconnected", env.get("HV01", "vic", apiReplicas), 503, "host-unavailable")
	env.setFaults("class-missing=Msvm_ReplicationRelationship")
	env.want("missing class", env.get("HV01", "vic", apiReplicas), 501, "not-supported")
}
