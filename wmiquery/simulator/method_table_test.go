package simulator_test

import (
	"errors"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The hosts have exactly the methods of package msvm.
func TestEveryMethodIsSimulated(t *testing.T) {
	d := newVMDriver(t, healthy)
	objects := map[string]wmiquery.Ref{
		"Msvm_ReplicationService":             read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref(),
		"Msvm_ComputerSystem":                 msvm.VMRef(d.vm),
		"Msvm_ShutdownComponent":              read[msvm.ShutdownComponent](t, d.hosts["HV01"])[0].Ref(),
		"Msvm_VirtualSystemManagementService": `Msvm_VirtualSystemManagementService.Name="vmms"`,
		"Msvm_ConcreteJob":                    d.requestState("HV01", 7).Job,
	}
	call := func(class, method string, in ...wmiquery.Param) (wmiquery.Reply, error) {
		return d.hosts["HV01"].Call(newCall(objects[class], method, in...))
	}
	for _, m := range msvm.Methods() {
		if _, err := call(m.Class, strings.ToLower(m.Name)); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if reply, err := call(m.Class, m.Name, params("Nonsense", true)...); err != nil ||
			reply.Code != wmiquery.CodeInvalidParam && reply.Code != wmiquery.CodeInvalidState {
			t.Errorf("%s with an unknown parameter: code %d, %v", m.Name, reply.Code, err)
		}
		if _, err := d.hosts["HV01"].Call(newCall(objects[m.Class]+"x",
			m.Name)); m.Class != "Msvm_VirtualSystemManagementService" && !errors.Is(err, wmiquery.ErrNotFound) {
			t.Errorf("%s of an unknown object: error is %v, want not found", m.Name, err)
		}
	}
	if _, err := call("Msvm_ReplicationService", "Prepare"); !errors.Is(err,
		wmiquery.ErrUnsupported) { // Q31: there is no such method
		t.Errorf("unknown method: error is %v, want unsupported", err)
	}
}
