package collector_test

import (
	"maps"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A certificate is in use if the authentication uses certificates: 2 is certificate, 3 both. If the
// host does not report the authentication, or whether it is a replica server, the certificate counts
// as used.
func TestCertificateIsUsed(t *testing.T) {
	authentications := map[string]*msvm.Authentication{
		"null": nil, "0": new(msvm.Authentication(0)), "1": new(msvm.Authentication(1)), "2": new(msvm.Authentication(2)),
		"3": new(msvm.Authentication(3)), "4": new(msvm.Authentication(4)),
	}
	used := map[string]bool{"null": true, "2": true, "3": true}
	for name, authentication := range authentications {
		for _, enabled := range []*bool{nil, new(true), new(false)} {
			h := newHostWithVM(newFakeClock())
			setRows(h, msvm.ReplicationServiceSettingData{
				CertificateThumbPrint: new("AA"), AllowedAuthenticationType: authentication, RecoveryServerEnabled: enabled,
			})
			s := newSettings(appID)
			s.CertificateThumbPrint, s.AuthenticationType = new("BB"), authentication
			setRows(h, s)
			got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "certificate"))
			want := map[string]string{}
			if used[name] {
				want["relationship"] = "0"
				if enabled == nil || *enabled {
					want["server"] = "0"
				}
			}
			if usages := valuesOf(got, "certificate_present", "usage"); !maps.Equal(usages, want) {
				t.Errorf("authentication %s, server enabled %v: certificates %v, want %v", name, enabled, usages, want)
			}
		}
	}
}

// A certificate that cannot be parsed does not affect the others. All are exposed, whatever their order is.
func TestUnparsableCertificateDoesNotAffectOthers(t *testing.T) {
	der, thumbprint := newCertificate(t, noon.AddDate(0, 0, 20))
	const junk = "4A56B4C6A26B6D9A4C3C7E2B0A3C8F8E0D0C5B6A" // in no store
	h := newHostWithVM(newFakeClock())
	h.certificates = certificatesReply([]byte("certificate A"), der, []byte("certificate B"))
	var settings []msvm.ReplicationSettingData
	for i, used := range []string{
		"2C5A5C4E0E7B8A5A7D1B8D9B1E5F4C3D2B1A0F9E", thumbprint, junk,
		sha1Of("certificate A"), sha1Of("certificate B"),
	} {
		s := newSettings(vmNumber(i))
		s.CertificateThumbPrint, s.AuthenticationType = &used, new(msvm.Authentication(2))
		settings = append(settings, s)
	}
	setRows(h, settings...)
	r := newFakeHostRig(h)
	got := parseSeries(r.gather(t, scrapeTimeout, "certificate"))
	present := valuesOf(got, "certificate_present", "thumbprint")
	if len(present) != 5 || present[thumbprint] != "1" || present[junk] != "0" || present[sha1Of("certificate A")] != "1" {
		t.Errorf("certificate_present: %v, want five certificates, two of which are missing", present)
	}
	notAfter := valuesOf(got, "certificate_not_after_timestamp_seconds", "thumbprint")
	if want := map[string]string{thumbprint: "1.7970768e+09"}; !maps.Equal(notAfter, want) {
		t.Errorf("certificate_not_after_timestamp_seconds: %v, want %v", notAfter, want)
	}
	log := strings.Join(r.logs.TakeLines(), "\n")
	for _, name := range []string{"certificate A", "certificate B"} {
		if !strings.Contains(log, sha1Of(name)) {
			t.Errorf("log does not name the certificate %s: %s", sha1Of(name), log)
		}
	}
}

// The expiry of a root is exposed if the store of the host has it. Otherwise it is not missing, and a certificate that
// the host returns in an invalid form fails nothing: the place of a root is another store. Without authentication by
// certificates a root is not in use.
func TestRootCertificate(t *testing.T) {
	der, thumbprint := newCertificate(t, noon.AddDate(0, 0, 20))
	inUse := msvm.Authentication(2)
	for _, tt := range []struct {
		name           string
		authentication msvm.Authentication
		reply          wmiquery.Reply
		want           map[string]string
	}{
		{"in the store", inUse, certificatesReply(der), map[string]string{thumbprint: "1.7970768e+09"}},
		{"in another store", inUse, certificatesReply(), map[string]string{}},
		{"beside an invalid certificate", inUse, wmiquery.Reply{
			Out: map[string]any{"EncodedCertificates": []string{"not base64"}},
		}, map[string]string{}},
		{"of Kerberos", 1, certificatesReply(der), map[string]string{}},
	} {
		h := newHostWithVM(newFakeClock())
		h.certificates = tt.reply
		s := newSettings(appID)
		s.RootCertificateThumbPrint, s.AuthenticationType = new(strings.ToLower(thumbprint)), &tt.authentication
		setRows(h, s)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "certificate"))
		notAfter := valuesOf(got, "certificate_not_after_timestamp_seconds", "thumbprint")
		if !maps.Equal(notAfter, tt.want) {
			t.Errorf("%s: certificate_not_after_timestamp_seconds: %v, want %v", tt.name, notAfter, tt.want)
		}
		if present := valuesOf(got, "certificate_present", "usage"); len(present) > 0 {
			t.Errorf("%s: certificate_present: %v, want none", tt.name, present)
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="certificate"}`: "1"})
		if len(tt.want) > 0 && len(valuesOf(got, "certificate_not_after_timestamp_seconds", "usage")) > 0 {
			checkSeries(t, got, map[string]string{
				`certificate_not_after_timestamp_seconds{thumbprint="` + thumbprint + `",usage="root"}`: "1.7970768e+09",
			})
		}
	}
}

// The certificates of relationships are exposed if the settings of the server cannot be read, and the
// other way round.
func TestCertificateSettingsFailIndependently(t *testing.T) {
	for class, want := range map[string]string{
		"Msvm_ReplicationServiceSettingData": "relationship", "Msvm_ReplicationSettingData": "server",
	} {
		h := newHostWithVM(newFakeClock())
		setRows(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: new("AA")})
		s := newSettings(appID)
		s.CertificateThumbPrint = new("BB")
		setRows(h, s)
		h.setError(class, wmiquery.ErrInvalidState)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "certificate"))
		if usages := valuesOf(got, "certificate_present", "usage"); !maps.Equal(usages, map[string]string{want: "0"}) {
			t.Errorf("certificates %v without %s, want that of the %s", usages, class, want)
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="certificate"}`: "0"})
	}
}

// If the settings and the store cannot be read, the log names all causes.
func TestCertificateErrorsAreAllLogged(t *testing.T) {
	h := newHostWithVM(newFakeClock())
	names := []string{"Msvm_ReplicationServiceSettingData", "Msvm_ReplicationSettingData", "GetSystemCertificates"}
	for _, name := range names {
		h.setError(name, wmiquery.ErrInvalidState)
	}
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "certificate")
	log := strings.Join(r.logs.TakeLines(), "\n")
	for _, name := range names {
		if !strings.Contains(log, name+": invalid state") {
			t.Errorf("log does not name %s: %s", name, log)
		}
	}
}
