package msvm

import (
	"fmt"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

// Invalid values in the reply with the statistics cost these values, and instances that cannot be read cost these
// instances.
func TestStatisticsReplyWithInvalidValues(t *testing.T) {
	const (
		stats = `<INSTANCE CLASSNAME="Msvm_ReplicationStatistics">` +
			`<PROPERTY NAME="StartStatisticTime" TYPE="datetime"><VALUE>00000000000000.000000+000</VALUE></PROPERTY>` +
			`<PROPERTY NAME="ReplicationSuccessCount" TYPE="uint32"><VALUE>150</VALUE></PROPERTY></INSTANCE>`
		issue = `<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="PerceivedSeverity" TYPE="uint16"><VALUE>high</VALUE>` +
			`</PROPERTY><PROPERTY NAME="MessageID" TYPE="string"><VALUE>99006</VALUE></PROPERTY></INSTANCE>`
	)
	success := uint32(150)
	for _, tt := range []struct {
		name    string
		reply   wmiquery.Reply
		success *uint32
		issues  int
		invalid []string // class, property and row of each
	}{
		{
			"values", reply(0, []string{stats}, []string{issue, issue}), &success, 2,
			[]string{"Msvm_ReplicationStatistics.StartStatisticTime 0", "Msvm_Error.PerceivedSeverity 0", "Msvm_Error.PerceivedSeverity 1"},
		},
		{
			"statistics of another class", reply(0, []string{issue}, []string{issue}), nil, 1,
			[]string{"Msvm_ReplicationStatistics. -1", "Msvm_Error.PerceivedSeverity 0"},
		},
		{
			"statistics that are not XML", reply(0, []string{"nonsense"}, []string{issue}), nil, 1,
			[]string{"Msvm_ReplicationStatistics. -1", "Msvm_Error.PerceivedSeverity 0"},
		},
		{
			"issue that is not XML", reply(0, []string{stats}, []string{"<", issue}), &success, 1,
			[]string{"Msvm_ReplicationStatistics.StartStatisticTime 0", "Msvm_Error. -1", "Msvm_Error.PerceivedSeverity 0"},
		},
	} {
		s, issues, err := Statistics(tt.reply)
		invalid, ok := wmiquery.InvalidValues(err)
		var got []string
		for _, v := range invalid {
			got = append(got, fmt.Sprintf("%s.%s %d", v.Class, v.Property, v.Row))
		}
		if !ok || strings.Join(got, ", ") != strings.Join(tt.invalid, ", ") || len(issues) != tt.issues {
			t.Errorf("%s: got %d issues, invalid values %q, error %v", tt.name, len(issues), got, err)
		}
		if n := s.ReplicationSuccessCount; (n == nil) != (tt.success == nil) || n != nil && *n != *tt.success {
			t.Errorf("%s: got statistics %+v", tt.name, s)
		}
	}
	unreadable := reply(0, nil, []string{issue})
	unreadable.Invalid = []wmiquery.InvalidValue{{Property: "ReplicationStatistics"}}
	if _, issues, err := Statistics(unreadable); len(issues) != 1 || err == nil {
		t.Errorf("unreadable array: got %d issues, error %v", len(issues), err)
	}
}

// A certificate that is not valid base64 costs this certificate.
func TestCertificatesReplyWithInvalidCertificate(t *testing.T) {
	all, err := Certificates(wmiquery.Reply{Out: map[string]any{"EncodedCertificates": []string{"AQ==", "?", "Ag=="}}})
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok || len(invalid) != 1 || invalid[0].Text != "?" || len(all) != 2 || all[1][0] != 2 {
		t.Errorf("got certificates %v, error %v", all, err)
	}
}
