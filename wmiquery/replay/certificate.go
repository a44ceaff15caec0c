package replay

import (
	"crypto/ed25519"
	"crypto/sha1" // a thumbprint is a SHA-1 hash by definition
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// certificateData is a CERTIFICATE element: the data of a certificate without names.
type certificateData struct {
	Thumbprint string  `xml:"THUMBPRINT,attr"` // the same as in the settings of the capture
	NotBefore  *moment `xml:"NOTBEFORE,attr"`
	NotAfter   *moment `xml:"NOTAFTER,attr"`
	// Invalid means that the program that captured the host could not parse the certificate. It has no validity period.
	Invalid bool `xml:"INVALID,attr"`
}

// newRecordedCertificate returns what a capture has of a certificate in DER.
func newRecordedCertificate(der []byte) RecordedCertificate {
	r := RecordedCertificate{Thumbprint: fmt.Sprintf("%X", sha1.Sum(der))}
	if c, err := x509.ParseCertificate(der); err == nil {
		r.NotBefore, r.NotAfter = c.NotBefore, c.NotAfter
	} else {
		r.Invalid = true
	}
	return r
}

// certificate is a substitute for a captured certificate. It has the same validity period and no names.
type certificate struct {
	captured   string // the thumbprint in the capture
	thumbprint string // the thumbprint of the substitute
	der        []byte
}

// substituteCertificates creates a substitute for each captured certificate. The thumbprint of a certificate cannot be
// chosen, so the thumbprints in the settings are replaced to match, see substituteThumbprint.
func (h *Host) substituteCertificates() ([]certificate, error) {
	f := h.methods[msvm.MethodGetSystemCertificates]
	if f == nil || len(f.Calls) == 0 {
		return nil, nil
	}
	var all []certificate
	for i, data := range f.Calls[0].Certificates {
		c, err := data.substitute(int64(i + 1))
		if err != nil {
			return nil, fileError(f.Name, fmt.Errorf("CERTIFICATE %d, %.80q: %w", i+1, data.Thumbprint, err))
		}
		all = append(all, c)
	}
	return all, nil
}

// substitute creates a substitute with a serial number. That of an invalid certificate cannot be parsed, either.
func (d certificateData) substitute(serial int64) (certificate, error) {
	if d.Invalid {
		der := fmt.Appendf(nil, "not a certificate: %d", serial)
		return certificate{d.Thumbprint, fmt.Sprintf("%X", sha1.Sum(der)), der}, nil
	}
	if d.NotBefore == nil || d.NotAfter == nil {
		return certificate{}, errors.New("NOTBEFORE or NOTAFTER is missing")
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // protects nothing
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    d.NotBefore.Time,
		NotAfter:     d.NotAfter.Time,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return certificate{}, err
	}
	return certificate{d.Thumbprint, fmt.Sprintf("%X", sha1.Sum(der)), der}, nil
}

// substituteThumbprint returns the thumbprint of the substitute for a captured certificate. It returns captured if
// there is no such certificate.
func (h *Host) substituteThumbprint(captured string) string {
	for _, c := range h.certificates {
		if strings.EqualFold(c.captured, captured) {
			return c.thumbprint
		}
	}
	return captured
}

// systemCertificates implements GetSystemCertificates.
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
