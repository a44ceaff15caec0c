package simulator

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// method is a method of a class and what the host does when it is called.
type method struct {
	class, name string
	run         func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error)
}

// methods are those that the simulated hosts have.
var methods = []method{
	{"Msvm_ReplicationService", msvm.MethodGetReplicationStatistics, (*session).replicationStatistics},
}

// param is the value of a parameter that is a reference or a text, "" if it is
// null, not given, or anything else.
func param(c wmiquery.Call, name string) string {
	for _, p := range c.In {
		if !strings.EqualFold(p.Name, name) {
			continue
		}
		switch v := p.Value.(type) {
		case wmiquery.Ref:
			return string(v)
		case wmiquery.Embedded:
			return string(v)
		case string: // how COM carries both
			return v
		}
	}
	return ""
}

// className is the class in an object path.
func className(r wmiquery.Ref) string {
	class, _, _ := strings.Cut(string(r), ".")
	return class
}

// machineParam is the machine of the host that a parameter refers to.
func (h *host) machineParam(c wmiquery.Call, name string) (*machine, bool) {
	ref := param(c, name)
	_, after, _ := strings.Cut(ref, `Name="Msvm_ComputerSystem",Name="`)
	id := strings.ToUpper(strings.TrimSuffix(after, `"`))
	m, ok := h.byID[id]
	return m, ok && strings.EqualFold(ref, string(msvm.VMRef(id)))
}

// relationshipParam is the relationship of the machine that a parameter, which
// is an embedded instance, names. Of the text only the key counts.
func (m *machine) relationshipParam(c wmiquery.Call, name string) (relationship, bool) {
	var r msvm.ReplicationRelationship
	class, err := cimxml.Unmarshal(param(c, name), &r)
	if err != nil || !strings.EqualFold(class, r.WMIClass().Name) {
		return relationship{}, false
	}
	key, err := msvm.ParseKey(r.InstanceID)
	return relationship{m, key.Link}, err == nil && key.VM == m.id
}
