package capture

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/replay"
)

// stringProperties returns the names of the properties that are strings or references.
func stringProperties(t *testing.T, class string, row any) []string {
	t.Helper()
	instance, err := cimxml.NewInstance(class, row)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range instance.Properties {
		if p.Type == "string" || p.Type == "reference" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Every string of every class has a rule, and no rule is for another property.
func TestEveryStringHasRule(t *testing.T) {
	known := map[string]bool{"__PARAMETERS": true}
	for _, class := range msvm.Classes() {
		name := class.WMIClass().Name
		known[name] = true
		want := stringProperties(t, name, reflect.Zero(reflect.TypeOf(class)).Interface())
		if got := slices.Sorted(maps.Keys(rules[name])); !slices.Equal(got, want) {
			t.Errorf("%s: rules for %q, want rules for %q", name, got, want)
		}
	}
	out, err := replay.OutParameters(wmiquery.Reply{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Properties {
		if p.Type != "uint32" && rules[out.Class][p.Name] == nil {
			t.Errorf("out parameter %s has no rule", p.Name)
		}
	}
	for name := range rules {
		if !known[name] {
			t.Errorf("rules for %s, which is not read", name)
		}
	}
}

// A property without a rule makes the capture fail: it is never written as it is.
func TestPropertyWithoutRule(t *testing.T) {
	r := newReplacer(false, nil)
	for _, p := range []cimxml.Property{
		{Name: "Notes", Type: "string", Values: []string{"secret"}},
		{Name: "Owner", Type: "reference", Values: []string{"secret"}},
	} {
		class := replay.RecordedClass{Instances: []cimxml.Instance{
			{Class: "Msvm_ComputerSystem", Properties: []cimxml.Property{p}},
		}}
		if _, err := r.recording(replay.Recording{Classes: []replay.RecordedClass{class}}); err == nil {
			t.Errorf("%s is written", p.Name)
		}
	}
}
