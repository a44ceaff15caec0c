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

// methods calls every method for every relationship of a host, with each state
// where one is requested, on a world read directly and on its twin through the
// implementation: the answers must be the same, and so must the worlds in the
// end.
func methods(t *testing.T, under func(*testing.T, Open) Open, host string) {
	direct := newFixture(t, func(_ *testing.T, host Open) Open { return host }, host)
	through := newFixture(t, under, host)
	seen := map[string]bool{}
	service, relationships := direct.read(t)
	for i, r := range relationships {
		key, err := msvm.ParseKey(r.InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		c := caller{direct, host, service, r, key}
		for j := range msvm.Methods() {
			// Every VM begins with another method, so that not the first one decides
			// what the others find.
			m := msvm.Methods()[(i*7+j)%len(msvm.Methods())]
			for k := range variants(m) {
				call := c.call(t, m, k)
				want, wantErr := direct.direct.Call(call)
				got, gotErr := through.pool.Invoke(t.Context(), call)
				if got.Code != want.Code || got.Job != want.Job || !sameKind(gotErr, wantErr) || wantErr == nil && !sameOut(m, got.Out, want.Out) {
					t.Errorf("%s for %s:\n%+v, %v; want\n%+v, %v", call.Method, r.InstanceID, got, gotErr, want, wantErr)
				}
				seen[fmt.Sprint(m.Class, ".", call.Method, " ", want.Code)] = true
			}
		}
		direct.advance(time.Minute)
		through.advance(time.Minute)
	}
	if len(seen) < len(msvm.Methods()) {
		t.Errorf("only %d different answers to %d methods were seen", len(seen), len(msvm.Methods()))
	}
	(&fixture{direct: direct.direct, pool: through.pool}).classes(t)
}

// caller makes calls for a relationship.
type caller struct {
	fixture      *fixture
	host         string
	service      msvm.ReplicationService
	relationship msvm.ReplicationRelationship
	key          msvm.Key
}

// variants is how many ways there are to call a method: one for each state that
// can be requested, and one with none that can be.
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

// object is what a method of that class is called at.
func (c caller) object(t *testing.T, class string) wmiquery.Ref {
	t.Helper()
	switch class {
	case "Msvm_ComputerSystem":
		return msvm.VMRef(c.key.VM)
	case "Msvm_VirtualSystemManagementService":
		return msvm.ManagementServiceRef(c.host)
	case "Msvm_ConcreteJob":
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

// value is a value for a parameter: one that makes sense, for most.
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
	t.Fatalf("no value for a %s", p.Type)
	return nil
}

// embedded is an instance of a class that a method takes.
func (c caller) embedded(t *testing.T, class string) wmiquery.Embedded {
	t.Helper()
	var instance wmiquery.Instance
	switch class {
	case "Msvm_ReplicationRelationship":
		instance = c.relationship
	case "Msvm_ReplicationAuthorizationSettingData":
		instance = msvm.ReplicationAuthorizationSettingData{AllowedPrimaryHostSystem: new("*.example.com"), TrustGroup: new("Ä & <B>")}
	case "Msvm_FailoverNetworkAdapterSettingData":
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

// row is the row of a class that is the relationship's, or else the first: the
// relationship may have gone with a call before.
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
	t.Fatalf("no row of %s", class)
	return nil
}

func sameKind(a, b error) bool {
	for _, is := range []error{wmiquery.ErrNotFound, wmiquery.ErrUnsupported, wmiquery.ErrDenied, wmiquery.ErrUnavailable} {
		if errors.Is(a, is) != errors.Is(b, is) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

// sameOut compares the out parameters. An array that is null and one that is not
// there are the same.
func sameOut(m msvm.Method, a, b map[string]any) bool {
	for _, p := range m.Out {
		if p.Name != "Job" && !reflect.DeepEqual(a[p.Name], b[p.Name]) {
			return false
		}
	}
	return true
}
