package operation

import (
	"slices"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Every method can be found by its qualified name. Every action has an existing method, existing parameters, and a
// state that can be requested. Suspend, resume and prepare-failover are states to request, not methods of the service
// (Q31).
func TestActionsMatchTheMethodTable(t *testing.T) {
	for _, m := range msvm.Methods() {
		if _, p := FindMethod(m.Class + "." + m.Name); p != nil {
			t.Errorf("FindMethod(%s.%s): %s", m.Class, m.Name, p.Detail)
		}
	}
	for _, a := range Actions() {
		m := a.Definition()
		if m.Name == "" {
			t.Errorf("%s: no method %s", a.Name, a.Method)
		}
		for _, name := range a.Parameters {
			if !slices.ContainsFunc(m.In, func(p msvm.Parameter) bool { return p.Name == name }) {
				t.Errorf("%s: method %s has no parameter %s", a.Name, a.Method, name)
			}
		}
		if _, ok := preconditionsOf(m, a.State); !ok {
			t.Errorf("%s: the state %d cannot be requested", a.Name, a.State)
		}
	}
}
