package replay

import (
	"crypto/ed25519"
	"crypto/sha1" // a thumbprint is a SHA-1, by definition
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// certificateFact is <CERTIFICATE>: what a capture keeps of a certificate, which
// is full of names.
type certificateFact struct {
	Thumbprint string  `xml:"THUMBPRINT,attr"` // as it stands in the settings of the same capture
	NotBefore  *moment `xml:"NOTBEFORE,attr"`
	NotAfter   *moment `xml:"NOTAFTER,attr"`
}

// certificate is one of this package that stands in for one of the host: valid
// from and until the same times, with no name in it.
type certificate struct {
	captured   string // the thumbprint in the capture
	thumbprint string // its own
	der        []byte
}

// substitutes makes a certificate for each that the capture tells of. That is
// what joins settings and certificates again: the thumbprint of a certificate
// cannot be chosen, so those of the settings follow it.
func (h *Host) substitutes() ([]certificate, error) {
	f := h.methods[msvm.MethodGetSystemCertificates]
	if f == nil || len(f.Calls) == 0 {
		return nil, nil
	}
	var all []certificate
	for i, fact := range f.Calls[0].Certificates {
		c, err := fact.substitute(int64(i + 1))
		if err != nil {
			return nil, inFile(f.Name, fmt.Errorf("CERTIFICATE %d, %.80q: %w", i+1, fact.Thumbprint, err))
		}
		all = append(all, c)
	}
	return all, nil
}

// substitute makes the certificate with that serial number.
func (f certificateFact) substitute(serial int64) (certificate, error) {
	if f.NotBefore == nil || f.NotAfter == nil {
		return certificate{}, fmt.Errorf("no NOTBEFORE or no NOTAFTER")
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // guards nothing
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    f.NotBefore.Time,
		NotAfter:     f.NotAfter.Time,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return certificate{}, err
	}
	return certificate{f.Thumbprint, fmt.Sprintf("%X", sha1.Sum(der)), der}, nil
}

// thumbprint is the one that stands for a captured one, itself if none does.
func (h *Host) thumbprint(captured string) string {
	for _, c := range h.certificates {
		if strings.EqualFold(c.captured, captured) {
			return c.thumbprint
		}
	}
	return captured
}

// systemCertificates is GetSystemCertificates.
func (h *Host) systemCertificates(c wmiquery.Call) (wmiquery.Reply, error) {
	f, err := h.method(c)
	if err != nil {
		return wmiquery.Reply{}, err
	}
	if len(f.Calls) == 0 {
		return wmiquery.Reply{}, fmt.Errorf("%s has no CALL: %w", fileName(f.Name), wmiquery.ErrNotFound)
	}
	reply, err := f.reply(0)
	if err != nil || reply.Code != wmiquery.CodeCompleted {
		return reply, err
	}
	encoded := make([]string, 0, len(h.certificates))
	for _, c := range h.certificates {
		encoded = append(encoded, base64.StdEncoding.EncodeToString(c.der))
	}
	reply.Out["EncodedCertificates"] = encoded
	return reply, nil
}
