package capture

import (
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Messages and paths have the substitutes of a capture. A path keeps its keys, in contrast to the path of a folder.
func TestTextReplacer(t *testing.T) {
	name := "web01"
	table := Table{
		Class: msvm.ComputerSystem{}.WMIClass(),
		Rows: &[]msvm.ComputerSystem{
			{Name: "88061596-509B-46FC-8B74-D2DE7A538B41", ElementName: &name},
			{Name: "0B6C2D3E-0000-4000-8000-000000000002"},
		},
		Invalid: []wmiquery.InvalidValue{{Row: 1, Property: "ElementName", Text: "db 02"}},
	}
	r, err := NewTextReplacer([]string{"HV01.contoso.com"}, []Table{table})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"web01 on hv01.contoso.com":  "vm001 on host1.domain1.example",
		"DB 02 at 10.0.0.1":          "vm002  at 198.18.0.1",
		`\\HV01\share\web01 is full`: `\\server\folder001`,
		"":                           "",
	} {
		if got := r.Message(in); got != want {
			t.Errorf("message %q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		`\\HV01\root\virtualization\v2:Msvm_X.InstanceID="Microsoft:88061596-509B-46FC-8B74-D2DE7A538B41\\A"`: `\\HOST1\root\virtualization\v2:Msvm_X.InstanceID="Microsoft:AAAAAAAA-0000-0000-0000-000000000001\\A"`,
		`Msvm_X.Name="web01",SystemName="HV01"`: `Msvm_X.Name="vm001",SystemName="HOST1"`,
	} {
		if got := r.Path(in); got != want {
			t.Errorf("path %q: got %q, want %q", in, got, want)
		}
	}
}
