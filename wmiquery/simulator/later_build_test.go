package simulator_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Settings lose their property of a later build if a call has only the properties of the structs.
func TestSettingsLosePropertyThatCallDoesNotHave(t *testing.T) {
	d := newVMDriver(t, healthy)
	withProperty := func(class wmiquery.Instance) (n int) {
		texts, err := d.hosts["HV01"].Texts(class.WMIClass())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			n += strings.Count(string(text), `<PROPERTY NAME="LaterBuildSetting" TYPE="string"><VALUE>of the `)
		}
		return n
	}
	before := withProperty(msvm.ReplicationSettingData{})
	d.do("HV01", modify(func(*msvm.ReplicationSettingData) {}))
	if after := withProperty(msvm.ReplicationSettingData{}); before < 2 || after != before-1 {
		t.Errorf("%d relationships have the property, before it was %d", after, before)
	}
	if n := withProperty(msvm.ReplicationServiceSettingData{}); n != 1 {
		t.Errorf("%d settings of the host have the property, want 1", n)
	}
	d.do("HV01", method("ModifyServiceSettings",
		embeddedParam(t, "SettingData", read[msvm.ReplicationServiceSettingData](t, d.hosts["HV01"])[0])...))
	if n := withProperty(msvm.ReplicationServiceSettingData{}); n != 0 {
		t.Errorf("%d settings of the host have the property after the call, want 0", n)
	}
}
