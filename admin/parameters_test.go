package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func (env *testEnv) method(host, user, name string, payload any) response {
	env.Helper()
	return env.do(host, user, http.MethodPost, "/api/v1/methods/"+name, payload)
}

// payload is a body with which a method can be called about a relationship: the least
// that it takes.
func (env *testEnv) payload(method msvm.Method, vm string, link msvm.Link) object {
	values := map[msvm.Type]any{
		msvm.TypeReference: vm, msvm.TypeString: "x", msvm.TypeBoolean: true, msvm.TypeUint16: 3, msvm.TypeStringArray: []string{"x"},
		msvm.TypeEmbedded: object{}, msvm.TypeEmbeddedArray: []any{},
	}
	parameters := object{}
	for _, p := range method.In {
		switch {
		case p.Optional:
		case p.Class == "Msvm_ReplicationRelationship":
			parameters[p.Name] = object{"InstanceID": msvm.Key{VM: vm, Link: link}.InstanceID()}
		case p.Class == "Msvm_ReplicationAuthorizationSettingData":
			parameters[p.Name] = object{"AllowedPrimaryHostSystem": "hv09.contoso.com"}
		default:
			parameters[p.Name] = values[p.Type]
		}
	}
	payload := object{"parameters": parameters}
	switch method.Class {
	case "Msvm_ComputerSystem":
		payload["target"] = vm
	case "Msvm_ConcreteJob":
		payload["target"] = "00000000-0000-0000-0000-000000000000"
	}
	return payload
}

// Every method of the table is answered for every user without a panic, and
// without rights with nothing but a refusal.
func TestEveryMethod(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	for _, method := range msvm.Methods() {
		payload := env.payload(method, vm, msvm.Primary)
		if method.Name == msvm.MethodChangeReplicationModeToPrimary {
			payload = env.payload(method, env.vms[vmExtended], msvm.Extended)
		}
		name := operation.MethodPath(method)
		calls := env.hosts["HV01"].pool.callCount()
		payload["dry_run"] = true
		r := env.method("HV01", "omar", name, payload)
		if r.code == 500 || r.code == 404 && method.Class != "Msvm_ConcreteJob" && method.Name != "ModifyAuthorizationEntry" && method.Name != "SetAuthorizationEntry" || r.code == 400 {
			t.Errorf("%s: %s", name, r)
		}
		for _, p := range method.In {
			if parameters := payload["parameters"].(object); p.Optional {
				parameters[p.Name] = nil
				if got := env.method("HV01", "omar", name, payload); got.code != r.code {
					t.Errorf("%s without %s: %s", name, p.Name, got)
				}
			}
		}
		if !strings.HasPrefix(method.Name, "Get") {
			env.want(name+" by a viewer", env.method("HV01", "vic", name, payload), 403, "forbidden")
		}
		if n := env.hosts["HV01"].pool.callCount(); n != calls {
			t.Errorf("%s was called", name)
		}
	}
}

// What is wrong with parameters is said with their names.
func TestParameters(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	entry := func(p object) object { return object{"parameters": object{"AuthorizationEntry": p}} }
	for _, tt := range []struct {
		method  string
		payload any
		code    int
		want    string
	}{
		{"Explode", nil, 404, "Explode"},
		{"RemoveAuthorizationEntry", object{"parameters": object{"AllowedPrimaryHostSystem": "h\x00"}}, 400, "cannot be sent"},
		{"AddAuthorizationEntry", entry(object{"AllowedPrimaryHostSystem": "h\x01", "ReplicaStorageLocation": `D:\`}), 400, "cannot be sent"},
		{"RequestStateChange", nil, 400, "Class.RequestStateChange"},
		{"CommitFailover", nil, 400, "ComputerSystem: missing"},
		{"CommitFailover", object{"parameters": object{"ComputerSystem": 7}}, 400, "not a string"},
		{"CommitFailover", object{"parameters": object{"ComputerSystem": vm}, "target": vm}, 400, "target: not for this method"},
		{"CommitFailover", object{"parameters": object{"computersystem": vm}}, 400, "ComputerSystem"},
		{"CommitFailover", object{"parameters": object{"ComputerSystem": vm, "Force": true}}, 400, "no parameter"},
		{"CommitFailover", object{"parameters": object{"ComputerSystem": "00000000-0000-0000-0000-000000000000"}}, 404, "not found on this host"},
		{"StartReplication", object{"parameters": object{"ComputerSystem": vm, "InitialReplicationType": "1"}}, 400, "InitialReplicationType"},
		{"StartReplication", object{"parameters": object{"ComputerSystem": vm, "InitialReplicationType": 4}}, 400, "by export"},
		{"StartReplication", object{"parameters": object{"ComputerSystem": vm, "InitialReplicationType": 70000}}, 400, "uint16"},
		{"StartReplication", object{"parameters": object{"ComputerSystem": vm, "InitialReplicationType": 1, "StartTime": "soon"}}, 400, "not a time"},
		{"StartReplication", object{"parameters": object{"ComputerSystem": vm, "InitialReplicationType": 1, "StartTime": "2020-01-01T00:00:00Z"}}, 400, "next seven days"},
		{"RequestReplicationStateChangeEx", object{"target": vm, "parameters": object{"RequestedState": 99}}, 400, "cannot be requested"},
		{"RequestReplicationStateChangeEx", object{"target": vm}, 400, "RequestedState: missing"},
		{"RequestReplicationStateChangeEx", object{"parameters": object{"RequestedState": 7}}, 400, "target: missing"},
		{"RequestReplicationStateChangeEx", object{"target": vm, "parameters": object{"RequestedState": 7, "TimeoutPeriod": "2026-11-23T00:00:00Z"}}, 400, "TimeoutPeriod"},
		{"RemoveReplicationRelationshipEx", object{"parameters": object{"ComputerSystem": vm, "ReplicationRelationship": object{"InstanceID": msvm.Key{VM: env.vms[vmInbound], Link: msvm.Primary}.InstanceID()}}}, 400, "no relationship"},
		{"RemoveReplicationRelationshipEx", object{"parameters": object{"ComputerSystem": vm, "ReplicationRelationship": object{"InstanceID": msvm.Key{VM: vm, Link: msvm.Primary}.InstanceID(), "ReplicationState": 3}}}, 400, "InstanceID"},
		{"AddAuthorizationEntry", entry(object{"TrustGroup": "x"}), 400, "AllowedPrimaryHostSystem"},
		{"AddAuthorizationEntry", entry(object{"AllowedPrimaryHostSystem": "a", "Nonsense": 1}), 400, "no property"},
		{"AddAuthorizationEntry", object{"parameters": object{"AuthorizationEntry": "<INSTANCE/>"}}, 400, "not a JSON object"},
		{"ModifyAuthorizationEntry", entry(object{"AllowedPrimaryHostSystem": "nobody.example"}), 404, "not found"},
		{"ModifyServiceSettings", object{"parameters": object{"SettingData": object{"InstanceID": "other"}}}, 400, "cannot be changed"},
		{"ModifyServiceSettings", object{"parameters": object{"SettingData": object{"HttpPort": 70000}}}, 400, "HttpPort"},
		{"StartService", nil, 501, "not-supported"},
	} {
		r := env.method("HV01", "omar", tt.method, tt.payload)
		if r.code != tt.code || !strings.Contains(r.text, tt.want) {
			t.Errorf("%s %v: want %d with %q, got %s", tt.method, tt.payload, tt.code, tt.want, r)
		}
	}
}

// Where Hyper-V expects the whole of an instance, what is not given stays as it was
// (Q35).
func TestMerge(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	before, err := wmiquery.All[msvm.ReplicationServiceSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	r := env.method("HV01", "omar", "ModifyServiceSettings", object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200, "MonitoringStartTime": "6h30m"}}})
	env.finish("modify", "HV01", r, "succeeded")
	after, err := wmiquery.All[msvm.ReplicationServiceSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	if *after[0].MonitoringInterval != 7200 || after[0].MonitoringStartTime.String() != "6h30m0s" || *after[0].HttpPort != *before[0].HttpPort || *after[0].RecoveryServerEnabled != *before[0].RecoveryServerEnabled {
		t.Errorf("the settings are %+v, they were %+v", after[0], before[0])
	}
	var sent msvm.ReplicationServiceSettingData
	if _, err := cimxml.Unmarshal(string(e.pool.calls[0].In[0].Value.(wmiquery.Embedded)), &sent); err != nil || sent.HttpPort == nil || *sent.HttpPort != *before[0].HttpPort {
		t.Errorf("what was sent is not whole: %+v, %v", sent, err)
	}
	env.finish("a relationship", "HV01", env.method("HV01", "omar", "ModifyReplicationSettings", object{"parameters": object{
		"ComputerSystem": env.vms[vmReplicating], "ReplicationSettingData": object{"RecoveryHistory": 3},
	}}), "succeeded")
	rows, err := wmiquery.All[msvm.ReplicationSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		if s.InstanceID == (msvm.Key{VM: env.vms[vmReplicating], Link: msvm.Primary}).InstanceID() && (*s.RecoveryHistory != 3 || *s.RecoveryConnectionPoint != "HV02.contoso.com") {
			t.Errorf("the settings are %+v", s)
		}
	}
	env.want("add", env.method("HV01", "omar", "AddAuthorizationEntry", object{"parameters": object{"AuthorizationEntry": object{"AllowedPrimaryHostSystem": "hv09.contoso.com", "ReplicaStorageLocation": `D:\Replica`, "TrustGroup": "A & <B>"}}}), 200, "")
	env.want("add again", env.method("HV01", "omar", "AddAuthorizationEntry", object{"parameters": object{"AuthorizationEntry": object{"AllowedPrimaryHostSystem": "HV09.contoso.com"}}}), 409, "invalid-state")
}

// A method is checked like the verb that it amounts to, and is the owner's where it
// takes more.
func TestMethodsAreNoWayAround(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	call := func(user, method string, parameters object) response {
		return env.method("HV01", user, method, object{"parameters": parameters})
	}
	env.want("destroys", call("tim", "ResetReplicationStatistics", object{"ComputerSystem": vm}), 403, "forbidden")
	env.want("is confirmed", call("olga", "ResetReplicationStatistics", object{"ComputerSystem": vm}), 409, "confirmation-required")
	env.want("deprecated, too", call("omar", "RemoveReplicationRelationship", object{"ComputerSystem": env.vms[vmExtended]}), 409, "invalid-state")
	env.want("connect anywhere", call("fred", "TestReplicationConnection", object{"RecoveryConnectionPoint": "evil.example", "RecoveryServerPortNumber": 80, "AuthenticationType": 1}), 403, "forbidden")
	env.want("reverse to anywhere", env.method("HV02", "fred", "ReverseReplicationRelationship", object{"parameters": object{"ComputerSystem": vm, "ReplicationSettingData": object{"RecoveryConnectionPoint": "evil.example"}}}), 403, "forbidden")
	env.want("like suspend", env.method("HV01", "tim", "RequestReplicationStateChangeEx", object{"target": vm, "dry_run": true, "parameters": object{"RequestedState": 7}}), 200, "")
	env.want("like prepare-failover", env.method("HV01", "tim", "RequestReplicationStateChangeEx", object{"target": vm, "dry_run": true, "parameters": object{"RequestedState": 4}}), 403, "forbidden")
}

// Methods that read give their out parameters as JSON.
func TestGet(t *testing.T) {
	env := newTestEnv(t)
	r := env.method("HV01", "vic", "GetReplicationStatisticsEx", object{"parameters": object{
		"ComputerSystem": env.vms[vmReplicating], "ReplicationRelationship": object{"InstanceID": msvm.Key{VM: env.vms[vmReplicating], Link: msvm.Primary}.InstanceID()},
	}})
	env.want("statistics", r, 200, "")
	stats, _ := r.json["out"].(object)["ReplicationStatistics"].([]any)
	if len(stats) != 1 || stats[0].(object)["ReplicationSuccessCount"] == nil {
		t.Errorf("the statistics are %s", r)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls that could change something", n)
	}
}

// The read model: every verb is either allowed or refused with a reason.
func TestReplicas(t *testing.T) {
	env := newTestEnv(t)
	list := env.get("HV01", "vic", apiReplicas)
	all, _ := list.json["replicas"].([]any)
	if len(all) < 30 || strings.Contains(list.text, env.vms[vmStandalone]) {
		t.Errorf("%d replicas are listed, or one that does not replicate", len(all))
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
	r := env.get("HV01", "omar", env.replica(vmReplicating, "primary"))
	if got, _ := r.json["allowed_operations"].([]any); !slices.Contains(got, any("suspend")) || slices.Contains(got, any("resume")) || slices.Contains(got, any("failover")) {
		t.Errorf("allowed is %v", got)
	}
	if r.json["pending_bytes"] == nil || r.json["lag_seconds"] == nil || r.json["statistics"] == nil {
		t.Errorf("figures are missing: %s", r)
	}
	if r := env.get("HV02", "vic", env.replica(vmReplicating, "primary")); r.json["pending_bytes"] != nil {
		t.Errorf("the receiving side does not know what is pending: %s", r)
	}
	if r := env.get("HV01", "vic", env.replica(vmSuspended, "primary")); len(r.json["health_issues"].([]any)) == 0 {
		t.Errorf("a paused VM has no health issue: %s", r)
	}
	env.fault("denied")
	env.want("denied", env.get("HV01", "vic", apiReplicas), 403, "access-denied")
	env.fault("disconnected")
	env.want("disconnected", env.get("HV01", "vic", apiReplicas), 503, "host-unavailable")
	env.fault("class-missing=Msvm_ReplicationRelationship")
	env.want("an old Windows", env.get("HV01", "vic", apiReplicas), 501, "not-supported")
}

func TestMetrics(t *testing.T) {
	env := newTestEnv(t)
	env.finish("suspend", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.do("HV01", "", "GET", "/nonsense", nil)
	first := env.act("HV01", "olga", vmReplicating, "primary", "reset-statistics", nil)
	env.act("HV01", "olga", vmReplicating, "primary", "reset-statistics", env.second("HV01", vmReplicating, first, object{"vm_name": "another"}))
	want := `
# HELP test_admin_confirmations_refused_total Confirmations of destructive actions that were refused: wrong token, name or reason, or a possible data loss above the accepted limit.
# TYPE test_admin_confirmations_refused_total counter
test_admin_confirmations_refused_total 1
# HELP test_admin_last_action_timestamp_seconds Time of the last end of an action of the admin endpoint. Absent if none has ended since the start of the exporter.
# TYPE test_admin_last_action_timestamp_seconds gauge
test_admin_last_action_timestamp_seconds{action="suspend"} TIME
# HELP test_admin_jobs Actions of the admin endpoint by state. queued and running are current numbers, the other states count actions that ended since the start of the exporter.
# TYPE test_admin_jobs gauge
test_admin_jobs{state="cancelled"} 0
test_admin_jobs{state="failed"} 0
test_admin_jobs{state="queued"} 0
test_admin_jobs{state="running"} 0
test_admin_jobs{state="succeeded"} 1
test_admin_jobs{state="unknown"} 0
`
	want = strings.Replace(want, "TIME", strconv.FormatFloat(float64(env.clock.Now().UnixMilli())/1000, 'g', -1, 64), 1)
	c := env.hosts["HV01"].server.Metrics()
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "test_admin_jobs", "test_admin_confirmations_refused_total", "test_admin_last_action_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(c, "test_admin_action_duration_seconds"); n != 1 {
		t.Errorf("%d durations, want that of the one that has ended", n)
	}
	counts := env.hosts["HV01"].server.metrics.requests
	for labels, n := range map[[2]string]float64{
		{"RequestReplicationStateChangeEx", "202"}: 1, {"RequestReplicationStateChangeEx", "409"}: 1, {"none", "401"}: 1,
	} {
		if got := testutil.ToFloat64(counts.WithLabelValues(labels[:]...)); got != n {
			t.Errorf("%v: %v, want %v", labels, got, n)
		}
	}
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
