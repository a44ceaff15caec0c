package cimxml_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// diskSettings are settings of a virtual hard disk, as a method of Hyper-V returned them.
const diskSettings = `<INSTANCE CLASSNAME="Msvm_VirtualHardDiskSettingData">` +
	`<PROPERTY NAME="Path" TYPE="string"><VALUE>D:\Hyper-V\vm.vhdx</VALUE></PROPERTY>` +
	`<PROPERTY NAME="MaxInternalSize" TYPE="uint64"><VALUE>53687091200</VALUE></PROPERTY>` +
	`<PROPERTY NAME="DataAlignment" PROPAGATED="true" TYPE="uint64"></PROPERTY>` +
	`<PROPERTY NAME="ParentPath" TYPE="string"><VALUE></VALUE></PROPERTY></INSTANCE>`

func TestTextsOfHyperVAreReadWithOneAllocation(t *testing.T) {
	type disk struct {
		MaxInternalSize, DataAlignment *uint64
	}
	for text, v := range map[string]any{statistics: new(msvm.ReplicationStatistics), diskSettings: new(disk)} {
		allocations := testing.AllocsPerRun(10, func() {
			if _, err := cimxml.Unmarshal(text, v); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 1 {
			t.Errorf("%.60s…: %v allocations, want 1", text, allocations)
		}
	}
}

// A text with white space at its end is read by the scanner alone.
func FuzzTextIsReadLikeTheScannerReadsIt(f *testing.F) {
	f.Add(statistics)
	f.Add(diskSettings)
	for _, content := range []string{
		"", value("Text", "a b") + value("U32", "1"), value("U8", "256") + value("U16", " 7 ") + value("Flag", "true"),
		value("U8", "x") + value("U8", "7"), value("U8", "7") + property("u8", ""), value("Text", "a&lt;b"),
		value("Text", "é"), value("Text", "a\xff"),
		value("Text", "a\r\nb"), value("Text", "a\nb"), value("Text", "a<!-- -->b"), property("Text", "<VALUE/>"),
		value("Key", "k") + value("__PATH", "p") + value("hidden", "h") + value("Other", "o"), value("Texts", "a"),
		value("", "a"), value("Te&#120;t", "a"), value("Text", "]]>"), value("Path", `C.K="v"`), value("Severity", "3"),
		`<PROPERTY NAME="Text" TYPE="a"b"><VALUE>a</VALUE></PROPERTY>`, `<PROPERTY NAME="Text" TYPE="<"></PROPERTY>`,
		`<PROPERTY NAME="Text" PROPAGATED="true" TYPE="a>b"></PROPERTY>`, `<PROPERTY NAME="Text" TYPE=">`,
		`<PROPERTY NAME="U8" TYPE="uint8"><VALUE>1</VALUE><VALUE>2</VALUE></PROPERTY>`,
		value("At", "20261122214001.000000-000") + value("For", "00000000010000.000000:000"), value("At", "never"),
		array("Texts", "<VALUE.ARRAY><VALUE>a</VALUE></VALUE.ARRAY>"), qualifier, value("U8", "1") + "</INSTANCE>",
	} {
		f.Add(instance(content))
	}
	f.Add(`<INSTANCE CLASSNAME=""></INSTANCE>`)
	f.Add(`<INSTANCE CLASSNAME="C" X="">` + value("U8", "1") + `</INSTANCE>`)
	f.Add(`<INSTANCE CLASSNAME="C"/>` + value("U8", "1") + `</INSTANCE>`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, of := range []reflect.Type{reflect.TypeFor[sample](), reflect.TypeFor[msvm.ReplicationStatistics]()} {
			got, scanned := read(t, text, of), read(t, text+" ", of)
			if got != scanned {
				t.Fatalf("got %s\nthe scanner returns %s", got, scanned)
			}
		}
	})
}

// read reads a text into a struct, and returns the struct and the invalid values as text, "syntax error" if there are
// none.
func read(t *testing.T, text string, of reflect.Type) string {
	t.Helper()
	v := reflect.New(of).Interface()
	class, err := cimxml.Unmarshal(text, v)
	if _, invalid := errors.AsType[*cimxml.InvalidValuesError](err); err != nil && !invalid {
		return "syntax error"
	}
	fields, instanceErr := cimxml.NewInstance(class, v)
	if instanceErr != nil {
		t.Fatal(instanceErr)
	}
	values := "class " + class
	for _, p := range fields.Properties {
		values += fmt.Sprintf(", %s %q", p.Name, p.Values)
	}
	return fmt.Sprintf("%s, invalid values: %v", values, err)
}
