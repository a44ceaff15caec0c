package capture

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A capture has the failover settings of each network adapter, with addresses replaced. The replay returns them for the
// adapters of the capture.
func TestFailoverSettingsOfAdapters(t *testing.T) {
	host, folder := simulated(t, "HV01"), newFolder(t)
	result := capture(t, Options{Reader: host, Folder: folder, CallTimeout: time.Minute})
	if len(result.Failures) > 0 {
		t.Errorf("failures %q", result.Failures)
	}
	association := msvm.EthernetPortFailoverSettingDataComponent{}.WMIClass()
	want, err := wmiquery.All[msvm.EthernetPortFailoverSettingDataComponent](t.Context(), host)
	if err != nil || len(want) < 5 {
		t.Fatalf("got %d associations, error %v", len(want), err)
	}
	replayed := openReplay(t, folder)
	var got []msvm.EthernetPortFailoverSettingDataComponent
	if err := replayed.Read(&got); err != nil || len(got) != len(want) {
		t.Fatalf("got %d associations, error %v; want %d", len(got), err, len(want))
	}
	static := 0
	for i := range want {
		a, err := wmiquery.AllAssociated[msvm.FailoverNetworkAdapterSettingData](t.Context(), host, want[i].GroupComponent,
			association)
		if err != nil {
			t.Fatal(err)
		}
		var b []msvm.FailoverNetworkAdapterSettingData
		if err := replayed.Associated(&b, got[i].GroupComponent, association); err != nil || len(b) != 1 {
			t.Errorf("%s: got %d rows, error %v", got[i].GroupComponent, len(b), err)
			continue
		}
		if *a[0].ProtocolIFType != *b[0].ProtocolIFType || *a[0].DHCPEnabled != *b[0].DHCPEnabled ||
			len(a[0].IPAddresses) != len(b[0].IPAddresses) || b[0].InstanceID != nil {
			t.Errorf("%s: got %+v, want %+v", got[i].GroupComponent, b[0], a[0])
		}
		if len(a[0].IPAddresses) > 0 {
			static++
			if slices.Equal(a[0].IPAddresses, b[0].IPAddresses) || !strings.HasPrefix(b[0].IPAddresses[0], "198.18.") {
				t.Errorf("%s: addresses are %v", got[i].GroupComponent, b[0].IPAddresses)
			}
		}
	}
	if static == 0 {
		t.Error("no adapter has addresses")
	}
}

// As a scrape does, a capture makes no query if the InstanceID is not null. A query that fails is a failure in the
// capture, and an invalid value remains invalid.
func TestFailoverSettingsOfHostsWithFaults(t *testing.T) {
	for _, tt := range []struct {
		fault            string
		objects, invalid int // numbers of OBJECT elements and of invalid values
	}{
		{"failover-network-ids", 0, 0},
		{"invalid-value=Msvm_FailoverNetworkAdapterSettingData.DHCPEnabled", 9, 9},
	} {
		folder := newFolder(t)
		capture(t, Options{Reader: simulated(t, "HV01", tt.fault), Folder: folder, CallTimeout: time.Minute})
		text := readFiles(t, folder)["AssociatorsOf.xml"]
		if n := strings.Count(text, "<OBJECT "); n != tt.objects {
			t.Errorf("%s: got %d objects, want %d", tt.fault, n, tt.objects)
		}
		if n := strings.Count(text, "<VALUE>invalid</VALUE>"); n != tt.invalid {
			t.Errorf("%s: got %d invalid values, want %d:\n%s", tt.fault, n, tt.invalid, text)
		}
	}
}
