package msvm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

// The last part of VirtualSystemType is the type of the recovery point. Names of types that this program does not know
// are those of recovery points, too. Case does not matter.
func TestTypeOfRecoveryPoint(t *testing.T) {
	const prefix = "Microsoft:Hyper-V:Snapshot:Replica:"
	for text, want := range map[string]RecoveryPointType{
		prefix + "Standard": "standard", prefix + "ApplicationConsistent": "application_consistent",
		prefix + "PlannedFailover": "planned_failover", prefix + "standard": "standard", prefix + "Other": "unknown",
		prefix + "X": "unknown", prefix + "StandardX": "unknown",
		prefix: "", "Microsoft:Hyper-V:Snapshot:Replica": "", "Microsoft:Hyper-V:Snapshot:Realized": "",
		"X" + prefix + "Standard": "", "Standard": "", "": "",
	} {
		for _, text := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
			got, isPoint := VirtualSystemSettingData{VirtualSystemType: &text}.RecoveryPoint()
			if isPoint != (want != "") || isPoint && got != want {
				t.Errorf("%q: got %q, %v; want %q", text, got, isPoint, want)
			}
		}
	}
	if got, isPoint := (VirtualSystemSettingData{}).RecoveryPoint(); isPoint {
		t.Errorf("null: got %q", got)
	}
}

// The bytes FB EF BE FF are ++++/w== in base64.
func TestCertificatesAreStandardBase64(t *testing.T) {
	reply := wmiquery.Reply{Out: map[string]any{"EncodedCertificates": []string{"++++/w=="}}}
	all, err := Certificates(reply)
	if err != nil || len(all) != 1 || !bytes.Equal(all[0], []byte{0xFB, 0xEF, 0xBE, 0xFF}) {
		t.Errorf("got %x, error %v", all, err)
	}
}

func statisticsXML(class, count string) string {
	return `<INSTANCE CLASSNAME="` + class + `"><PROPERTY NAME="ReplicationSuccessCount" TYPE="uint32"><VALUE>` + count +
		`</VALUE></PROPERTY></INSTANCE>`
}

func issueXML(id, arguments string) string {
	return `<INSTANCE CLASSNAME="msvm_error"><PROPERTY NAME="MessageID" TYPE="string">` + id + `</PROPERTY>` +
		`<PROPERTY.ARRAY NAME="MessageArguments" TYPE="string">` + arguments + `</PROPERTY.ARRAY></INSTANCE>`
}

// A host returns one instance of the statistics. If it ever returns more, the first one counts, never a mixture.
func TestFirstInstanceOfStatisticsCounts(t *testing.T) {
	for _, texts := range [][]string{
		{statisticsXML("Msvm_ReplicationStatistics", "1"), statisticsXML("Msvm_ReplicationStatistics", "2")},
		{statisticsXML("MSVM_REPLICATIONSTATISTICS", "1")},
		{"", statisticsXML("msvm_replicationstatistics", "1"), "nonsense"},
	} {
		stats, issues, err := Statistics(reply(0, texts, nil))
		if err != nil || stats.ReplicationSuccessCount == nil || *stats.ReplicationSuccessCount != 1 || len(issues) != 0 {
			t.Errorf("%q: got %+v, issues %+v, error %v; want 1 cycle", texts, stats, issues, err)
		}
	}
}

// Each health issue has its own properties. Null properties are not those of the issue before.
func TestHealthIssuesAreIndependent(t *testing.T) {
	_, issues, err := Statistics(reply(0, []string{statisticsXML("Msvm_ReplicationStatistics", "1")}, []string{
		issueXML("<VALUE>1</VALUE>", "<VALUE.ARRAY><VALUE>a</VALUE><VALUE>b</VALUE></VALUE.ARRAY>"),
		issueXML("", ""),
		issueXML("<VALUE>3</VALUE>", "<VALUE.ARRAY><VALUE>c</VALUE></VALUE.ARRAY>"),
	}))
	if err != nil || len(issues) != 3 {
		t.Fatalf("got issues %+v, error %v", issues, err)
	}
	for i, want := range []struct{ id, arguments string }{{"1", "a b"}, {"", ""}, {"3", "c"}} {
		id, arguments := StringOrEmpty(issues[i].MessageID), strings.Join(issues[i].MessageArguments, " ")
		if id != want.id || arguments != want.arguments {
			t.Errorf("issue %d: got ID %q, arguments %q; want %q, %q", i, id, arguments, want.id, want.arguments)
		}
	}
	if issues[1].MessageID != nil || issues[1].MessageArguments != nil {
		t.Errorf("got %+v for an issue with null properties", issues[1])
	}
}

// An array of the wrong type, which no host returns, counts as null.
func TestStatisticsOfWrongType(t *testing.T) {
	for _, out := range []any{"text", int64(1), []int64{1}, true} {
		r := wmiquery.Reply{Out: map[string]any{"ReplicationStatistics": out, "ReplicationHealthIssues": out}}
		if _, _, err := Statistics(r); !errors.Is(err, ErrNoStatistics) {
			t.Errorf("%T: got error %v, want ErrNoStatistics", out, err)
		}
	}
}

// The methods of the table cannot be changed by a caller.
func TestMethodsReturnsACopy(t *testing.T) {
	all := Methods()
	name := all[0].Name
	all[0].Name = "Nonsense"
	if got := Methods()[0].Name; got != name {
		t.Errorf("got method %s after a caller has changed its copy, want %s", got, name)
	}
	for _, name := range []string{"GetErrorEx", "geterrorex", "GETERROREX"} {
		if m, ok := FindMethod("MSVM_concretejob", name); !ok || m.Name != "GetErrorEx" {
			t.Errorf("%s: got %+v, %v", name, m, ok)
		}
	}
	for _, class := range []string{"Msvm_ReplicationService", "Msvm_ConcreteJob"} { // both have this method
		if m, ok := FindMethod(class, "RequestStateChange"); !ok || m.Class != class {
			t.Errorf("%s.RequestStateChange: got %+v, %v", class, m, ok)
		}
	}
	for class, name := range map[string]string{
		"Msvm_ReplicationService": "GetErrorEx", "": "GetErrorEx", "Msvm_ConcreteJob": "", "Msvm_X": "GetErrorEx",
	} {
		if m, ok := FindMethod(class, name); ok {
			t.Errorf("%s.%s: got %+v, want none", class, name, m)
		}
	}
}
