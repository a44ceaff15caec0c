package wmitest

import (
	"context"
	"errors"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// testAssociators checks what the association of network adapters with their failover settings connects with each
// adapter. The implementation returns the same as the host, also if the host has faults.
func testAssociators(t *testing.T, serve Serve) {
	for _, fault := range []string{
		"unknown-enum", "failover-network-ids", "nulls", "invalid-value",
		"invalid-value=Msvm_FailoverNetworkAdapterSettingData.InstanceID",
	} {
		t.Run("rows with "+fault, func(t *testing.T) { newFixture(t, serve, "HV01").compareAssociators(t, fault) })
	}
	t.Run("extreme values", func(t *testing.T) {
		host := extremeSession{}
		pool := newPool(t, serve(t, func() (wmiquery.Session, error) { return host, nil }))
		differences, err := compareClass(msvm.FailoverNetworkAdapterSettingData{}, host.Read,
			func(dst any) error {
				return pool.Associated(t.Context(), dst, `C.K="a\\b 'c' 虚"`, failoverAssociation)
			})
		if err != nil || len(differences) > 0 {
			t.Errorf("got error %v, differences %q", err, differences)
		}
	})
	t.Run("one row of an adapter", func(t *testing.T) { newFixture(t, serve, "HV01").testOneRowOfAdapter(t) })
	t.Run("errors", func(t *testing.T) { newFixture(t, serve, "HV01").testAssociatorErrors(t) })
	t.Run("hanging query", func(t *testing.T) { newFixture(t, serve, "HV01").testHangingAssociators(t) })
}

// compareAssociators compares the rows of each adapter under a fault.
func (f *fixture) compareAssociators(t *testing.T, fault string) {
	adapters := f.adapters(t)
	f.setFaults(t, fault)
	for _, adapter := range adapters {
		differences, err := compareClass(msvm.FailoverNetworkAdapterSettingData{},
			func(dst any) error { return f.direct.Associated(dst, adapter, failoverAssociation) },
			func(dst any) error { return f.pool.Associated(t.Context(), dst, adapter, failoverAssociation) })
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences {
			t.Errorf("%s: %s", adapter, d)
		}
	}
}

// describeSettings returns the settings as CIM-XML.
func describeSettings(t *testing.T, s msvm.FailoverNetworkAdapterSettingData) string {
	t.Helper()
	text, err := cimxml.Marshal(s.WMIClass().Name, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// failoverAssociation connects a network adapter with its failover settings.
var failoverAssociation = wmiquery.Class{
	Namespace: `root\virtualization\v2`, Name: "Msvm_EthernetPortFailoverSettingDataComponent",
}

// adapters returns the adapters of the host, as the implementation returns them.
func (f *fixture) adapters(t *testing.T) []wmiquery.Ref {
	t.Helper()
	components, err := wmiquery.All[msvm.EthernetPortFailoverSettingDataComponent](t.Context(), f.pool)
	if err != nil || len(components) < 3 {
		t.Fatalf("got %d associations, error %v", len(components), err)
	}
	var adapters []wmiquery.Ref
	for _, c := range components {
		adapters = append(adapters, c.GroupComponent)
	}
	return adapters
}

// testOneRowOfAdapter checks that each adapter has one row, and that all of them together are the rows of the class.
func (f *fixture) testOneRowOfAdapter(t *testing.T) {
	want := map[string]int{}
	all, err := wmiquery.All[msvm.FailoverNetworkAdapterSettingData](t.Context(), f.pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		want[describeSettings(t, s)]++
	}
	for _, adapter := range f.adapters(t) {
		rows, err := wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](t.Context(), f.pool, adapter,
			failoverAssociation)
		if err != nil || len(rows) != 1 {
			t.Errorf("%s: got %d rows, error %v, want 1 row", adapter, len(rows), err)
			continue
		}
		want[describeSettings(t, rows[0])]--
	}
	for settings, n := range want {
		if n != 0 {
			t.Errorf("the class has %d more rows than the adapters with %s", n, settings)
		}
	}
	if len(want) < 3 {
		t.Errorf("the host has only %d different settings", len(want))
	}
}

// testAssociatorErrors checks the errors of queries that fail, and that of an adapter that does not exist.
func (f *fixture) testAssociatorErrors(t *testing.T) {
	adapter := f.adapters(t)[0]
	query := func(of wmiquery.Ref, association string) error {
		class := wmiquery.Class{Namespace: failoverAssociation.Namespace, Name: association}
		_, err := wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](t.Context(), f.pool, of, class)
		return err
	}
	const unknown = `Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:00000000-0000-0000-0000-000000000000\\A"`
	if err := query(unknown, failoverAssociation.Name); !errors.Is(err, wmiquery.ErrNotFound) {
		t.Errorf("unknown adapter: got error %v", err)
	}
	if err := query(adapter, "Msvm_Nonsense"); !errors.Is(err, wmiquery.ErrUnsupported) {
		t.Errorf("unknown association: got error %v", err)
	}
	for fault, want := range map[string]error{
		"class-missing=Msvm_FailoverNetworkAdapterSettingData": wmiquery.ErrUnsupported,
		"disconnected": wmiquery.ErrUnavailable,
	} {
		f.setFaults(t, fault)
		if err := query(adapter, failoverAssociation.Name); !errors.Is(err, want) {
			t.Errorf("%s: got error %v, want %v", fault, err, want)
		}
		f.setFaults(t)
		if err := query(adapter, failoverAssociation.Name); err != nil {
			t.Errorf("after %s: got error %v", fault, err)
		}
	}
}

// testHangingAssociators checks that the caller of a hanging query can leave, and that the query does not block reads.
func (f *fixture) testHangingAssociators(t *testing.T) {
	adapter := f.adapters(t)[0]
	f.setFaults(t, "hung=Msvm_FailoverNetworkAdapterSettingData")
	ctx, cancel := context.WithCancel(t.Context())
	ctx = wmiquery.WithStarted(ctx, cancel)
	var rows []msvm.FailoverNetworkAdapterSettingData
	if err := f.pool.Associated(ctx, &rows, adapter, failoverAssociation); !errors.Is(err, context.Canceled) {
		t.Errorf("hanging query: got error %v, want context.Canceled", err)
	}
	if services, err := wmiquery.All[msvm.ReplicationService](t.Context(), f.pool); err != nil || len(services) != 1 {
		t.Errorf("read while a query hangs: got %d services, error %v", len(services), err)
	}
}
