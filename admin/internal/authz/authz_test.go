package authz

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http/httptest"
	"testing"
)

// certificateOf returns a certificate of a subject.
func certificateOf(t *testing.T, name pkix.Name) *x509.Certificate {
	t.Helper()
	subject, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubject: subject}
}

func TestCheckAddress(t *testing.T) {
	users := map[string]string{"a": "b"}
	for _, tt := range []struct {
		address string
		config  WebConfig
		ok      bool
	}{
		{"127.0.0.1:10484", WebConfig{}, true},
		{"[::1]:10484", WebConfig{}, true},
		{"localhost:10484", WebConfig{}, true},
		{":10484", WebConfig{}, false},
		{"0.0.0.0:10484", WebConfig{}, false},
		{"[::]:10484", WebConfig{}, false},
		{"10.0.0.1:10484", WebConfig{}, false},
		{"hv01:10484", WebConfig{}, false},
		{"localhost.evil.example:10484", WebConfig{}, false},
		{"10.0.0.1:10484", WebConfig{TLS: true}, false},
		{"10.0.0.1:10484", WebConfig{Users: users}, false},
		{"10.0.0.1:10484", WebConfig{TLS: true, Users: users}, true},
		{"10.0.0.1:10484", WebConfig{TLS: true, Certificates: true}, true},
		{"10484", WebConfig{TLS: true, Users: users}, false},
	} {
		if err := tt.config.CheckAddress(tt.address); (err == nil) != tt.ok {
			t.Errorf("CheckAddress(%s) with %+v: error %v, want success %v", tt.address, tt.config, err, tt.ok)
		}
	}
}

// A certificate authenticates only if it was verified.
func TestOnlyVerifiedCertificatesAuthenticate(t *testing.T) {
	certificate := certificateOf(t, pkix.Name{CommonName: "ops", Organization: []string{"Contoso"}})
	a := NewAuthenticator(WebConfig{TLS: true, Certificates: true})
	for _, tt := range []struct {
		state *tls.ConnectionState
		want  string
	}{
		{nil, ""},
		{&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}, ""},
		{
			&tls.ConnectionState{
				PeerCertificates: []*x509.Certificate{certificate}, VerifiedChains: [][]*x509.Certificate{{certificate}},
			}, "CN=ops,O=Contoso",
		},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.TLS = tt.state
		if c, err := a.Identify(r); c.Subject != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("Identify with %+v: %v, %v; want subject %q", tt.state, c, err, tt.want)
		}
	}
}

// A user name that equals a subject does not match a rule for the subject, and neither does an anonymous caller.
func TestUserIsNotASubject(t *testing.T) {
	p, err := parsePolicy([]byte("rules: [{subjects: ['CN=ops,O=Contoso'], role: failover, vms: all, host: true}]\n..."),
		func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	p.file = "policy.yml"
	if p := p.Authorize(Principal{Subject: "CN=ops,O=Contoso"}, Attributes{Role: RoleFailover}); p != nil {
		t.Errorf("the subject is refused: %s", p.Detail)
	}
	for _, c := range []Principal{{User: "CN=ops,O=Contoso"}, {}} {
		if p.Authorize(c, Attributes{Role: RoleViewer}) == nil {
			t.Errorf("the caller %v is authorized", c)
		}
	}
}
