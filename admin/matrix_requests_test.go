package admin

import (
	"fmt"
	"maps"
	"slices"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// matrixRequest is a request, which is a row of the file.
type matrixRequest struct {
	row, path string
	payload   object
	vm        string // name of the VM, for the confirmation
}

// requestsAbout returns a request for every action, and for every method that is about the side.
func (env *responseMatrix) requestsAbout(s side) []matrixRequest {
	env.Helper()
	var all []matrixRequest
	for _, v := range operation.Actions() {
		payload := object{}
		if v.Name == "import-initial-replica" {
			payload["parameters"] = object{"InitialReplicationImportLocation": `D:\import`}
		}
		all = append(all, matrixRequest{
			v.Name, env.replicaPath(s.vm, string(s.link)) + "/actions/" + v.Name, payload,
			env.vm,
		})
	}
	mode := env.get(s.host, "vic", env.replicaPath(s.vm, "primary")).json["mode"]
	for _, method := range msvm.Methods() {
		if !isAboutVM(method) || mode == "replica" && !isAboutLink(method, s.link) {
			continue
		}
		vm, name, link := env.vms[s.vm], operation.MethodPath(method), s.link
		if method.Name == msvm.MethodChangeReplicationModeToPrimary {
			link = msvm.Extended
		}
		a := matrixRequest{name, apiMethods + "/" + name, env.methodBody(method, vm, link), env.vm}
		parameters := a.payload["parameters"].(object)
		switch method.Name {
		case "SetAuthorizationEntry":
			parameters["AuthorizationEntry"] = env.existingEntry()
		case msvm.MethodDestroySystem:
			if test := env.testVMOf(s.host, s.vm); test != "" {
				parameters["AffectedSystem"], a.vm = test, env.vm+" - Test"
			}
		case msvm.MethodRequestReplicationStateChangeEx:
			parameters["ReplicationRelationship"] = object{"InstanceID": msvm.Key{VM: vm, Link: link}.InstanceID()}
			for _, q := range msvm.StateRequests() {
				matches := func(a operation.Action) bool {
					return a.Method == msvm.MethodRequestReplicationStateChangeEx && a.State == uint16(q.State)
				}
				if !slices.ContainsFunc(operation.Actions(), matches) { // the actions have rows of their own
					other := maps.Clone(parameters)
					other["RequestedState"] = q.State
					all = append(all, matrixRequest{
						fmt.Sprintf("%s of %d", name, q.State), a.path,
						object{"target": vm, "parameters": other},
						env.vm,
					})
				}
			}
			a.row += " of 3"
		}
		all = append(all, a)
	}
	return all
}

// isAboutLink reports whether the host relates a method to this relationship of a replica. Most methods name only the
// VM.
func isAboutLink(method msvm.Method, link msvm.Link) bool {
	for _, p := range method.In {
		if p.Class == "Msvm_ReplicationRelationship" && method.Name != msvm.MethodChangeReplicationModeToPrimary {
			return true
		}
	}
	return method.Name == "RevertFailover" || method.SendingSide == (link == msvm.Extended)
}

// isAboutVM reports whether a method is about a VM, not about the host or a job.
func isAboutVM(m msvm.Method) bool {
	return m.Class == "Msvm_ComputerSystem" || m.Class == "Msvm_ShutdownComponent" ||
		slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Class == "Msvm_ComputerSystem" })
}

// requestsAboutHost returns requests for every method that is about the host or a job.
func (env *responseMatrix) requestsAboutHost() []matrixRequest {
	env.Helper()
	jobs, err := wmiquery.All[msvm.ConcreteJob](env.Context(), env.hosts[env.host].pool)
	if err != nil || len(jobs) == 0 {
		env.Fatalf("the host has %d jobs, %v", len(jobs), err)
	}
	var all []matrixRequest
	for _, method := range msvm.Methods() {
		if isAboutVM(method) {
			continue
		}
		name, payload := operation.MethodPath(method), env.methodBody(method, "", msvm.Primary)
		existing := maps.Clone(payload)
		switch {
		case method.Class == "Msvm_ConcreteJob":
			existing["target"] = jobs[0].InstanceID
		case len(method.In) > 0 && method.In[0].Name == "AuthorizationEntry":
			existing["parameters"] = object{"AuthorizationEntry": env.existingEntry()}
		case method.Name == "RemoveAuthorizationEntry":
			existing["parameters"] = env.existingEntry()
		default:
			all = append(all, matrixRequest{name, apiMethods + "/" + name, payload, ""})
			continue
		}
		all = append(all, matrixRequest{name + " (existing)", apiMethods + "/" + name, existing, ""},
			matrixRequest{name + " (missing)", apiMethods + "/" + name, payload, ""})
	}
	return all
}

// existingEntry names an authorization entry that the host has.
func (env *responseMatrix) existingEntry() object {
	env.Helper()
	return object{"AllowedPrimaryHostSystem": *env.authorizationEntries(env.host)[0].AllowedPrimaryHostSystem}
}

// testVMOf returns the test VM of a replica, "" if it has none.
func (env *testEnv) testVMOf(host string, vm int) string {
	env.Helper()
	tests, _ := env.get(host, "vic", env.replicaPath(vm, "primary")).json["test_vms"].([]any)
	if len(tests) == 0 {
		return ""
	}
	return tests[0].(string)
}

func actionAndMethodNames() []string {
	var all []string
	for _, v := range operation.Actions() {
		all = append(all, v.Name)
	}
	for _, method := range msvm.Methods() {
		all = append(all, operation.MethodPath(method))
	}
	return all
}
