package wmitest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// compareMethods makes the same calls directly on a simulated host and through the implementation on an identical
// simulated host. It calls all methods for all relationships, and requests all states. The replies must be the same,
// and the hosts must be the same at the end.
func compareMethods(t *testing.T, serve Serve, host string) {
	direct := newFixture(t, func(_ *testing.T, host Open) Open { return host }, host)
	tested := newFixture(t, serve, host)
	seen := map[string]bool{}
	service, relationships := direct.read(t)
	for i, r := range relationships {
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		c := caller{direct, host, service, r, key}
		for j := range msvm.Methods() {
			// Start with a different method for each VM, because a call affects the results of later calls.
			m := msvm.Methods()[(i*7+j)%len(msvm.Methods())]
			for k := range variants(m) {
				call := c.call(t, m, k)
				want, wantErr := direct.direct.Call(call)
				got, gotErr := tested.pool.Invoke(t.Context(), call)
				if got.Code != want.Code || got.Job != want.Job || !sameSentinel(gotErr, wantErr) ||
					wantErr == nil && !sameOut(m, got.Out, want.Out) {
					t.Errorf("%s for %s: got\n%+v, error %v; want\n%+v, error %v",
						call.Method, r.InstanceID, got, gotErr, want, wantErr)
				}
				seen[fmt.Sprint(m.Class, ".", call.Method, " ", want.Code)] = true
			}
		}
		direct.advance(time.Minute)
		tested.advance(time.Minute)
	}
	if len(seen) < len(msvm.Methods()) {
		t.Errorf("got only %d different replies of %d methods", len(seen), len(msvm.Methods()))
	}
	(&fixture{direct: direct.direct, pool: tested.pool}).compareClasses(t)
}

// caller makes calls for a relationship.
type caller struct {
	fixture      *fixture
	host         string
	service      msvm.ReplicationService
	relationship msvm.ReplicationRelationship
	key          msvm.Key
}

// variants returns the number of different calls of a method: one per state that can be requested, and one with a state
// that cannot be requested. Methods that do not request a state have one.
func variants(m msvm.Method) int {
	for _, p := range m.In {
		if p.Name == "RequestedState" {
			return len(msvm.StateRequests()) + 1
		}
	}
	return 1
}

func (c caller) call(t *testing.T, m msvm.Method, variant int) wmiquery.Call {
	t.Helper()
	call := wmiquery.Call{Namespace: wmiquery.Virtualization, Object: c.object(t, m.Class), Method: m.Name}
	for _, p := range m.In {
		call.In = append(call.In, wmiquery.Param{Name: p.Name, Value: c.value(t, p, variant)})
	}
	return call
}

// object returns the path of an object of a class.
func (c caller) object(t *testing.T, class string) wmiquery.Ref {
	t.Helper()
	switch class {
	case msvm.ClassComputerSystem:
		return msvm.VMRef(c.key.VM)
	case msvm.ClassVirtualSystemManagementService:
		return msvm.ManagementServiceRef(c.host)
	case msvm.ClassConcreteJob:
		var jobs []msvm.ConcreteJob
		if err := c.fixture.direct.Read(&jobs); err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			return msvm.JobRef("00000000-0000-0000-0000-000000000000")
		}
		return jobs[len(jobs)-1].Ref()
	}
	return c.service.Ref()
}

// value returns a value for a parameter. For most parameters it is a valid one.
func (c caller) value(t *testing.T, p msvm.Parameter, variant int) any {
	t.Helper()
	switch p.Type {
	case msvm.TypeReference:
		if p.Optional {
			return nil
		}
		return msvm.VMRef(c.key.VM)
	case msvm.TypeEmbedded:
		return c.embedded(t, p.Class)
	case msvm.TypeEmbeddedArray:
		return []wmiquery.Embedded{c.embedded(t, p.Class)}
	case msvm.TypeUint16:
		if p.Name != "RequestedState" {
			return uint16(1)
		}
		if requests := msvm.StateRequests(); variant < len(requests) {
			return uint16(requests[variant].State)
		}
		return uint16(99)
	case msvm.TypeBoolean:
		return true
	case msvm.TypeDatetime:
		if p.Name == "StartTime" && c.key.Link == msvm.Primary {
			return c.fixture.world.Now().Add(time.Hour).Truncate(time.Second)
		}
		return nil
	case msvm.TypeString:
		return `D:\Export "1" & <more>`
	case msvm.TypeStringArray:
		return []string{"one", ""}
	}
	t.Fatalf("no value for a parameter of type %s", p.Type)
	return nil
}

// embedded returns an embedded instance of a class.
func (c caller) embedded(t *testing.T, class string) wmiquery.Embedded {
	t.Helper()
	var instance wmiquery.Instance
	switch class {
	case msvm.ClassReplicationRelationship:
		instance = c.relationship
	case msvm.ClassReplicationAuthorizationSettingData:
		instance = msvm.ReplicationAuthorizationSettingData{
			AllowedPrimaryHostSystem: new("*.example.com"), TrustGroup: new("Ä & <B>"),
		}
	case msvm.ClassFailoverNetworkAdapterSettingData:
		instance = msvm.FailoverNetworkAdapterSettingData{DHCPEnabled: new(true), IPAddresses: []string{}}
	default:
		instance = c.row(t, class)
	}
	text, err := cimxml.Marshal(class, instance)
	if err != nil {
		t.Fatal(err)
	}
	return wmiquery.Embedded(text)
}

// row returns the row of a class for the relationship, or the first row if there is none, because an earlier call may
// have removed the relationship.
func (c caller) row(t *testing.T, class string) wmiquery.Instance {
	t.Helper()
	for _, known := range msvm.Classes() {
		if known.WMIClass().Name != class {
			continue
		}
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(known)))
		if err := c.fixture.direct.Read(rows.Interface()); err != nil {
			t.Fatal(err)
		}
		var first wmiquery.Instance
		for i := range rows.Elem().Len() {
			row := rows.Elem().Index(i).Interface().(wmiquery.Instance)
			if s, ok := row.(msvm.ReplicationSettingData); ok && s.InstanceID == c.key.InstanceID() {
				return row
			}
			if first == nil {
				first = row
			}
		}
		if first != nil {
			return first
		}
	}
	t.Fatalf("class %s has no rows", class)
	return nil
}

// sameSentinel reports whether both errors wrap the same sentinel, or none.
func sameSentinel(a, b error) bool {
	for _, sentinel := range []error{
		wmiquery.ErrNotFound, wmiquery.ErrUnsupported, wmiquery.ErrDenied, wmiquery.ErrBusy, wmiquery.ErrTimeout,
		wmiquery.ErrInvalidState, wmiquery.ErrUnavailable,
	} {
		if errors.Is(a, sentinel) != errors.Is(b, sentinel) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

// sameOut reports whether the out parameters are the same. A parameter that is missing counts as null. Job and
// ReturnValue are not out parameters of a reply.
func sameOut(m msvm.Method, got, want map[string]any) bool {
	names := map[string]bool{}
	for _, p := range m.Out {
		if p.Name != "Job" {
			names[p.Name] = true
		}
	}
	for name := range names {
		if !reflect.DeepEqual(got[name], want[name]) {
			return false
		}
	}
	for name := range got {
		if !names[name] {
			return false
		}
	}
	return true
}
