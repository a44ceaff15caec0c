package cimxml_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
)

// Sources: DSP0201 (the attribute TYPE, the elements PROPERTY, PROPERTY.ARRAY and PROPERTY.REFERENCE, and the values of
// booleans), DSP0004 (datetime). A null has no VALUE element: a text of a provider of Hyper-V, recorded on a real host.
func TestElementsAndTypesAreThoseOfCIMXML(t *testing.T) {
	type all struct {
		U8   uint8
		U16  uint16
		U32  uint32
		U64  uint64
		S8   int8
		S16  int16
		S32  int32
		S64  int64
		R32  float32
		R64  float64
		B    bool
		S    string
		T    time.Time
		D    time.Duration
		Ref  wmiquery.Ref
		A    []uint16
		Null *uint64
	}
	value := all{
		255, 65535, 4294967295, 18446744073709551615, -128, -32768, -2147483648, -9223372036854775808, 0.5, -0.25, true,
		`a\b`, time.Date(2026, 11, 22, 21, 40, 1, 0, time.UTC), 5 * time.Minute, "Msvm_X.Name=1",
		[]uint16{2, 6},
		nil,
	}
	const want = `<INSTANCE CLASSNAME="Msvm_X">` +
		`<PROPERTY NAME="U8" TYPE="uint8"><VALUE>255</VALUE></PROPERTY>` +
		`<PROPERTY NAME="U16" TYPE="uint16"><VALUE>65535</VALUE></PROPERTY>` +
		`<PROPERTY NAME="U32" TYPE="uint32"><VALUE>4294967295</VALUE></PROPERTY>` +
		`<PROPERTY NAME="U64" TYPE="uint64"><VALUE>18446744073709551615</VALUE></PROPERTY>` +
		`<PROPERTY NAME="S8" TYPE="sint8"><VALUE>-128</VALUE></PROPERTY>` +
		`<PROPERTY NAME="S16" TYPE="sint16"><VALUE>-32768</VALUE></PROPERTY>` +
		`<PROPERTY NAME="S32" TYPE="sint32"><VALUE>-2147483648</VALUE></PROPERTY>` +
		`<PROPERTY NAME="S64" TYPE="sint64"><VALUE>-9223372036854775808</VALUE></PROPERTY>` +
		`<PROPERTY NAME="R32" TYPE="real32"><VALUE>0.5</VALUE></PROPERTY>` +
		`<PROPERTY NAME="R64" TYPE="real64"><VALUE>-0.25</VALUE></PROPERTY>` +
		`<PROPERTY NAME="B" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>` +
		`<PROPERTY NAME="S" TYPE="string"><VALUE>a\b</VALUE></PROPERTY>` +
		`<PROPERTY NAME="T" TYPE="datetime"><VALUE>20261122214001.000000-000</VALUE></PROPERTY>` +
		`<PROPERTY NAME="D" TYPE="datetime"><VALUE>00000000000500.000000:000</VALUE></PROPERTY>` +
		`<PROPERTY.REFERENCE NAME="Ref"><VALUE.REFERENCE>Msvm_X.Name=1</VALUE.REFERENCE></PROPERTY.REFERENCE>` +
		`<PROPERTY.ARRAY NAME="A" TYPE="uint16"><VALUE.ARRAY><VALUE>2</VALUE><VALUE>6</VALUE></VALUE.ARRAY>` +
		`</PROPERTY.ARRAY>` +
		`<PROPERTY NAME="Null" TYPE="uint64"></PROPERTY>` +
		`</INSTANCE>`
	got, err := cimxml.Marshal("Msvm_X", value)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		split := func(s string) string { return strings.ReplaceAll(s, "<PROPERTY", "\n<PROPERTY") }
		t.Errorf("got %s\nwant %s", split(got), split(want))
	}
	var back all
	if class, err := cimxml.Unmarshal(want, &back); err != nil || class != "Msvm_X" {
		t.Fatalf("got class %q, error %v", class, err)
	}
	if again, err := cimxml.Marshal("Msvm_X", back); err != nil || again != want {
		t.Errorf("got %s after reading, error %v", again, err)
	}
}

// Sources: a time and the start of the monitoring window of real hosts, the one in the time zone UTC+8, and defaults in
// MicrosoftDocs/win32, HyperV_v2, msvm-replicationsettingdata.md and msvm-concretejob.md.
func TestDatetimesOfHyperV(t *testing.T) {
	for text, want := range map[string]time.Time{
		"20210730025715.006743-000": time.Date(2021, 7, 30, 2, 57, 15, 6743000, time.UTC),
		"16010101000000.000000-000": time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), // never
	} {
		if got, err := cimxml.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, error %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]time.Duration{
		"00000000010000.000000:000": time.Hour,                     // MonitoringStartTime
		"00000000183000.000000:000": 18*time.Hour + 30*time.Minute, // AutoResynchronizeIntervalStart
		"00000000060000.000000:000": 6 * time.Hour,                 // AutoResynchronizeIntervalEnd
		"00000000000500.000000:000": 5 * time.Minute,               // TimeBeforeRemoval of a job
	} {
		if got, err := cimxml.ParseInterval(text); err != nil || got != want {
			t.Errorf("%s: got %v, error %v; want %v", text, got, err, want)
		}
	}
}
