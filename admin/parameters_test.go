package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func (l *lab) method(host, user, name string, payload any) response {
	l.Helper()
	return l.do(host, user, http.MethodPost, "/api/v1/methods/"+name, payload)
}

// Every method of the table can be named, and every verb is of a method. To pause,
// to resume and to prepare are no methods of the service (Q31).
func TestTables(t *testing.T) {
	for _, m := range msvm.Methods() {
		if _, p := methodNamed(m.Class + "." + m.Name); p != nil {
			t.Errorf("%s: %s", m.Name, p.detail)
		}
	}
	for _, v := range verbs() {
		method := findMethod(v.method)
		if method.Name == "" {
			t.Errorf("%s is of no method", v.name)
		}
		for _, name := range v.takes {
			if !slices.ContainsFunc(method.In, func(p msvm.Parameter) bool { return p.Name == name }) {
				t.Errorf("%s takes %s, which %s does not", v.name, name, v.method)
			}
		}
		if _, ok := conditionsOf(method, v.request); !ok {
			t.Errorf("%s asks for the state %d, which none can be", v.name, v.request)
		}
	}
}

// payload is a body with which a method can be called about a relationship: the least
// that it takes.
func (l *lab) payload(method msvm.Method, vm string, link msvm.Link) m {
	values := map[msvm.Type]any{
		msvm.TypeReference: vm, msvm.TypeString: "x", msvm.TypeBoolean: true, msvm.TypeUint16: 3, msvm.TypeStringArray: []string{"x"},
		msvm.TypeEmbedded: m{}, msvm.TypeEmbeddedArray: []any{},
	}
	parameters := m{}
	for _, p := range method.In {
		switch {
		case p.Optional:
		case p.Class == "Msvm_ReplicationRelationship":
			parameters[p.Name] = m{"InstanceID": msvm.Key{VM: vm, Link: link}.InstanceID()}
		case p.Class == "Msvm_ReplicationAuthorizationSettingData":
			parameters[p.Name] = m{"AllowedPrimaryHostSystem": "hv09.contoso.com"}
		default:
			parameters[p.Name] = values[p.Type]
		}
	}
	payload := m{"parameters": parameters}
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
	l := newLab(t)
	vm := l.vms[healthy]
	for _, method := range msvm.Methods() {
		payload := l.payload(method, vm, msvm.Primary)
		if method.Name == becomePrimary {
			payload = l.payload(method, l.vms[withExtension], msvm.Extended)
		}
		name := pathName(method)
		calls := l.hosts["HV01"].pool.called()
		payload["dry_run"] = true
		r := l.method("HV01", "omar", name, payload)
		if r.code == 500 || r.code == 404 && method.Class != "Msvm_ConcreteJob" && method.Name != "ModifyAuthorizationEntry" && method.Name != "SetAuthorizationEntry" || r.code == 400 {
			t.Errorf("%s: %s", name, r)
		}
		for _, p := range method.In {
			if parameters := payload["parameters"].(m); p.Optional {
				parameters[p.Name] = nil
				if got := l.method("HV01", "omar", name, payload); got.code != r.code {
					t.Errorf("%s without %s: %s", name, p.Name, got)
				}
			}
		}
		if !strings.HasPrefix(method.Name, "Get") {
			l.want(name+" by a viewer", l.method("HV01", "vic", name, payload), 403, "forbidden")
		}
		if n := l.hosts["HV01"].pool.called(); n != calls {
			t.Errorf("%s was called", name)
		}
	}
}

// What is wrong with parameters is said with their names.
func TestParameters(t *testing.T) {
	l := newLab(t)
	vm := l.vms[healthy]
	entry := func(p m) m { return m{"parameters": m{"AuthorizationEntry": p}} }
	for _, tt := range []struct {
		method  string
		payload any
		code    int
		want    string
	}{
		{"Explode", nil, 404, "Explode"},
		{"RemoveAuthorizationEntry", m{"parameters": m{"AllowedPrimaryHostSystem": "h\x00"}}, 400, "cannot be sent"},
		{"AddAuthorizationEntry", entry(m{"AllowedPrimaryHostSystem": "h\x01", "ReplicaStorageLocation": `D:\`}), 400, "cannot be sent"},
		{"RequestStateChange", nil, 400, "Class.RequestStateChange"},
		{"CommitFailover", nil, 400, "ComputerSystem is missing"},
		{"CommitFailover", m{"parameters": m{"ComputerSystem": 7}}, 400, "no string"},
		{"CommitFailover", m{"parameters": m{"ComputerSystem": vm}, "target": vm}, 400, "target is not for this method"},
		{"CommitFailover", m{"parameters": m{"computersystem": vm}}, 400, "ComputerSystem"},
		{"CommitFailover", m{"parameters": m{"ComputerSystem": vm, "Force": true}}, 400, "no parameter"},
		{"CommitFailover", m{"parameters": m{"ComputerSystem": "00000000-0000-0000-0000-000000000000"}}, 404, "no VM"},
		{"StartReplication", m{"parameters": m{"ComputerSystem": vm, "InitialReplicationType": "1"}}, 400, "InitialReplicationType"},
		{"StartReplication", m{"parameters": m{"ComputerSystem": vm, "InitialReplicationType": 4}}, 400, "by export"},
		{"StartReplication", m{"parameters": m{"ComputerSystem": vm, "InitialReplicationType": 70000}}, 400, "uint16"},
		{"StartReplication", m{"parameters": m{"ComputerSystem": vm, "InitialReplicationType": 1, "StartTime": "soon"}}, 400, "no time"},
		{"StartReplication", m{"parameters": m{"ComputerSystem": vm, "InitialReplicationType": 1, "StartTime": "2020-01-01T00:00:00Z"}}, 400, "next seven days"},
		{"RequestReplicationStateChangeEx", m{"target": vm, "parameters": m{"RequestedState": 99}}, 400, "none of those"},
		{"RequestReplicationStateChangeEx", m{"target": vm}, 400, "RequestedState is missing"},
		{"RequestReplicationStateChangeEx", m{"parameters": m{"RequestedState": 7}}, 400, "target is missing"},
		{"RequestReplicationStateChangeEx", m{"target": vm, "parameters": m{"RequestedState": 7, "TimeoutPeriod": "2026-11-23T00:00:00Z"}}, 400, "TimeoutPeriod"},
		{"RemoveReplicationRelationshipEx", m{"parameters": m{"ComputerSystem": vm, "ReplicationRelationship": m{"InstanceID": msvm.Key{VM: l.vms[inboundVM], Link: msvm.Primary}.InstanceID()}}}, 400, "no relationship"},
		{"RemoveReplicationRelationshipEx", m{"parameters": m{"ComputerSystem": vm, "ReplicationRelationship": m{"InstanceID": msvm.Key{VM: vm, Link: msvm.Primary}.InstanceID(), "ReplicationState": 3}}}, 400, "InstanceID"},
		{"AddAuthorizationEntry", entry(m{"TrustGroup": "x"}), 400, "AllowedPrimaryHostSystem"},
		{"AddAuthorizationEntry", entry(m{"AllowedPrimaryHostSystem": "a", "Nonsense": 1}), 400, "no property"},
		{"AddAuthorizationEntry", m{"parameters": m{"AuthorizationEntry": "<INSTANCE/>"}}, 400, "no JSON object"},
		{"ModifyAuthorizationEntry", entry(m{"AllowedPrimaryHostSystem": "nobody.example"}), 404, "no entry"},
		{"ModifyServiceSettings", m{"parameters": m{"SettingData": m{"InstanceID": "other"}}}, 400, "cannot be changed"},
		{"ModifyServiceSettings", m{"parameters": m{"SettingData": m{"HttpPort": 70000}}}, 400, "HttpPort"},
		{"StartService", nil, 501, "not-supported"},
	} {
		r := l.method("HV01", "omar", tt.method, tt.payload)
		if r.code != tt.code || !strings.Contains(r.text, tt.want) {
			t.Errorf("%s %v: want %d with %q, got %s", tt.method, tt.payload, tt.code, tt.want, r)
		}
	}
}

// Where Hyper-V expects the whole of an instance, what is not given stays as it was
// (Q35).
func TestMerge(t *testing.T) {
	l := newLab(t)
	e := l.hosts["HV01"]
	before, err := wmiquery.All[msvm.ReplicationServiceSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	r := l.method("HV01", "omar", "ModifyServiceSettings", m{"parameters": m{"SettingData": m{"MonitoringInterval": 7200, "MonitoringStartTime": "6h30m"}}})
	l.finish("modify", "HV01", r, "succeeded")
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
	l.finish("a relationship", "HV01", l.method("HV01", "omar", "ModifyReplicationSettings", m{"parameters": m{
		"ComputerSystem": l.vms[healthy], "ReplicationSettingData": m{"RecoveryHistory": 3},
	}}), "succeeded")
	rows, err := wmiquery.All[msvm.ReplicationSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		if s.InstanceID == (msvm.Key{VM: l.vms[healthy], Link: msvm.Primary}).InstanceID() && (*s.RecoveryHistory != 3 || *s.RecoveryConnectionPoint != "HV02.contoso.com") {
			t.Errorf("the settings are %+v", s)
		}
	}
	l.want("add", l.method("HV01", "omar", "AddAuthorizationEntry", m{"parameters": m{"AuthorizationEntry": m{"AllowedPrimaryHostSystem": "hv09.contoso.com", "ReplicaStorageLocation": `D:\Replica`, "TrustGroup": "A & <B>"}}}), 200, "")
	l.want("add again", l.method("HV01", "omar", "AddAuthorizationEntry", m{"parameters": m{"AuthorizationEntry": m{"AllowedPrimaryHostSystem": "HV09.contoso.com"}}}), 409, "invalid-state")
}

// A method is checked like the verb that it amounts to, and is the owner's where it
// takes more.
func TestMethodsAreNoWayAround(t *testing.T) {
	l := newLab(t)
	vm := l.vms[healthy]
	call := func(user, method string, parameters m) response {
		return l.method("HV01", user, method, m{"parameters": parameters})
	}
	l.want("destroys", call("tim", "ResetReplicationStatistics", m{"ComputerSystem": vm}), 403, "forbidden")
	l.want("is confirmed", call("olga", "ResetReplicationStatistics", m{"ComputerSystem": vm}), 409, "confirmation-required")
	l.want("deprecated, too", call("omar", "RemoveReplicationRelationship", m{"ComputerSystem": l.vms[withExtension]}), 409, "invalid-state")
	l.want("connect anywhere", call("fred", "TestReplicationConnection", m{"RecoveryConnectionPoint": "evil.example", "RecoveryServerPortNumber": 80, "AuthenticationType": 1}), 403, "forbidden")
	l.want("reverse to anywhere", l.method("HV02", "fred", "ReverseReplicationRelationship", m{"parameters": m{"ComputerSystem": vm, "ReplicationSettingData": m{"RecoveryConnectionPoint": "evil.example"}}}), 403, "forbidden")
	l.want("like suspend", l.method("HV01", "tim", "RequestReplicationStateChangeEx", m{"target": vm, "dry_run": true, "parameters": m{"RequestedState": 7}}), 200, "")
	l.want("like prepare-failover", l.method("HV01", "tim", "RequestReplicationStateChangeEx", m{"target": vm, "dry_run": true, "parameters": m{"RequestedState": 4}}), 403, "forbidden")
}

// Methods that read give their out parameters as JSON.
func TestGet(t *testing.T) {
	l := newLab(t)
	r := l.method("HV01", "vic", "GetReplicationStatisticsEx", m{"parameters": m{
		"ComputerSystem": l.vms[healthy], "ReplicationRelationship": m{"InstanceID": msvm.Key{VM: l.vms[healthy], Link: msvm.Primary}.InstanceID()},
	}})
	l.want("statistics", r, 200, "")
	stats, _ := r.json["out"].(m)["ReplicationStatistics"].([]any)
	if len(stats) != 1 || stats[0].(m)["ReplicationSuccessCount"] == nil {
		t.Errorf("the statistics are %s", r)
	}
	if n := l.hosts["HV01"].pool.called(); n > 0 {
		t.Errorf("%d calls that could change something", n)
	}
}

// The read model: every verb is either allowed or refused with a reason.
func TestReplicas(t *testing.T) {
	l := newLab(t)
	list := l.get("HV01", "vic", apiReplicas)
	all, _ := list.json["replicas"].([]any)
	if len(all) < 30 || strings.Contains(list.text, l.vms[alone]) {
		t.Errorf("%d replicas are listed, or one that does not replicate", len(all))
	}
	for _, x := range all {
		r := l.get("HV01", "omar", x.(m)["url"].(string))
		allowed, _ := r.json["allowed_operations"].([]any)
		refused, _ := r.json["refused_operations"].([]any)
		if len(allowed)+len(refused) != len(verbs()) {
			t.Errorf("%d operations are allowed and %d refused, of %d", len(allowed), len(refused), len(verbs()))
		}
		for _, x := range refused {
			if o := x.(m); o["reason"] == "" || o["type"] == "" {
				t.Errorf("%v is refused without a reason", o)
			}
		}
	}
	r := l.get("HV01", "omar", l.replica(healthy, "primary"))
	if got, _ := r.json["allowed_operations"].([]any); !slices.Contains(got, any("suspend")) || slices.Contains(got, any("resume")) || slices.Contains(got, any("failover")) {
		t.Errorf("allowed is %v", got)
	}
	if r.json["pending_bytes"] == nil || r.json["lag_seconds"] == nil || r.json["statistics"] == nil {
		t.Errorf("figures are missing: %s", r)
	}
	if r := l.get("HV02", "vic", l.replica(healthy, "primary")); r.json["pending_bytes"] != nil {
		t.Errorf("the receiving side does not know what is pending: %s", r)
	}
	if r := l.get("HV01", "vic", l.replica(suspendedVM, "primary")); len(r.json["health_issues"].([]any)) == 0 {
		t.Errorf("a paused VM has no health issue: %s", r)
	}
	l.fault("denied")
	l.want("denied", l.get("HV01", "vic", apiReplicas), 403, "access-denied")
	l.fault("disconnected")
	l.want("disconnected", l.get("HV01", "vic", apiReplicas), 503, "host-unavailable")
	l.fault("class-missing=Msvm_ReplicationRelationship")
	l.want("an old Windows", l.get("HV01", "vic", apiReplicas), 501, "not-supported")
}

func TestMetrics(t *testing.T) {
	l := newLab(t)
	l.finish("suspend", "HV01", l.act("HV01", "tim", healthy, "primary", "suspend", nil), "succeeded")
	l.act("HV01", "tim", healthy, "primary", "suspend", nil)
	l.do("HV01", "", "GET", "/nonsense", nil)
	first := l.act("HV01", "olga", healthy, "primary", "reset-statistics", nil)
	l.act("HV01", "olga", healthy, "primary", "reset-statistics", l.second("HV01", healthy, first, m{"vm_name": "another"}))
	want := `
# HELP test_admin_confirmations_refused_total Second steps that were refused: a wrong token, name or reason, or more to be lost than was accepted.
# TYPE test_admin_confirmations_refused_total counter
test_admin_confirmations_refused_total 1
# HELP test_admin_last_action_timestamp_seconds When an action of the admin endpoint last ended; absent if none has since the start.
# TYPE test_admin_last_action_timestamp_seconds gauge
test_admin_last_action_timestamp_seconds{action="suspend"} TIME
# HELP test_admin_jobs Actions of the admin endpoint by state: queued and running are those that are now, the others those that ended since the start.
# TYPE test_admin_jobs gauge
test_admin_jobs{state="cancelled"} 0
test_admin_jobs{state="failed"} 0
test_admin_jobs{state="queued"} 0
test_admin_jobs{state="running"} 0
test_admin_jobs{state="succeeded"} 1
test_admin_jobs{state="unknown"} 0
`
	want = strings.Replace(want, "TIME", strconv.FormatFloat(float64(l.clock.Now().UnixMilli())/1000, 'g', -1, 64), 1)
	c := l.hosts["HV01"].server.Metrics()
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "test_admin_jobs", "test_admin_confirmations_refused_total", "test_admin_last_action_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(c, "test_admin_action_duration_seconds"); n != 1 {
		t.Errorf("%d durations, want that of the one that has ended", n)
	}
	counts := l.hosts["HV01"].server.metrics.requests
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
