package admin

import (
	"encoding/json"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// methodNamed finds a method by its name, or by class and name if two classes have
// one of that name.
func methodNamed(path string) (msvm.Method, *problem) {
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
		return msvm.Method{}, refuse(kindNotFound, "there is no method %.80q; GET /api/v1/methods lists them", path)
	case 1:
		return found[0], nil
	}
	return msvm.Method{}, refuse(kindBadRequest, "%s is a method of %s and of %s: write Class.%s", name, found[0].Class, found[1].Class, name)
}

// vmOfBody is the VM that a call of a method is about, "" if it is about none. That
// there is one is looked for later.
func vmOfBody(m msvm.Method, b *body) (string, *problem) {
	text := b.Target
	for _, p := range m.In {
		if p.Type == msvm.TypeReference && p.Class == "Msvm_ComputerSystem" {
			if b.Parameters[p.Name] == nil {
				return "", refuse(kindParameter, "%s is missing: the GUID of a VM", p.Name)
			}
			if err := json.Unmarshal(b.Parameters[p.Name], &text); err != nil {
				return "", refuse(kindParameter, "%s: %.40s is no string", p.Name, b.Parameters[p.Name])
			}
			if b.Target != "" {
				return "", refuse(kindParameter, "target is not for this method; %s says which VM", p.Name)
			}
			return guid(text), nil
		}
	}
	switch m.Class {
	case "Msvm_ComputerSystem":
		if guid(text) == "" {
			return "", refuse(kindParameter, "target is missing: the GUID of the VM whose method it is")
		}
		return guid(text), nil
	case "Msvm_ConcreteJob":
		if !msvm.IsGUID(text) {
			return "", refuse(kindParameter, "target is missing: the InstanceID of the job whose method it is")
		}
	default:
		if b.Target != "" {
			return "", refuse(kindParameter, "target is not for this method, which is the service's")
		}
	}
	return "", nil
}

// guid is the GUID of a VM that is given by it or by its path.
func guid(s string) string {
	if msvm.IsGUID(s) {
		return strings.ToUpper(s)
	}
	path := wmiquery.Relative(s)
	id := msvm.VMOf(path)
	if !strings.EqualFold(string(path), string(msvm.VMRef(id))) { // something stands behind it
		return ""
	}
	return id
}

// planMethod makes the plan for a method with parameters of somebody's choice. It
// asks whether they may before it tells anything about the host.
func (v *hostView) planMethod(m msvm.Method, b *body, with material, may func(deed) *problem) (*plan, *problem) {
	for name := range b.Parameters {
		if !slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Name == name }) {
			return nil, refuse(kindParameter, "%s has no parameter %q; it has %s", m.Name, name, orNone(parameterNames(m)))
		}
	}
	vm, problem := vmOfBody(m, b)
	if problem != nil {
		return nil, problem
	}
	s, there := v.systems[vm]
	p := &plan{
		action: m.Name, method: m, needs: owner, destroys: destroys(m, v.replicas[msvm.Key{VM: vm, Link: v.linkOf(m, vm)}]), vm: vm, name: msvm.StringOrEmpty(s.ElementName),
		shown: map[string]any{}, raw: true, material: with,
	}
	if p.confirmed = p.name; vm == "" {
		p.confirmed = v.service.SystemName
	}
	if problem := p.amount(b); problem != nil {
		return nil, problem
	}
	if problem := may(p.deed()); problem != nil {
		return nil, problem
	}
	if vm != "" {
		if !there {
			return nil, refuse(kindNotFound, "this host has no VM %s", vm)
		}
		if problem := v.aim(p, b); problem != nil {
			return nil, problem
		}
	}
	if problem := v.fill(p, b); problem != nil {
		return nil, problem
	}
	if m.Name == destroySystem { // as the verb: nothing else about the replica meanwhile
		for of, tests := range v.tests {
			if slices.Contains(tests, vm) {
				p.claimed = of
			}
		}
	}
	if m.Class == "Msvm_ConcreteJob" {
		p.object = msvm.JobRef(strings.ToUpper(b.Target))
	}
	return p, nil
}

func parameterNames(m msvm.Method) []string {
	var all []string
	for _, p := range m.In {
		all = append(all, p.Name)
	}
	return all
}

// aim finds which relationship the call is about.
func (v *hostView) aim(p *plan, b *body) *problem {
	key := msvm.Key{VM: p.vm, Link: v.linkOf(p.method, p.vm)}
	if text := b.Parameters["ReplicationRelationship"]; text != nil && string(text) != "null" {
		properties, err := object(text)
		if err != nil {
			return refuse(kindParameter, "ReplicationRelationship: %v", err)
		}
		r, err := v.named(p.vm, properties["InstanceID"])
		if err != nil {
			return refuse(kindParameter, "ReplicationRelationship: %v", err)
		}
		if p.method.Name != becomePrimary {
			key = r.key
		} else if r.key.Link != msvm.Extended {
			return refuse(kindParameter, "ReplicationRelationship must be the extended one")
		}
	}
	p.target = v.replicas[key]
	return nil
}

// amount finds the verb that the call amounts to, and who may do it: as for the
// verb if it takes these parameters, else the owner.
func (p *plan) amount(b *body) *problem {
	if takesState(p.method) {
		var n uint16
		if err := json.Unmarshal(b.Parameters["RequestedState"], &n); err != nil {
			return refuse(kindParameter, "RequestedState is missing, or no number of a state")
		}
		p.request = msvm.ReplicationState(n)
	}
	if strings.HasPrefix(p.method.Name, "Get") {
		p.needs = viewer
		return nil
	}
	verb, ok := verbOf(p.method, p.request)
	if !ok {
		return nil
	}
	p.verb, p.action, p.needs = &verb, verb.name, verb.needs
	for name := range b.Parameters {
		switch name {
		case "ComputerSystem", "AffectedSystem", "RequestedState", "ReplicationRelationship":
		default:
			if !slices.Contains(verb.takes, name) {
				p.needs = owner
			}
		}
	}
	return nil
}
