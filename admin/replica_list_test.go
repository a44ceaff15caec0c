package admin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The list has every VM once or with both of its relationships, those without replication, too.
func TestListHasEveryVM(t *testing.T) {
	env := newTestEnv(t)
	systems, err := wmiquery.All[msvm.ComputerSystem](t.Context(), env.hosts["HV01"].pool)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string][]string{}
	for _, v := range env.listedBy("vic", "") {
		listed[v["vm_id"].(string)] = append(listed[v["vm_id"].(string)], v["relationship"].(string))
	}
	vms := 0
	for _, c := range systems {
		if c.IsVM() {
			vms++
			if len(listed[strings.ToUpper(c.Name)]) == 0 {
				t.Errorf("%s is not listed", c.Name)
			}
		}
	}
	if len(listed) != vms {
		t.Errorf("%d VMs are listed, the host has %d", len(listed), vms)
	}
	wantJSON(t, "both relationships", listed[env.vms[vmExtended]], `["primary","extended"]`)
	wantJSON(t, "one relationship", listed[env.vms[vmReplicating]], `["primary"]`)
	v := env.listed("HV01", env.vms[vmStandalone])
	wantJSON(t, "a VM without replication", []any{
		v["protected"], v["state"], v["mode"], v["lag_seconds"], v["pending_bytes"], v["objective_seconds"], v["jobs"],
		v["health_issues"],
	}, `[false,"disabled","none",null,null,null,[],[]]`)
}

// listedBy returns the entries of the list of HV01 for a user and a query.
func (env *testEnv) listedBy(user, query string) (all []object) {
	env.Helper()
	r := env.get("HV01", user, apiReplicas+query)
	env.want("list", r, http.StatusOK, "")
	for _, x := range r.json["replicas"].([]any) {
		all = append(all, x.(object))
	}
	return all
}

// A VM without a relationship is listed without a URL and without actions. If the VM replicates by its mode, its state is
// unknown, not disabled.
func TestListedVMWithoutARelationship(t *testing.T) {
	env := newTestEnv(t)
	vm, lost := env.vms[vmStandalone], env.vms[vmReplicating]
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
			*rows = slices.DeleteFunc(*rows, func(r msvm.ReplicationRelationship) bool {
				return strings.Contains(r.InstanceID, vm) || strings.Contains(r.InstanceID, lost)
			})
		}
	}
	v := env.listed("HV01", vm)
	wantJSON(t, "without replication",
		[]any{v["vm"] != "", v["protected"], v["state"], v["url"], v["allowed_operations"]}, `[true,false,"disabled",null,[]]`)
	v = env.listed("HV01", lost)
	if unknown := env.listedBy("vic", "?state=unknown&health=unknown"); len(unknown) != 1 || unknown[0]["vm_id"] != lost {
		t.Errorf("with an unknown state and health: %v", unknown)
	}
	wantJSON(t, "primary VM", []any{v["protected"], v["state"], v["mode"], v["url"], v["lag_seconds"]},
		`[true,"unknown","primary",null,null]`)
}

// An entry of the list has what an operator needs first: the health with its text, the lag and the objective, what is
// pending, the running job, the last test with its result, and the actions that the caller can run.
func TestListAnswersAnOperator(t *testing.T) {
	env := newTestEnv(t, func(o *Options) {
		o.Objective = func(name, id string, interval time.Duration) time.Duration {
			if name == "" || !msvm.IsGUID(id) {
				return 0
			}
			return 3 * interval
		}
	})
	sick := env.listed("HV01", env.vms[vmSuspended])
	issues := sick["health_issues"].([]any)
	if sick["health"] != "critical" && sick["health"] != "warning" || len(issues) == 0 ||
		issues[0].(object)["message"] == "" {
		t.Errorf("the health is %v, the issues are %v", sick["health"], issues)
	}
	for _, name := range []string{"lag_seconds", "pending_bytes", "objective_seconds"} {
		if _, known := env.listed("HV01", env.vms[vmReplicating])[name].(float64); !known {
			t.Errorf("%s is missing", name)
		}
	}
	if got := env.listed("HV01", env.vms[vmReplicating])["objective_seconds"]; got != 900.0 {
		t.Errorf("the objective is %v, want three times the interval, 900", got)
	}
	before := env.listed("HV02", env.vms[vmReplicating])
	running := env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil)
	jobs := env.listed("HV02", env.vms[vmReplicating])["jobs"].([]any)
	if len(jobs) != 1 || jobs[0].(object)["id"] != running.json["id"] {
		t.Errorf("the running jobs are %v", jobs)
	}
	env.waitForJob("test failover", "HV02", running, "succeeded")
	env.waitForJob("clean up", "HV02", env.postConfirmed("HV02", "olga", vmReplicating, "cleanup-test-failover",
		object{"test_result": "failed"}), "succeeded")
	after := env.listed("HV02", env.vms[vmReplicating])
	if after["last_test_result"] != "failed" || after["last_test_failover_time"] == before["last_test_failover_time"] ||
		after["last_test_failover_time"] == nil || before["last_test_result"] != nil {
		t.Errorf("the last test was %v %v, is %v %v", before["last_test_failover_time"], before["last_test_result"],
			after["last_test_failover_time"], after["last_test_result"])
	}
	for user, want := range map[string]string{"vic": `[]`, "tim": `["suspend","test-connection"]`} {
		for _, v := range env.listedBy(user, "?vm="+env.vms[vmReplicating]) {
			wantJSON(t, user, v["allowed_operations"], want)
		}
	}
}

// A filter keeps the entries with one of its values. Unknown filters and values are refused and name the known ones.
func TestFiltersOfTheList(t *testing.T) {
	env := newTestEnv(t)
	all := env.listedBy("vic", "")
	name := env.vmName("HV01", vmReplicating)
	for query, keep := range map[string]func(v object) bool{
		"?health=critical":                   func(v object) bool { return v["health"] == "critical" },
		"?health=critical&health=warning":    func(v object) bool { return v["health"] == "critical" || v["health"] == "warning" },
		"?health=ok&state=replicating":       func(v object) bool { return v["health"] == "ok" && v["state"] == "replicating" },
		"?mode=replica":                      func(v object) bool { return v["mode"] == "replica" },
		"?relationship=extended":             func(v object) bool { return v["relationship"] == "extended" },
		"?protected=false":                   func(v object) bool { return v["protected"] == false },
		"?protected=true":                    func(v object) bool { return v["protected"] == true },
		"?vm=" + name:                        func(v object) bool { return v["vm"] == name },
		"?vm=" + strings.ToLower(env.vms[3]): func(v object) bool { return v["vm_id"] == env.vms[3] },
	} {
		want := 0
		for _, v := range all {
			if keep(v) {
				want++
			}
		}
		got := env.listedBy("vic", query)
		if len(got) != want || want == 0 || want == len(all) || slices.ContainsFunc(got, func(v object) bool { return !keep(v) }) {
			t.Errorf("%s: got %d entries, want %d of %d", query, len(got), want, len(all))
		}
	}
	if none := env.listedBy("vic", "?vm=nothing"); len(none) > 0 {
		t.Errorf("an unknown VM: got %v", none)
	}
	for query, want := range map[string]string{
		"?helth=critical":             "unknown filter",
		"?health=bad":                 "use one of not_applicable, ok, warning, critical, unknown",
		"?health=":                    "health: unknown value",
		"?health=ok&health=CRITICAL":  "health: unknown value",
		"?protected=yes":              "use one of true, false",
		"?limit=3":                    "use one of health, state, mode, relationship, protected, vm",
		"?relationship=primary&sort=": "unknown filter",
	} {
		r := env.get("HV01", "vic", apiReplicas+query)
		env.want(query, r, 400, "bad-request")
		wantDetail(t, query, r, want)
	}
}

// A VM outside the rules of the caller is absent from the list, whether it replicates or not and whatever the filter is.
func TestListHasOnlyVMsOfTheCaller(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy("rules:\n" +
		"  - {users: [tim], role: operator, vms: '" + env.vms[vmReplicating] + "|" + env.vms[vmStandalone] + "'}\n")
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, v := range env.listedBy("tim", "") {
		got = append(got, v["vm_id"])
	}
	want := []any{env.vms[vmReplicating], env.vms[vmStandalone]}
	slices.SortFunc(want, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	if !slices.Equal(got, want) {
		t.Errorf("the VMs are %v, want %v", got, want)
	}
	if other := env.listedBy("tim", "?vm="+env.vms[vmSuspended]); len(other) > 0 {
		t.Errorf("another VM is listed: %v", other)
	}
}

// Statistics that hang cost the list what they would show, not the list.
func TestListWithoutStatistics(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.get = func(wmiquery.Call) (wmiquery.Reply, error) { return wmiquery.Reply{}, wmiquery.ErrTimeout }
	v := env.listed("HV01", env.vms[vmReplicating])
	if text, _ := v["statistics_error"].(string); text == "" || v["state"] != "replicating" || v["lag_seconds"] == nil {
		t.Errorf("got %v", v)
	}
}
