package collector

import (
	"cmp"
	"context"
	"crypto/sha1" // a thumbprint is a SHA-1, by definition
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	certificateNotAfter = gauge("certificate_not_after_timestamp_seconds",
		"When a certificate that replication uses expires; absent if the host does not have it.", "usage", "thumbprint")
	certificatePresent = gauge("certificate_present",
		"1 if the certificate that the settings name by its thumbprint is in the host's store LocalMachine\\My, 0 if not: replication fails without it.", "usage", "thumbprint")
)

// certificateCollector looks up the certificates that the settings of the replica
// server and of the relationships name. Those that nothing uses are not shown.
func certificateCollector() Collector {
	return Collector{
		Name:    "certificate",
		Help:    "Certificates that replication uses: whether the host has them, and when they expire.",
		Default: true,
		Reads: append(rowsOf(msvm.ReplicationService{}, msvm.ReplicationServiceSettingData{}, msvm.ReplicationSettingData{}),
			answerOf(msvm.ReplicationService{}, msvm.MethodGetSystemCertificates)),
		Metrics: []*Metric{certificateNotAfter, certificatePresent},
		collect: func(ctx context.Context, v *view, out *output) error {
			servers, srvErr := read[msvm.ReplicationServiceSettingData](ctx, v)
			relationships, relErr := read[msvm.ReplicationSettingData](ctx, v)
			used := usedCertificates(servers.rows, relationships.rows)
			store, err := readCertificates(ctx, v)
			if err != nil {
				return errors.Join(srvErr, relErr, err)
			}
			errs := []error{srvErr, relErr}
			for _, u := range slices.SortedFunc(maps.Keys(used), certificateUse.compare) {
				errs = append(errs, collectCertificate(u, store, out))
			}
			return errors.Join(errs...)
		},
	}
}

// certificateUse is a thumbprint and what it is used for: the labels.
type certificateUse struct{ usage, thumbprint string }

func (u certificateUse) compare(other certificateUse) int {
	return cmp.Or(cmp.Compare(u.usage, other.usage), cmp.Compare(u.thumbprint, other.thumbprint))
}

// usedCertificates are those that settings name. A server that is off and settings
// that do not say certificate, as those of Kerberos and of VMs that replicate no
// more, may have a thumbprint left that does not count.
func usedCertificates(servers []msvm.ReplicationServiceSettingData, relationships []msvm.ReplicationSettingData) map[certificateUse]bool {
	used := map[certificateUse]bool{}
	add := func(usage string, t *string, a *msvm.Authentication) {
		thumbprint := normalThumbprint(msvm.StringOrEmpty(t))
		if thumbprint != "" && (a == nil || *a == msvm.AuthenticationCertificate || *a == msvm.AuthenticationBoth) {
			used[certificateUse{usage, thumbprint}] = true
		}
	}
	for _, s := range servers {
		if s.RecoveryServerEnabled == nil || *s.RecoveryServerEnabled {
			add("server", s.CertificateThumbPrint, s.AllowedAuthenticationType)
		}
	}
	for _, s := range relationships {
		add("relationship", s.CertificateThumbPrint, s.AuthenticationType)
	}
	return used
}

// normalThumbprint is a thumbprint as the label has it: in upper case, without the
// blanks and the invisible marks that come with it from Windows' dialogs.
func normalThumbprint(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
}

// readCertificates asks for the certificates of the host, in DER by thumbprint.
func readCertificates(ctx context.Context, v *view) (map[string][]byte, error) {
	services, err := read[msvm.ReplicationService](ctx, v)
	if err != nil {
		return nil, err
	}
	const method = msvm.MethodGetSystemCertificates
	answer, err := v.get(ctx, question{key: method, operation: method, ask: func(ctx context.Context) (any, error) {
		reply, err := v.reader.Get(ctx, msvm.GetSystemCertificates(services.rows[0]))
		if err != nil {
			return nil, err
		}
		all, err := msvm.Certificates(reply)
		if err != nil {
			return nil, err
		}
		store := make(map[string][]byte, len(all))
		for _, der := range all {
			store[fmt.Sprintf("%X", sha1.Sum(der))] = der
		}
		return store, nil
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return answer.value.(map[string][]byte), nil
}

// collectCertificate reads the certificate: the store may hold others, of other
// programs, that crypto/x509 does not like.
func collectCertificate(u certificateUse, store map[string][]byte, out *output) error {
	l := newLabels("usage", u.usage, "thumbprint", u.thumbprint)
	der, found := store[u.thumbprint]
	out.add(certificatePresent, boolean(found), l)
	if !found {
		return nil
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", u.thumbprint, err)
	}
	out.add(certificateNotAfter, unix(certificate.NotAfter), l)
	return nil
}
