package admin

import (
	"testing"
)

// The list of methods has what a caller needs to know before a call.
func TestListOfMethods(t *testing.T) {
	env := newTestEnv(t)
	listed := map[string]object{}
	for _, x := range env.get("HV01", "vic", apiMethods).json["methods"].([]any) {
		m := x.(object)
		listed[m["class"].(string)+"."+m["name"].(string)] = m
	}
	if len(listed) != 38 {
		t.Errorf("%d methods are listed, want 38", len(listed))
	}
	const jobOut = `{"class":"Msvm_ConcreteJob","name":"Job","optional":true,"type":"reference"}`
	for name, want := range map[string]string{
		"Msvm_ReplicationService.InitiateFailover": `{"class":"Msvm_ReplicationService","destroys":"changes that the primary ` +
			`has not sent, unless the failover was prepared","does":"fails over to a recovery point, by default the latest; ` +
			`the VM stays off","modes":["replica","extended_replica"],"name":"InitiateFailover","needs_vm_off":true,` +
			`"parameters":[{"class":"Msvm_ComputerSystem","name":"ComputerSystem","type":"reference"},` +
			`{"class":"Msvm_VirtualSystemSettingData","name":"SnapshotSettingData","optional":true,"type":"reference"}],` +
			`"reads":false,"returns":[` + jobOut + `],"states":["replicating","disk_update_in_progress"]}`,
		"Msvm_ReplicationService.GetReplicationStatistics": `{"class":"Msvm_ReplicationService","does":"returns statistics ` +
			`and health issues of the primary relationship","instead":"GetReplicationStatisticsEx",` +
			`"name":"GetReplicationStatistics","parameters":[{"class":"Msvm_ComputerSystem","name":"ComputerSystem",` +
			`"type":"reference"}],"reads":true,"returns":[` +
			`{"class":"Msvm_ReplicationStatistics","name":"ReplicationStatistics","optional":true,` +
			`"type":"array of embedded instances"},{"class":"Msvm_Error","name":"ReplicationHealthIssues","optional":true,` +
			`"type":"array of embedded instances"},` + jobOut + `]}`,
		"Msvm_ReplicationService.TestReplicationConnection": `{"class":"Msvm_ReplicationService","does":"tests the ` +
			`connection to a replica server","name":"TestReplicationConnection","parameters":[` +
			`{"name":"RecoveryConnectionPoint","type":"string"},{"name":"RecoveryServerPortNumber","type":"uint16"},` +
			`{"name":"AuthenticationType","type":"uint16"},{"name":"CertificateThumbPrint","optional":true,"type":"string"},` +
			`{"name":"BypassProxyServer","optional":true,"type":"boolean"}],"reads":true,"returns":[` + jobOut + `]}`,
		"Msvm_ConcreteJob.GetErrorEx": `{"class":"Msvm_ConcreteJob","does":"returns the errors of a job that failed or was terminated",` +
			`"name":"GetErrorEx","parameters":[],"reads":true,"returns":[` +
			`{"class":"Msvm_Error","name":"Errors","optional":true,"type":"array of embedded instances"}]}`,
	} {
		wantJSON(t, name, listed[name], want)
	}
}

// The description has the role of each action, whether it must be confirmed, and the fields of its body.
func TestDescriptionOfActions(t *testing.T) {
	env := newTestEnv(t)
	paths := env.get("HV01", "vic", apiDescription).json["paths"].(object)
	post := func(path string) object { return paths[path].(object)["post"].(object) }
	properties := func(operation object) object {
		content := operation["requestBody"].(object)["content"].(object)
		return content["application/json"].(object)["schema"].(object)["properties"].(object)
	}
	const actions = apiReplicas + "/{vm_id}/{relationship}/actions/"
	for name, want := range map[string]string{
		"suspend":  "Calls Msvm_ComputerSystem.RequestReplicationStateChangeEx. Requires the role operator.",
		"failover": "Calls Msvm_ReplicationService.InitiateFailover. Requires the role failover. Destroys changes that the primary has not sent, unless the failover was prepared, so it must be confirmed.",
		"remove":   "Calls Msvm_ReplicationService.RemoveReplicationRelationshipEx. Requires the role owner. Destroys the relationship and, on the replica side, the recovery points, so it must be confirmed.",
	} {
		if got := post(actions + name)["description"]; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"suspend": `{}`,
		"failover": `{"SnapshotSettingData":{"description":"InstanceID of a recovery point","minLength":1,` +
			`"type":"string"}}`,
		"start-initial-replication": `{"InitialReplicationType":{"maximum":65535,"minimum":0,"type":"integer"},` +
			`"StartTime":{"format":"date-time","type":"string"}}`,
	} {
		wantJSON(t, name, properties(post(actions + name))["parameters"].(object)["properties"], want)
	}
	for name, want := range map[string]bool{"suspend": false, "test-failover": false, "cleanup-test-failover": true} {
		body := properties(post(actions + name))
		if _, there := body["test_result"]; there != want || body["target"] != nil || body["reason"] == nil {
			t.Errorf("%s: the body has %v", name, body)
		}
	}
	for path, want := range map[string]struct {
		deprecated bool
		required   string
	}{
		"/api/v1/methods/RemoveReplicationRelationship":              {true, `["ComputerSystem"]`},
		"/api/v1/methods/RemoveReplicationRelationshipEx":            {false, `["ComputerSystem","ReplicationRelationship"]`},
		"/api/v1/methods/InitiateFailover":                           {false, `["ComputerSystem"]`},
		"/api/v1/methods/GetSystemCertificates":                      {false, `null`},
		"/api/v1/methods/Msvm_ConcreteJob.RequestStateChange":        {false, `["RequestedState"]`},
		"/api/v1/methods/Msvm_ReplicationService.RequestStateChange": {false, `["RequestedState"]`},
	} {
		operation := post(path)
		if operation["deprecated"] != want.deprecated {
			t.Errorf("%s: deprecated is %v, want %v", path, operation["deprecated"], want.deprecated)
		}
		wantJSON(t, path, properties(operation)["parameters"].(object)["required"], want.required)
	}
	var names []string
	for _, p := range post(actions + "suspend")["parameters"].([]any) {
		names = append(names, p.(object)["in"].(string)+" "+p.(object)["name"].(string))
	}
	wantJSON(t, "parameters of the request", names,
		`["path vm_id","path relationship","query dry_run","header Idempotency-Key"]`)
	if got := post("/-/reload")["parameters"]; got != nil {
		t.Errorf("a reload has the parameters %v", got)
	}
}
