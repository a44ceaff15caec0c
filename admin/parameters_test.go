package admin

import (
	"net/http"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func (env *testEnv) postMethod(host, user, name string, payload any) response {
	env.Helper()
	return env.request(host, user, http.MethodPost, "/api/v1/methods/"+name, payload)
}

// postMethodConfirmed calls a method about the host and confirms the call.
func (env *testEnv) postMethodConfirmed(host, user, name string, payload object) response {
	env.Helper()
	first := env.postMethod(host, user, name, payload)
	env.want("first request of "+name, first, http.StatusConflict, "confirmation-required")
	return env.postMethod(host, user, name, env.confirmation(host, 0, first, payload))
}

// methodBody returns a body for a call of a method about a relationship, with only the required parameters.
func (env *testEnv) methodBody(method msvm.Method, vm string, link msvm.Link) object {
	values := map[msvm.Type]any{
		msvm.TypeReference: vm, msvm.TypeString: "x", msvm.TypeBoolean: true, msvm.TypeUint16: 3,
		msvm.TypeStringArray: []string{"x"},
		msvm.TypeEmbedded:    object{}, msvm.TypeEmbeddedArray: []any{},
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
	case "Msvm_ComputerSystem", "Msvm_ShutdownComponent":
		payload["target"] = vm
	case "Msvm_ConcreteJob":
		payload["target"] = "00000000-0000-0000-0000-000000000000"
	}
	return payload
}

// Every method can be planned, also without its optional parameters. A viewer can only call the methods that read.
func TestEveryMethodCanBePlanned(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	for _, method := range msvm.Methods() {
		payload := env.methodBody(method, vm, msvm.Primary)
		if method.Name == msvm.MethodChangeReplicationModeToPrimary {
			payload = env.methodBody(method, env.vms[vmExtended], msvm.Extended)
		}
		name := operation.MethodPath(method)
		calls := env.hosts["HV01"].pool.callCount()
		payload["dry_run"] = true
		r := env.postMethod("HV01", "omar", name, payload)
		if r.code == 500 || r.code == 404 && method.Class != "Msvm_ConcreteJob" &&
			method.Name != "ModifyAuthorizationEntry" && method.Name != "SetAuthorizationEntry" || r.code == 400 {
			t.Errorf("%s: unexpected response %s", name, r)
		}
		for _, p := range method.In {
			if parameters := payload["parameters"].(object); p.Optional {
				parameters[p.Name] = nil
				if got := env.postMethod("HV01", "omar", name, payload); got.code != r.code {
					t.Errorf("%s with null for %s: got %s, want %d", name, p.Name, got, r.code)
				}
			}
		}
		if !strings.HasPrefix(method.Name, "Get") {
			env.want(name+" by a viewer", env.postMethod("HV01", "vic", name, payload), 403, "forbidden")
		}
		if n := env.hosts["HV01"].pool.callCount(); n != calls {
			t.Errorf("a dry run called %s", name)
		}
	}
}

// A problem with a parameter names the parameter.
func TestInvalidParameters(t *testing.T) {
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
		r := env.postMethod("HV01", "omar", tt.method, tt.payload)
		if r.code != tt.code || !strings.Contains(r.text, tt.want) {
			t.Errorf("%s %v: got %s, want %d with %q", tt.method, tt.payload, r, tt.code, tt.want)
		}
	}
}

// Hyper-V expects complete instances. The properties that a request does not give keep their values (Q35).
func TestOmittedPropertiesKeepTheirValues(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	before, err := wmiquery.All[msvm.ReplicationServiceSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	r := env.postMethod("HV01", "omar", "ModifyServiceSettings",
		object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200, "MonitoringStartTime": "6h30m"}}})
	env.waitForJob("modify service settings", "HV01", r, "succeeded")
	after, err := wmiquery.All[msvm.ReplicationServiceSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	if *after[0].MonitoringInterval != 7200 || after[0].MonitoringStartTime.String() != "6h30m0s" ||
		*after[0].HttpPort != *before[0].HttpPort || *after[0].RecoveryServerEnabled != *before[0].RecoveryServerEnabled {
		t.Errorf("the settings are %+v, before they were %+v", after[0], before[0])
	}
	var sent msvm.ReplicationServiceSettingData
	if _, err := cimxml.Unmarshal(string(e.pool.calls[0].In[0].Value.(wmiquery.Embedded)), &sent); err != nil ||
		sent.HttpPort == nil || *sent.HttpPort != *before[0].HttpPort {
		t.Errorf("the instance in the call is incomplete: %+v, %v", sent, err)
	}
	env.waitForJob("modify replication settings",
		"HV01", env.postMethod("HV01", "omar", "ModifyReplicationSettings", object{"parameters": object{
			"ComputerSystem": env.vms[vmReplicating], "ReplicationSettingData": object{"RecoveryHistory": 3},
		}}), "succeeded")
	rows, err := wmiquery.All[msvm.ReplicationSettingData](t.Context(), e.pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rows {
		if s.InstanceID == (msvm.Key{VM: env.vms[vmReplicating], Link: msvm.Primary}).InstanceID() &&
			(*s.RecoveryHistory != 3 || *s.RecoveryConnectionPoint != "HV02.contoso.com") {
			t.Errorf("the settings are %+v", s)
		}
	}
	env.want("add authorization entry",
		env.postMethodConfirmed("HV01", "omar", "AddAuthorizationEntry",
			object{"parameters": object{"AuthorizationEntry": object{
				"AllowedPrimaryHostSystem": "hv09.contoso.com",
				"ReplicaStorageLocation":   `D:\Replica`, "TrustGroup": "A & <B>",
			}}}), 200, "")
	env.want("add authorization entry again",
		env.postMethod("HV01", "omar", "AddAuthorizationEntry",
			object{"parameters": object{"AuthorizationEntry": object{"AllowedPrimaryHostSystem": "HV09.contoso.com"}}}), 409,
		"invalid-state")
}

// A call of a method is checked like the action that does the same. It needs the role owner if it gives more parameters
// than the action has.
func TestMethodsCannotBypassActions(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	call := func(user, method string, parameters object) response {
		return env.postMethod("HV01", user, method, object{"parameters": parameters})
	}
	env.want("destructive method without permission",
		call("tim", "ResetReplicationStatistics", object{"ComputerSystem": vm}), 403, "forbidden")
	env.want("destructive method", call("olga", "ResetReplicationStatistics", object{"ComputerSystem": vm}),
		409, "confirmation-required")
	env.want("deprecated method", call("omar", "RemoveReplicationRelationship",
		object{"ComputerSystem": env.vms[vmExtended]}), 409, "invalid-state")
	env.want("connection to any server",
		call("fred", "TestReplicationConnection",
			object{"RecoveryConnectionPoint": "evil.example", "RecoveryServerPortNumber": 80, "AuthenticationType": 1}), 403,
		"forbidden")
	env.want("reverse to any server",
		env.postMethod("HV02", "fred", "ReverseReplicationRelationship",
			object{"parameters": object{
				"ComputerSystem":         vm,
				"ReplicationSettingData": object{"RecoveryConnectionPoint": "evil.example"},
			}}), 403, "forbidden")
	env.want("state of suspend", env.postMethod("HV01", "tim", "RequestReplicationStateChangeEx",
		object{"target": vm, "dry_run": true, "parameters": object{"RequestedState": 7}}), 200, "")
	env.want("state of prepare-failover",
		env.postMethod("HV01", "tim", "RequestReplicationStateChangeEx",
			object{"target": vm, "dry_run": true, "parameters": object{"RequestedState": 4}}), 403, "forbidden")
}

// A method that only reads returns its out parameters as JSON.
func TestGetMethodReturnsOutParameters(t *testing.T) {
	env := newTestEnv(t)
	r := env.postMethod("HV01", "vic", "GetReplicationStatisticsEx", object{"parameters": object{
		"ComputerSystem": env.vms[vmReplicating],
		"ReplicationRelationship": object{"InstanceID": msvm.Key{
			VM:   env.vms[vmReplicating],
			Link: msvm.Primary,
		}.InstanceID()},
	}})
	env.want("statistics", r, 200, "")
	stats, _ := r.json["out"].(object)["ReplicationStatistics"].([]any)
	if len(stats) != 1 || stats[0].(object)["ReplicationSuccessCount"] == nil {
		t.Errorf("the statistics are %s", r)
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}
