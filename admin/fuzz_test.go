package admin

import (
	"encoding/json"
	"reflect"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// What JSON makes of an instance is well-formed CIM-XML that reads back as the same
// instance, whatever the JSON says: nothing of it can become markup.
func FuzzEmbedded(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"AllowedPrimaryHostSystem": "a"}`, `{"RecoveryHistory": 24}`, `{"RecoveryHistory": null}`, `{"IncludedDisks": ["a", "<b>"]}`,
		`{"HttpPort": 70000}`, `{"MonitoringStartTime": "6h30m"}`, `{"TrustGroup": "</VALUE></PROPERTY><INSTANCE CLASSNAME=\"x\">"}`,
		`{"TrustGroup": "]]>&amp;\u0000\u000b\ud800"}`, `{"RecoveryHistory": 1, "recoveryhistory": 2}`, `{"a": {"b": [[[]]]}}`, `[]`, `null`, `{"ReplicaStorageLocation": "D:\\\\x'; DROP"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, class := range embeddedClasses() {
			instance := reflect.New(reflect.TypeOf(class)).Interface().(wmiquery.Instance)
			if merge(instance, text) != nil {
				continue
			}
			wire, _, err := embed(instance)
			if err != nil { // a character that XML cannot have
				continue
			}
			back := reflect.New(reflect.TypeOf(class)).Interface()
			if name, err := cimxml.Unmarshal(string(wire), back); err != nil || name != class.WMIClass().Name {
				t.Fatalf("%s: %v\n%s\n%s", name, err, text, wire)
			}
			again, _, err := embed(back.(wmiquery.Instance))
			if err != nil || again != wire {
				t.Fatalf("%v: it reads back as another one:\n%s\n%s\n%s", err, text, wire, again)
			}
		}
	})
}

// What reads the body of a request never panics, and never lets through what says a
// thing twice.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"dry_run": true, "DRY_RUN": false}`, `{"parameters": {"a": 1, "A": 2}}`, `{"max_data_loss_seconds": 1e999}`, `{} {}`, "\xff", `{"reason": "\u0000"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := &body{}
		if parseBody(text, b) != nil || uniqueIn(text, "parameters") != nil || b.check() != nil {
			return
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal(text, &top); err != nil {
			t.Fatalf("%q was let through: %v", text, err)
		}
		if b.ExpectedState != "" && b.expects(&seen{State: msvm.StateUnknown.String() + "x"}) == nil {
			t.Errorf("%q expects nothing", text)
		}
	})
}
