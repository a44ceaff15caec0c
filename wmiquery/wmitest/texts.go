package wmitest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// testTexts tests the texts of instances, and that settings stay complete.
func testTexts(t *testing.T, serve Serve) {
	for _, host := range []string{"HV01", "HV02", "HV03"} {
		t.Run(host, func(t *testing.T) { newFixture(t, serve, host).compareTexts(t) })
	}
	t.Run("complete settings", func(t *testing.T) { newFixture(t, serve, "HV01").testCompleteSettings(t) })
}

// compareTexts compares the texts of all instances of all classes.
func (f *fixture) compareTexts(t *testing.T) {
	for _, class := range msvm.Classes() {
		want, err := f.direct.Texts(class.WMIClass())
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.pool.Texts(t.Context(), class.WMIClass())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got error %v and texts\n%q\nwant\n%q", class.WMIClass().Name, err, got, want)
		}
	}
}

// testCompleteSettings checks that settings of which one property is changed in their text keep the property that no
// struct has.
func (f *fixture) testCompleteSettings(t *testing.T) {
	relationship := f.validCall(t)
	for _, tt := range []struct {
		method, parameter string
		class             wmiquery.Class
		changed           cimxml.Property
		later             string // part of the value of the property that no struct has
	}{
		{
			"ModifyReplicationSettings", "ReplicationSettingData", msvm.ReplicationSettingData{}.WMIClass(),
			cimxml.Property{Name: "CompressionEnabled", Type: "boolean", Values: []string{"FALSE"}},
			"of the VM &lt;",
		},
		{
			"ModifyServiceSettings", "SettingData", msvm.ReplicationServiceSettingData{}.WMIClass(),
			cimxml.Property{Name: "MonitoringInterval", Type: "uint32", Values: []string{"7200"}},
			"of the host &lt;HV01&gt;",
		},
	} {
		key := `<PROPERTY NAME="InstanceID" TYPE="string"><VALUE>`
		if tt.method == "ModifyReplicationSettings" {
			key += f.validInstanceID(t)
		}
		before := f.textWith(t, tt.class, key)
		text, err := cimxml.Set(string(before), tt.changed)
		if err != nil {
			t.Fatal(err)
		}
		call := wmiquery.Call{
			Namespace: wmiquery.Virtualization, Object: relationship.Object, Method: tt.method,
			In: []wmiquery.Param{{Name: tt.parameter, Value: wmiquery.Embedded(text)}},
		}
		if tt.method == "ModifyReplicationSettings" {
			call.In = append(call.In, relationship.In[0])
		}
		if reply, err := f.pool.Invoke(t.Context(), call); err != nil || reply.Err() != nil {
			t.Fatalf("%s: got code %d, error %v", tt.method, reply.Code, err)
		}
		f.advance(time.Minute)
		after := string(f.textWith(t, tt.class, key))
		if after != text || !strings.Contains(after, `<PROPERTY NAME="LaterBuildSetting" TYPE="string"><VALUE>`+tt.later) {
			t.Errorf("%s: sent\n%s\nthe host has\n%s", tt.method, text, after)
		}
	}
}

// validInstanceID returns the InstanceID of the relationship of validCall.
func (f *fixture) validInstanceID(t *testing.T) string {
	t.Helper()
	var r msvm.ReplicationRelationship
	if _, err := cimxml.Unmarshal(f.validCall(t).Text("ReplicationRelationship"), &r); err != nil {
		t.Fatal(err)
	}
	return r.InstanceID
}

// textWith returns the text of the first instance of a class that contains a text.
func (f *fixture) textWith(t *testing.T, class wmiquery.Class, part string) wmiquery.Embedded {
	t.Helper()
	texts, err := f.pool.Texts(t.Context(), class)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(texts, func(text wmiquery.Embedded) bool { return strings.Contains(string(text), part) })
	if i < 0 {
		t.Fatalf("%s: no instance has %s in %q", class.Name, part, texts)
	}
	return texts[i]
}
