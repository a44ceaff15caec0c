package simulator

import (
	"crypto/ed25519"
	"crypto/sha1" // a thumbprint is a SHA-1 hash by definition
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// certificate is a certificate in the store LocalMachine\My of a host.
type certificate struct {
	der                 []byte
	thumbprint          string // upper-case hex
	notBefore, notAfter time.Time
	authenticates       bool // it is for clients and servers, and has a private key
}

// certificates are the certificates of the hosts. The root has issued the others. It is in the store, too, because
// PowerShell's New-SelfSignedCertificate creates it there.
type certificates struct{ current, expired, root certificate }

// newCertificates creates the certificates of the hosts: one that replication uses, which expires in two months, one
// that has expired, and their root. Ed25519 signatures are deterministic, so the same time gives the same certificates.
func newCertificates(born time.Time) certificates {
	day := born.Truncate(24 * time.Hour)
	rootKey := certificateKey(2)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Replica Root CA"},
		NotBefore: day.AddDate(-2, 0, 0), NotAfter: day.AddDate(8, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	issue := func(n int, end time.Time) certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(1 + n)),
			Subject:      pkix.Name{CommonName: "*" + domain},
			DNSNames:     []string{"*" + domain},
			NotBefore:    end.AddDate(-2, 0, 0),
			NotAfter:     end,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		return newCertificate(template, root, certificateKey(n), rootKey)
	}
	return certificates{
		current: issue(0, day.AddDate(0, 2, 0)), expired: issue(1, day.AddDate(0, -1, 0)),
		root: newCertificate(root, root, rootKey, rootKey),
	}
}

func certificateKey(n int) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("the simulated certificate no. %-3d", n))[:ed25519.SeedSize])
}

// newCertificate returns a certificate with a key that an issuer has signed.
func newCertificate(template, issuer *x509.Certificate, key, issuerKey ed25519.PrivateKey) certificate {
	der, err := x509.CreateCertificate(nil, template, issuer, key.Public(), issuerKey)
	if err != nil {
		panic(err) // the templates are valid
	}
	return certificate{
		der, fmt.Sprintf("%X", sha1.Sum(der)), template.NotBefore, template.NotAfter, len(template.ExtKeyUsage) == 2,
	}
}

// all are the certificates in the store.
func (c certificates) all() []certificate { return []certificate{c.current, c.expired, c.root} }

// valid reports whether replication accepts the certificate with the thumbprint at a time. Sources: Microsoft's
// virtualization blog, 2012-03-13, and Set-VMReplicationServer, CertificateThumbprint: it must not be expired, be for
// client and server authentication, have a private key, end at a trusted root and name the host. The simulated hosts
// trust their root, and all certificates name all hosts.
func (c certificates) valid(thumbprint *string, at time.Time) bool {
	for _, known := range [...]*certificate{&c.current, &c.expired, &c.root} {
		if known.authenticates && strings.EqualFold(msvm.StringOrEmpty(thumbprint), known.thumbprint) {
			return !at.Before(known.notBefore) && !at.After(known.notAfter)
		}
	}
	return false
}

// isThumbprint reports whether a text can be the thumbprint of a certificate: a SHA-1 hash in hex.
func isThumbprint(text *string) bool {
	raw, err := hex.DecodeString(msvm.StringOrEmpty(text))
	return err == nil && len(raw) == sha1.Size
}

// rootOf is RootCertificateThumbPrint of the settings. It is null if the store does not have their certificate.
func (c certificates) rootOf(s msvm.ReplicationSettingData) *string {
	for _, known := range c.all() {
		if strings.EqualFold(msvm.StringOrEmpty(s.CertificateThumbPrint), known.thumbprint) {
			return &c.root.thumbprint
		}
	}
	return nil
}
