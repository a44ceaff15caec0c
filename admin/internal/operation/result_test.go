package operation

import (
	"encoding/json"
	"reflect"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Out parameters become JSON with their types: a number stays exact, null stays null, and the year 1601 is null.
func TestResultsAsJSON(t *testing.T) {
	const instance = `<INSTANCE CLASSNAME="X">` +
		`<PROPERTY NAME="Big" TYPE="uint64"><VALUE>18446744073709551615</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Negative" TYPE="sint32"><VALUE>-5</VALUE></PROPERTY>` +
		`<PROPERTY NAME="On" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Off" TYPE="boolean"><VALUE>False</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Text" TYPE="string"><VALUE>7</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Odd" TYPE="uint16"><VALUE>x7</VALUE></PROPERTY>` +
		`<PROPERTY NAME="At" TYPE="datetime"><VALUE>20261122120000.000000+060</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Never" TYPE="datetime"><VALUE>16010101000000.000000-000</VALUE></PROPERTY>` +
		`<PROPERTY NAME="Null" TYPE="uint32"></PROPERTY>` +
		`<PROPERTY.ARRAY NAME="Many" TYPE="uint16"><VALUE.ARRAY><VALUE>2</VALUE><VALUE>6</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>` +
		`</INSTANCE>`
	m := msvm.Method{Out: []msvm.Parameter{
		{Name: "Errors", Type: msvm.TypeEmbeddedArray},
		{Name: "Error", Type: msvm.TypeEmbedded},
		{Name: "Certificates", Type: msvm.TypeStringArray},
		{Name: "Missing", Type: msvm.TypeString},
		{Name: "Null", Type: msvm.TypeString},
		{Name: "Broken", Type: msvm.TypeEmbedded},
	}}
	got, err := json.Marshal(Result(m, map[string]any{
		"Errors": []string{instance, ""}, "Error": instance, "Certificates": []string{"<a>", ""}, "Null": nil,
		"Broken": "<INSTANCE", "Undocumented": "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	const object = `{"At":"2026-11-22T11:00:00Z","Big":18446744073709551615,"Many":[2,6],"Negative":-5,"Never":null,` +
		`"Null":null,"Odd":"x7","Off":false,"On":true,"Text":"7"}`
	const want = `{"Broken":"\u003cINSTANCE","Certificates":["\u003ca\u003e",""],"Error":` + object +
		`,"Errors":[` + object + `]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An Msvm_Error without a severity has the severity unknown.
//
// Source: the schema of Msvm_Error, property PerceivedSeverity.
func TestIssues(t *testing.T) {
	severities := []string{"unknown", "other", "information", "degraded", "minor", "major", "critical", "fatal", "unknown"}
	for n, want := range severities {
		got := NewIssue(msvm.Error{
			MessageID: new("id"), Message: new("text"), PerceivedSeverity: new(msvm.Severity(n)),
		})
		if !reflect.DeepEqual(got, Issue{MessageID: "id", Message: "text", Severity: want}) {
			t.Errorf("severity %d: got %+v, want %q", n, got, want)
		}
	}
	if got := NewIssue(msvm.Error{}); !reflect.DeepEqual(got, Issue{Severity: "unknown"}) {
		t.Errorf("null: got %+v", got)
	}
	got := NewIssue(msvm.Error{
		ProbableCause: new(uint16(0)), ProbableCauseDescription: new("cause"), RecommendedActions: []string{"a", "b"},
	})
	want := Issue{
		Severity: "unknown", ProbableCause: new(uint16(0)), ProbableCauseDescription: "cause",
		RecommendedActions: []string{"a", "b"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("cause and actions: got %+v, want %+v", got, want)
	}
}

// Only embedded instances become objects. A text that looks like one stays a text.
func TestTextIsNoInstance(t *testing.T) {
	const text = `<INSTANCE CLASSNAME="X"><PROPERTY NAME="A" TYPE="string"><VALUE>1</VALUE></PROPERTY></INSTANCE>`
	m := msvm.Method{Out: []msvm.Parameter{
		{Name: "Text", Type: msvm.TypeString},
		{Name: "Instance", Type: msvm.TypeEmbedded},
		{Name: "Texts", Type: msvm.TypeStringArray},
		{Name: "Instances", Type: msvm.TypeEmbeddedArray},
	}}
	instance := map[string]any{"A": "1"}
	want := map[string]any{
		"Text": text, "Instance": instance, "Texts": []string{text, ""}, "Instances": []any{instance},
	}
	got := Result(m, map[string]any{
		"Text": text, "Instance": text, "Texts": []string{text, ""}, "Instances": []string{text, ""}, "Other": "x",
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
