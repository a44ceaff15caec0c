package msvm

import (
	"slices"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

// Each adapter of a VM whose settings the path in the association does not identify is returned once.
func TestAdaptersToQuery(t *testing.T) {
	const (
		vm         = "A0000000-0000-4000-8000-00000000000A"
		checkpoint = "B0000000-0000-4000-8000-00000000000B"
	)
	adapter := func(owner, n string) wmiquery.Ref {
		return wmiquery.Ref(`Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:` + owner + `\\` + n + `"`)
	}
	known := FailoverNetworkAdapterSettingData{InstanceID: new("1")}
	settings := []FailoverNetworkAdapterSettingData{known, {}, {InstanceID: new("")}}
	got := AdaptersToQuery(settings, []EthernetPortFailoverSettingDataComponent{
		{GroupComponent: adapter(vm, "known"), PartComponent: `MSVM_FailoverNetworkAdapterSettingData.InstanceID="1"`},
		{GroupComponent: adapter(vm, "other"), PartComponent: `Msvm_FailoverNetworkAdapterSettingData.InstanceID="2"`},
		{GroupComponent: adapter(vm, "null")},
		{GroupComponent: adapter(vm, "NULL"), PartComponent: `Msvm_FailoverNetworkAdapterSettingData.InstanceID=""`},
		{GroupComponent: adapter(checkpoint, "null")},
		{GroupComponent: `Msvm_SyntheticEthernetPortSettingData.InstanceID="Microsoft:Definition\\Default"`},
		{},
	}, func(id string) bool { return id == vm })
	if want := []wmiquery.Ref{adapter(vm, "other"), adapter(vm, "null")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
