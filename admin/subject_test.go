package admin

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-kit/log"
)

// sequence returns a subject from pairs of an attribute type and a value, in the order of the certificate.
func sequence(pairs ...string) (all pkix.RDNSequence) {
	types := map[string]asn1.ObjectIdentifier{
		"CN": oidCN, "O": {2, 5, 4, 10}, "OU": {2, 5, 4, 11}, "title": {2, 5, 4, 12},
	}
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pkix.RelativeDistinguishedNameSET{{Type: types[pairs[i]], Value: pairs[i+1]}})
	}
	return all
}

// Two certificates with other subjects are two callers, also if they have the same last common name and the same
// organization. The responses, the audit log and the log name the exact subject.
func TestSubjectsAreExact(t *testing.T) {
	var logged strings.Builder
	env := newTLSEnv(t, "rules:\n"+
		"  - {subjects: ['CN=automation,O=Contoso'], role: operator, vms: all}\n"+
		`  - {subjects: ['CN=Ada,CN=Users,O=Contoso', 'CN=a\, b+OU=c', '2.5.4.12=#1303626f73'], role: viewer, vms: all}`,
		func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logged)) })
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	for _, tt := range []struct {
		subject pkix.RDNSequence
		text    string
		read    int
		act     int
	}{
		{sequence("O", "Contoso", "CN", "automation"), "CN=automation,O=Contoso", 200, 200},
		{sequence("CN", "automation", "O", "Contoso"), "O=Contoso,CN=automation", 403, 403},
		{sequence("CN", "automation", "CN", "evil", "O", "Contoso"), "O=Contoso,CN=evil,CN=automation", 403, 403},
		{sequence("O", "Contoso", "CN", "evil", "CN", "automation"), "CN=automation,CN=evil,O=Contoso", 403, 403},
		{sequence("O", "Contoso", "O", "Evil", "CN", "automation"), "CN=automation,O=Evil,O=Contoso", 403, 403},
		{sequence("O", "Contoso", "CN", "automation", "OU", "x"), "OU=x,CN=automation,O=Contoso", 403, 403},
		{sequence("O", "Contoso", "CN", "Automation"), "CN=Automation,O=Contoso", 403, 403},
		{sequence("CN", "automation,O=Contoso"), `CN=automation\,O=Contoso`, 403, 403},
		{sequence("O", "Contoso", "CN", "Users", "CN", "Ada"), "CN=Ada,CN=Users,O=Contoso", 200, 403},
		{sequence("O", "Contoso", "CN", "Computers", "CN", "Ada"), "CN=Ada,CN=Computers,O=Contoso", 403, 403},
		{pkix.RDNSequence{slices.Concat(sequence("OU", "c")[0], sequence("CN", "a, b")[0])}, `CN=a\, b+OU=c`, 200, 403},
		{sequence("OU", "c", "CN", "a, b"), `CN=a\, b,OU=c`, 403, 403},
		{sequence("title", "bos"), "2.5.4.12=#1303626f73", 200, 403},
		{sequence("title", "bo"), "2.5.4.12=#1302626f", 403, 403},
	} {
		c := env.certificate(tt.subject)
		status, body := env.send(c, http.MethodGet, apiReplicas, "")
		if status != tt.read || status != 200 && !strings.Contains(body, strings.ReplaceAll(tt.text, `\`, `\\`)) {
			t.Errorf("%s: reading is answered with %d %.300s, want %d", tt.text, status, body, tt.read)
		}
		before := len(env.auditRecords("HV01"))
		if status, body := env.send(c, http.MethodPost, suspend, `{"dry_run": true}`); status != tt.act {
			t.Errorf("%s: an action is answered with %d %.300s, want %d", tt.text, status, body, tt.act)
		}
		if records := env.auditRecords("HV01")[before:]; tt.read == 200 && (len(records) != 1 || records[0].User != tt.text) {
			t.Errorf("the audit log has %+v, want %s", records, tt.text)
		}
		if tt.read != 200 {
			if want := "subject=" + tt.text + " "; !strings.Contains(strings.ReplaceAll(logged.String(), `"`, ""), want) &&
				!strings.Contains(logged.String(), strconv.Quote(tt.text)) {
				t.Errorf("the log does not have %s:\n%s", want, &logged)
			}
			continue
		}
		var who struct{ Name, Subject string }
		if _, body := env.send(c, http.MethodGet, apiWhoAmI, ""); json.Unmarshal([]byte(body), &who) != nil ||
			who.Subject != tt.text || who.Name != tt.text {
			t.Errorf("%s: whoami is answered with %s", tt.text, body)
		}
	}
	if strings.Contains(logged.String(), "has no effect") {
		t.Errorf("the log has a warning:\n%s", &logged)
	}
}

// generalName returns a subject alternative name of text.
func generalName(tag int, value string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(value)}
}

// otherName returns an alternative name of a type whose value is an ASN.1 string.
func otherName(t *testing.T, kind asn1.ObjectIdentifier, tag int, value string) asn1.RawValue {
	t.Helper()
	id, errID := asn1.Marshal(kind)
	text, errText := asn1.Marshal(asn1.RawValue{Tag: tag, Bytes: []byte(value)})
	explicit, err := asn1.Marshal(asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: text,
	})
	if err != nil || errID != nil || errText != nil {
		t.Fatal(err, errID, errText)
	}
	return asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: slices.Concat(id, explicit),
	}
}

// A rule can be for alternative names. Each kind of name matches only its own kind, exactly.
func TestAlternativeNames(t *testing.T) {
	upn := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
	const (
		utf8String = 12
		ia5        = 22
	)
	env := newTLSEnv(t, `
rules:
  - {dns_names: [ops.contoso.com], role: viewer, vms: all}
  - {uris: ['spiffe://contoso.com/ops'], role: viewer, vms: all}
  - {emails: [ops@contoso.com], role: viewer, vms: all}
  - {upns: [ada@contoso.com, 'jürgen@contoso.com'], role: operator, vms: all}`)
	for _, tt := range []struct {
		what  string
		names []asn1.RawValue
		want  string // name of the caller, "" for forbidden
	}{
		{"DNS name", []asn1.RawValue{generalName(2, "ops.contoso.com")}, `CN=x; DNS "ops.contoso.com"`},
		{
			"one of several",
			[]asn1.RawValue{generalName(2, "a.contoso.com"), generalName(2, "ops.contoso.com")},
			`CN=x; DNS "a.contoso.com"; DNS "ops.contoso.com"`,
		},
		{"other DNS name", []asn1.RawValue{generalName(2, "x.ops.contoso.com")}, ""},
		{"other case", []asn1.RawValue{generalName(2, "OPS.contoso.com")}, ""},
		{"DNS name as an e-mail address", []asn1.RawValue{generalName(1, "ops.contoso.com")}, ""},
		{"e-mail address", []asn1.RawValue{generalName(1, "ops@contoso.com")}, `CN=x; e-mail "ops@contoso.com"`},
		{"e-mail address as a UPN", []asn1.RawValue{otherName(t, upn, utf8String, "ops@contoso.com")}, ""},
		{"URI", []asn1.RawValue{generalName(6, "spiffe://contoso.com/ops")}, `CN=x; URI "spiffe://contoso.com/ops"`},
		{"URI that means the same", []asn1.RawValue{generalName(6, "spiffe://contoso.com/%6fps")}, ""},
		{"UPN", []asn1.RawValue{otherName(t, upn, utf8String, "ada@contoso.com")}, `CN=x; UPN "ada@contoso.com"`},
		{"UPN that is not ASCII", []asn1.RawValue{otherName(t, upn, utf8String, "jürgen@contoso.com")}, `CN=x; UPN "jürgen@contoso.com"`},
		{"UPN as an IA5String", []asn1.RawValue{otherName(t, upn, ia5, "ada@contoso.com")}, ""},
		{"other type", []asn1.RawValue{otherName(t, upn[:9], utf8String, "ada@contoso.com")}, ""},
		{"UPN as an e-mail address", []asn1.RawValue{generalName(1, "ada@contoso.com")}, ""},
	} {
		c := env.certificate(sequence("CN", "x"), tt.names...)
		status, body := env.send(c, http.MethodGet, apiWhoAmI, "")
		var who struct{ Name string }
		if err := json.Unmarshal([]byte(body), &who); err != nil || (status == 200) != (tt.want != "") || who.Name != tt.want {
			t.Errorf("%s: %d %s, want %s", tt.what, status, body, tt.want)
		}
	}
	// A certificate without a subject has only its names.
	c := env.certificate(nil, otherName(t, upn, utf8String, "ada@contoso.com"))
	if status, body := env.send(c, http.MethodPost, env.replicaPath(vmReplicating, "primary")+"/actions/suspend",
		`{"dry_run": true}`); status != 200 {
		t.Errorf("without a subject: %d %s", status, body)
	}
	records := env.auditRecords("HV01")
	if user := records[len(records)-1].User; user != `UPN "ada@contoso.com"` {
		t.Errorf("the audit log names %s", user)
	}
	if status, body := env.send(env.certificate(nil), http.MethodGet, apiReplicas, ""); status != 401 {
		t.Errorf("without any name: %d %s", status, body)
	}
}

// Two certificates that differ only in their alternative names have tokens of their own.
func TestTokensCountByAlternativeNames(t *testing.T) {
	env := newTLSEnv(t, "rules: [{subjects: [CN=x], role: owner, vms: all, destructive: true}]")
	a := env.certificate(sequence("CN", "x"), generalName(2, "a.contoso.com"))
	b := env.certificate(sequence("CN", "x"), generalName(2, "b.contoso.com"))
	path := env.replicaPath(vmReplicating, "primary") + "/actions/reset-statistics"
	var first struct {
		Token string `json:"confirmation_token"`
	}
	if _, body := env.send(a, http.MethodPost, path, "{}"); json.Unmarshal([]byte(body), &first) != nil || first.Token == "" {
		t.Fatalf("no token: %s", body)
	}
	body := `{"vm_name": "web01", "reason": "a test", "confirmation_token": "` + first.Token + `"}`
	if status, text := env.send(b, http.MethodPost, path, body); status != 409 || !strings.Contains(text, "confirmation-invalid") {
		t.Errorf("token of another certificate: %d %s", status, text)
	}
}
