package operation

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// FindMethod returns a method by its name, or by Class.Name if two classes have a method of that name.
func FindMethod(path string) (msvm.Method, *problem.Problem) {
	class, name, qualified := strings.Cut(path, ".")
	if !qualified {
		class, name = "", path
	}
	var found []msvm.Method
	for _, m := range msvm.Methods() {
		if m.Name == name && (class == "" || m.Class == class) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return msvm.Method{}, problem.New(problem.NotFound,
			"method %.80q: not found; GET /api/v1/methods lists all methods", path)
	case 1:
		return found[0], nil
	}
	return msvm.Method{}, problem.New(problem.BadRequest,
		"method %s: ambiguous, %s and %s have it; use Class.%s", name, found[0].Class, found[1].Class, name)
}

// MethodPath returns the name by which FindMethod finds a method.
func MethodPath(m msvm.Method) string {
	if _, p := FindMethod(m.Name); p != nil {
		return m.Class + "." + m.Name
	}
	return m.Name
}

// PlanMethod plans a call of a method with the parameters of a request. It calls authorize before an answer can reveal
// anything about the host.
func PlanMethod(
	ctx context.Context, r wmiquery.Reader, s *Snapshot, m msvm.Method, req *Request,
	authorize func(authz.Attributes) *problem.Problem,
) (*Plan, *problem.Problem) {
	if req.TestResult != "" && m.Name != msvm.MethodDestroySystem {
		return nil, problem.New(problem.BadRequest, "test_result: only for %s", msvm.MethodDestroySystem)
	}
	vm, bad := vmOfRequest(m, req)
	if bad != nil {
		return nil, bad
	}
	for name := range req.Parameters {
		if !slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Name == name }) {
			return nil, problem.New(problem.InvalidParameter,
				"%s has no parameter %q; it has %s", m.Name, name, listOrNone(parameterNames(m)))
		}
	}
	system, found := s.VM(vm)
	p := &Plan{
		Action: m.Name, Method: m, Role: authz.RoleOwner,
		VM: vm, VMName: msvm.StringOrEmpty(system.ElementName), LockVM: vm,
		Object: s.object(m, vm), Parameters: map[string]any{}, explicit: true,
	}
	if p.ConfirmName = nameOr(p.VMName, vm); vm == "" {
		p.ConfirmName = nameOr(s.Service.SystemName, "")
	}
	if m.Class == msvm.ClassConcreteJob {
		p.Object = msvm.JobRef(JobID(req.Target))
	}
	if bad := matchAction(p, req); bad != nil {
		return nil, bad
	}
	// The policy decides on what the call destroys, which depends on the relationship. Why there is no such relationship
	// is answered after that.
	badTarget := resolveTarget(s, p, req)
	p.Destroys = destroyedBy(m, p.state, p.Target)
	p.endsOwnTest = m.Name == msvm.MethodDestroySystem && s.link(s.replicaOf(vm), msvm.Primary).testStartedHere()
	if bad := authorize(p.Attributes()); bad != nil {
		return nil, bad
	}
	if vm != "" && !found {
		return nil, problem.New(problem.NotFound, "vm %s: not found on this host", vm)
	}
	if badTarget != nil {
		return nil, badTarget
	}
	if bad := bindParameters(ctx, r, s, p, req); bad != nil {
		return nil, bad
	}
	if m.Name == msvm.MethodDestroySystem {
		p.LockVM = cmp.Or(s.replicaOf(vm), vm)
	}
	return p, nil
}

// vmOfRequest returns the GUID of the VM that a call of a method is about, "" if it is about none. The VM may not
// exist.
func vmOfRequest(m msvm.Method, req *Request) (string, *problem.Problem) {
	for _, p := range m.In {
		if p.Type != msvm.TypeReference || p.Class != msvm.ClassComputerSystem {
			continue
		}
		if req.Parameters[p.Name] == nil {
			return "", problem.New(problem.InvalidParameter, "%s: missing; give the GUID of a VM", p.Name)
		}
		text := ""
		if err := json.Unmarshal(req.Parameters[p.Name], &text); err != nil {
			return "", problem.New(problem.InvalidParameter, "%s: %.40s is not a string", p.Name, req.Parameters[p.Name])
		}
		if req.Target != "" {
			return "", problem.New(problem.InvalidParameter,
				"target: not for this method; the parameter %s names the VM", p.Name)
		}
		return guidOf(text), nil
	}
	switch m.Class {
	case msvm.ClassComputerSystem, msvm.ClassShutdownComponent:
		if guidOf(req.Target) == "" {
			return "", problem.New(problem.InvalidParameter, "target: missing; give the GUID of the VM")
		}
		return guidOf(req.Target), nil
	case msvm.ClassConcreteJob:
		if JobID(req.Target) == "" {
			return "", problem.New(problem.InvalidParameter,
				"target: missing; give native_job of the job, or the InstanceID in it")
		}
	default:
		if req.Target != "" {
			return "", problem.New(problem.InvalidParameter, "target: not for this method of a service")
		}
	}
	return "", nil
}

// JobID returns the InstanceID of a job of the host in upper case, from the InstanceID or the object path of the job.
// It returns "" for any other text.
func JobID(s string) string {
	if msvm.IsGUID(s) {
		return strings.ToUpper(s)
	}
	path := wmiquery.Relative(s)
	id := msvm.JobID(path)
	if !msvm.IsGUID(id) || !strings.EqualFold(string(path), string(msvm.JobRef(id))) { // the path has more than the ID
		return ""
	}
	return id
}

// guidOf returns the GUID of a VM in upper case, from the GUID or the object path of the VM. It returns "" for any
// other text.
func guidOf(s string) string {
	if msvm.IsGUID(s) {
		return strings.ToUpper(s)
	}
	path := wmiquery.Relative(s)
	id := msvm.VMOf(path)
	if !strings.EqualFold(string(path), string(msvm.VMRef(id))) { // the path has more than the GUID
		return ""
	}
	return id
}

func parameterNames(m msvm.Method) []string {
	var all []string
	for _, p := range m.In {
		all = append(all, p.Name)
	}
	return all
}

// matchAction finds the action that does the same as the call. The call needs the role of that action, if the action
// has the given parameters. Otherwise it needs the role owner.
func matchAction(p *Plan, req *Request) *problem.Problem {
	if p.Method.RequestsState() || p.Method.RequestsPower() {
		var n uint16
		if err := json.Unmarshal(req.Parameters["RequestedState"], &n); err != nil {
			return problem.New(problem.InvalidParameter, "RequestedState: missing, or not the number of a state")
		}
		p.state = n
	}
	if p.Method.IsGet() {
		p.Role = authz.RoleViewer
		return nil
	}
	a, ok := matchingAction(p.Method, p.state)
	if !ok {
		return nil
	}
	p.action, p.Action, p.Role = &a, a.Name, a.Role
	for name := range req.Parameters {
		switch name {
		case "ComputerSystem", "AffectedSystem", "RequestedState", "ReplicationRelationship":
		default:
			if !slices.Contains(a.Parameters, name) {
				p.Role = authz.RoleOwner
			}
		}
	}
	return nil
}

// resolveTarget finds the relationship that the call is about. A call that is about no VM is about none.
func resolveTarget(s *Snapshot, p *Plan, req *Request) *problem.Problem {
	if p.VM == "" {
		return nil
	}
	key := msvm.Key{VM: p.VM, Link: s.defaultLink(p.Method, p.VM)}
	if text := req.Parameters["ReplicationRelationship"]; text != nil && string(text) != "null" {
		properties, err := decodeObject(text)
		if err != nil {
			return problem.New(problem.InvalidParameter, "ReplicationRelationship: %v", err)
		}
		r, err := s.findByInstanceID(p.VM, properties["InstanceID"])
		if err != nil {
			return problem.New(problem.InvalidParameter, "ReplicationRelationship: %v", err)
		}
		if p.Method.Name != msvm.MethodChangeReplicationModeToPrimary {
			key = r.Key
		} else if r.Key.Link != msvm.Extended {
			return problem.New(problem.InvalidParameter, "ReplicationRelationship: must be the extended relationship")
		}
	}
	p.Target = s.relationships[key]
	return nil
}
