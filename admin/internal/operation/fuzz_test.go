package operation

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// An instance from any JSON is well-formed CIM-XML, and decodes to the same instance. No part of the JSON can become
// markup.
func FuzzEmbedded(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"AllowedPrimaryHostSystem": "a"}`, `{"RecoveryHistory": 24}`, `{"RecoveryHistory": null}`,
		`{"IncludedDisks": ["a", "<b>"]}`,
		`{"HttpPort": 70000}`, `{"MonitoringStartTime": "6h30m"}`,
		`{"TrustGroup": "</VALUE></PROPERTY><INSTANCE CLASSNAME=\"x\">"}`,
		`{"TrustGroup": "]]>&amp;\u0000\u000b\ud800"}`, `{"RecoveryHistory": 1, "recoveryhistory": 2}`,
		`{"a": {"b": [[[]]]}}`, `[]`, `null`, `{"ReplicaStorageLocation": "D:\\\\x'; DROP"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, class := range EmbeddedClasses() {
			instance := reflect.New(reflect.TypeOf(class)).Interface().(wmiquery.Instance)
			if _, err := merge(instance, text); err != nil {
				continue
			}
			encoded, _, err := encodeInstance(instance)
			if err != nil { // XML cannot represent a character
				continue
			}
			decoded := reflect.New(reflect.TypeOf(class)).Interface()
			if name, err := cimxml.Unmarshal(string(encoded), decoded); err != nil || name != class.WMIClass().Name {
				t.Fatalf("Unmarshal: %s, %v\n%s\n%s", name, err, text, encoded)
			}
			again, _, err := encodeInstance(decoded.(wmiquery.Instance))
			if err != nil || again != encoded {
				t.Fatalf("encoded again it differs: %v\n%s\n%s\n%s", err, text, encoded, again)
			}
		}
	})
}

// compact returns JSON without spaces.
func compact(t *testing.T, text json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Decoding the body of a request never panics. Every name in an accepted body is exactly that of a field, so a body has
// no two values for a field.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"dry_run": true, "DRY_RUN": false}`, `{"parameters": {"a": 1, "A": 2}}`, `{"max_data_loss_seconds": 1e999}`,
		`{} {}`, "\xff", `{"reason": "\u0000"}`, `{"rea\u017fon": "a"}`, `{"\u212a": 1}`, `{"reason": " \u200b\u00a0"}`,
		`{"reason": "a", "rea\u017fon": "b"}`, `{"parameters": null}`, `{"parameters": {"a": 1, "a": 2}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		req := &Request{}
		if decodeStrict(text, req) != nil || req.Validate() != nil {
			return
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal(text, &top); err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		again, err := json.Marshal(req)
		var written map[string]json.RawMessage
		if err == nil {
			err = json.Unmarshal(again, &written)
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range top { // a field with its zero value is not written
			if _, ok := written[name]; !ok && !slices.Contains([]string{"null", `""`, "false", "{}"}, compact(t, value)) {
				t.Errorf("%q: the value of %q is not used", text, name)
			}
		}
		if req.ExpectedState != "" && req.CheckExpected(&TargetState{State: msvm.StateUnknown.String() + "x"}) == nil {
			t.Errorf("%q: the expected state is not checked", text)
		}
	})
}
