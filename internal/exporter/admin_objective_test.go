package exporter_test

import (
	"encoding/json"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// The admin endpoint shows the recovery point objective of --rpo.objective.
func TestAdminShowsObjectives(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	p := exportertest.Start(t, append(args, "--rpo.objective=17m")...)
	_, body := exportertest.Get(t, p.AdminURL(t)+"/api/v1/replicas?protected=true", exportertest.Owner...)
	var list struct {
		Replicas []struct {
			VM        string   `json:"vm"`
			Objective *float64 `json:"objective_seconds"`
		} `json:"replicas"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Replicas) == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	for _, r := range list.Replicas {
		if r.Objective == nil || *r.Objective != 1020 {
			t.Errorf("the objective of %s is %v, want 1020", r.VM, r.Objective)
		}
	}
}
