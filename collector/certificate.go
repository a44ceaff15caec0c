package collector

import (
	"cmp"
	"context"
	"crypto/sha1" // a thumbprint is defined as a SHA-1 hash
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	certificateNotAfter = gauge("certificate_not_after_timestamp_seconds",
		"Time when a certificate that replication uses expires, or its root; absent if LocalMachine\\My of the host does "+
			"not have the certificate or it cannot be parsed.",
		"usage", "thumbprint")
	certificatePresent = gauge("certificate_present",
		"1 if the certificate with the thumbprint in the settings is in the store LocalMachine\\My of the host, 0 if it "+
			"is missing: replication then fails.",
		"usage", "thumbprint")
)

// certificateCollector exposes the certificates that the settings of the replica
// server and of the relationships use. Other certificates have no series.
func certificateCollector() Collector {
	return Collector{
		Name:    "certificate",
		Help:    "Certificates that replication uses: whether the host has them, and when they expire.",
		Default: true,
		Reads: append(
			instancesOf(msvm.ReplicationService{}, msvm.ReplicationServiceSettingData{}, msvm.ReplicationSettingData{}),
			resultOf(msvm.ReplicationService{}, msvm.MethodGetSystemCertificates)),
		Metrics: []*Metric{certificateNotAfter, certificatePresent},
		collect: func(ctx context.Context, v *view, out *output) error {
			servers, serverErr := read[msvm.ReplicationServiceSettingData](ctx, v)
			relationships, relationshipErr := read[msvm.ReplicationSettingData](ctx, v)
			used := usedCertificates(servers.rows, relationships.rows)
			store, err := readCertificates(ctx, v)
			if err != nil {
				return errors.Join(serverErr, relationshipErr, err)
			}
			unreadable := newInvalidError(v.invalidResponse(msvm.MethodGetSystemCertificates).invalid)
			errs := []error{serverErr, relationshipErr, checkCertificateSettings(v)}
			for _, u := range slices.SortedFunc(maps.Keys(used), certificateUse.compare) {
				errs = append(errs, collectCertificate(u, store, unreadable, out))
			}
			return errors.Join(errs...)
		},
	}
}

// checkCertificateSettings returns an error if the host has returned invalid values
// that determine which certificates replication uses.
func checkCertificateSettings(v *view) error {
	return errors.Join(
		checkShown(v, every[msvm.ReplicationServiceSettingData],
			"RecoveryServerEnabled", "CertificateThumbPrint", "AllowedAuthenticationType"),
		checkShown(v, every[msvm.ReplicationSettingData], "CertificateThumbPrint", "RootCertificateThumbPrint"),
		checkShown(v, func(s msvm.ReplicationSettingData) bool {
			return msvm.StringOrEmpty(s.CertificateThumbPrint)+msvm.StringOrEmpty(s.RootCertificateThumbPrint) != ""
		}, "AuthenticationType"),
	)
}

// usageRoot is the usage of the root of the certificates of relationships. Its place
// is LocalMachine\Root, which Hyper-V does not show. Only if LocalMachine\My has it,
// too, is its expiry known; otherwise it is not missing.
const usageRoot = "root"

// certificateUse is a use of a certificate: the labels of its series.
type certificateUse struct{ usage, thumbprint string }

func (u certificateUse) compare(other certificateUse) int {
	return cmp.Or(cmp.Compare(u.usage, other.usage), cmp.Compare(u.thumbprint, other.thumbprint))
}

// usedCertificates returns the certificates that the settings use. It ignores the
// thumbprint of a replica server that is disabled, and of settings whose
// authentication does not use certificates: both may be left from earlier, for
// example in the settings of a VM that no longer replicates.
func usedCertificates(
	servers []msvm.ReplicationServiceSettingData, relationships []msvm.ReplicationSettingData,
) map[certificateUse]bool {
	used := map[certificateUse]bool{}
	add := func(usage string, t *string, a *msvm.Authentication) {
		thumbprint := normalizeThumbprint(msvm.StringOrEmpty(t))
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
		add(usageRoot, s.RootCertificateThumbPrint, s.AuthenticationType)
	}
	return used
}

// normalizeThumbprint returns a thumbprint in upper case, without the spaces and
// the invisible characters of a thumbprint that was copied from a Windows dialog.
func normalizeThumbprint(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
}

// readCertificates reads the certificates of the host, in DER, by thumbprint.
func readCertificates(ctx context.Context, v *view) (map[string][]byte, error) {
	services, err := read[msvm.ReplicationService](ctx, v)
	if err != nil {
		return nil, err
	}
	const method = msvm.MethodGetSystemCertificates
	r, err := v.get(ctx, query{key: method, operation: method, run: func(ctx context.Context) (any, error) {
		reply, err := v.reader.Get(ctx, msvm.GetSystemCertificates(services.rows[0]))
		if err != nil {
			return nil, err
		}
		all, err := msvm.Certificates(reply)
		if _, ok := wmiquery.InvalidValues(err); !ok {
			return nil, err
		}
		store := make(map[string][]byte, len(all))
		for _, der := range all {
			store[fmt.Sprintf("%X", sha1.Sum(der))] = der
		}
		return store, err
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	return r.value.(map[string][]byte), nil
}

// collectCertificate adds the samples of one certificate. Only certificates in use
// are parsed, since the store may contain others that crypto/x509 rejects. If the
// store has certificates that are unreadable, one that is not found may be among
// them: collectCertificate then returns unreadable.
func collectCertificate(u certificateUse, store map[string][]byte, unreadable error, out *output) error {
	l := newLabels("usage", u.usage, "thumbprint", u.thumbprint)
	der, found := store[u.thumbprint]
	if u.usage != usageRoot {
		if !found && unreadable != nil {
			return unreadable
		}
		out.add(certificatePresent, boolToFloat(found), l)
	}
	if !found {
		return nil
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", u.thumbprint, err)
	}
	out.add(certificateNotAfter, unixSeconds(certificate.NotAfter), l)
	return nil
}
