package operation

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// GUIDs of VMs in the tests.
const (
	vmA     = "4708A0F4-C902-429B-A1E0-D4AB0893E452"
	vmB     = "B8A1C0DE-1111-4222-8333-444455556666"
	testVM1 = "C0FFEE00-0001-4000-8000-000000000001"
	testVM2 = "C0FFEE00-0002-4000-8000-000000000002"
)

// hostTime is the time of the fake host.
var hostTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fakeHost is a host with the rows that a test gives it.
type fakeHost struct {
	wmiquery.Reader // nil: there are no other requests

	rows    map[reflect.Type]reflect.Value // slices of instances by their type
	failing map[string]error               // errors of reads, by class
	get     func(wmiquery.Call) (wmiquery.Reply, error)
}

// newFakeHost returns a host without VMs.
func newFakeHost() *fakeHost {
	h := &fakeHost{rows: map[reflect.Type]reflect.Value{}, failing: map[string]error{}}
	h.show([]msvm.ReplicationService{{
		Name: "replicasvc", CreationClassName: "Msvm_ReplicationService", SystemName: "HV01",
		SystemCreationClassName: "Msvm_ComputerSystem",
	}})
	return h
}

// show replaces all rows of a class. rows is a slice of instances.
func (h *fakeHost) show(rows any) { h.rows[reflect.TypeOf(rows)] = reflect.ValueOf(rows) }

// add adds a row to a class.
func add[T wmiquery.Instance](h *fakeHost, row T) {
	var rows []T
	if v, ok := h.rows[reflect.TypeFor[[]T]()]; ok {
		rows = v.Interface().([]T)
	}
	h.show(append(rows, row))
}

func (h *fakeHost) Read(ctx context.Context, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	class := reflect.Zero(v.Type().Elem()).Interface().(wmiquery.Instance).WMIClass().Name
	if err := h.failing[class]; err != nil {
		return err
	}
	if rows, ok := h.rows[v.Type()]; ok {
		v.Set(rows)
	}
	return ctx.Err()
}

// Texts returns the rows of the class with a property that their struct does not have, and with booleans in lower case.
func (h *fakeHost) Texts(ctx context.Context, class wmiquery.Class) ([]wmiquery.Embedded, error) {
	if err := h.failing[class.Name]; err != nil {
		return nil, err
	}
	var texts []wmiquery.Embedded
	for t, rows := range h.rows {
		if reflect.Zero(t.Elem()).Interface().(wmiquery.Instance).WMIClass() != class {
			continue
		}
		for i := range rows.Len() {
			text, err := cimxml.Marshal(class.Name, rows.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			text = strings.ReplaceAll(text, "TRUE", "true")
			texts = append(texts, wmiquery.Embedded(strings.Replace(text, "</INSTANCE>", later, 1)))
		}
	}
	return texts, ctx.Err()
}

func (h *fakeHost) Get(_ context.Context, call wmiquery.Call) (wmiquery.Reply, error) {
	return h.get(call)
}

func (h *fakeHost) Now() time.Time { return hostTime }

func (h *fakeHost) Associated(context.Context, any, wmiquery.Ref, wmiquery.Class) error {
	return wmiquery.ErrUnsupported // no action reads associations of an object
}

// addVM adds a VM with a mode and an EnabledState by their numbers.
func (h *fakeHost) addVM(guid string, mode, enabled uint16) {
	add(h, msvm.ComputerSystem{
		Name: guid, ElementName: new("vm " + guid[:4]),
		ReplicationMode: new(msvm.ReplicationMode(mode)), EnabledState: new(msvm.EnabledState(enabled)),
	})
}

// addRelationship adds a relationship with a state by its number. The last replication was a minute ago.
func (h *fakeHost) addRelationship(guid, link string, state uint16) {
	number := map[string]string{"primary": "0", "extended": "1"}[link]
	id := `Microsoft:` + guid + `\HVR\` + number
	add(h, msvm.ReplicationRelationship{
		InstanceID: id, ReplicationState: new(msvm.ReplicationState(state)),
		LastReplicationTime: new(hostTime.Add(-time.Minute)),
	})
	add(h, msvm.ReplicationSettingData{
		InstanceID: id, RecoveryHistory: new(uint16(4)), IncludedDisks: []string{"disk 1", "disk 2"},
		PrimaryConnectionPoint: new("hv01.contoso.com"), RecoveryConnectionPoint: new("hv02.contoso.com"),
		RecoveryServerPortNumber: new(uint16(443)), AuthenticationType: new(msvm.Authentication(2)),
		CertificateThumbPrint: new("ABCD"), BypassProxyServer: new(true),
	})
}

// addTestVM adds a test VM of a replica.
func (h *fakeHost) addTestVM(replica, guid string, mode, enabled uint16) {
	h.addVM(guid, mode, enabled)
	add(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(replica), Dependent: msvm.VMRef(guid)})
}

func (h *fakeHost) snapshot(t *testing.T) *Snapshot {
	t.Helper()
	s, p := ReadSnapshot(t.Context(), h)
	if p != nil {
		t.Fatal(p.Detail)
	}
	return s
}

// find returns a relationship.
func find(t *testing.T, s *Snapshot, guid, link string) *Relationship {
	t.Helper()
	r, p := s.Find(guid, link)
	if p != nil {
		t.Fatal(p.Detail)
	}
	return r
}

// slugOf returns the type of a problem, "" for nil.
func slugOf(p *problem.Problem) string {
	if p == nil {
		return ""
	}
	return p.Type.Slug
}

// action returns the action with a name.
func action(t *testing.T, name string) Action {
	t.Helper()
	a, ok := FindAction(name)
	if !ok {
		t.Fatalf("no action %s", name)
	}
	return a
}

// rawParameters returns the parameters of a request from JSON.
func rawParameters(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	var parameters map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &parameters); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return parameters
}
