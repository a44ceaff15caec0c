package simulator

import (
	"crypto/ed25519"
	"crypto/sha1" // a thumbprint is a SHA-1 hash by definition
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// certificate is a certificate in the store LocalMachine\My of a host.
type certificate struct {
	der        []byte
	thumbprint string // upper-case hex
}

// newCertificates creates the certificates of the hosts: one that replication uses, which expires in two
// months, and one that has expired. Ed25519 signatures are deterministic, so the same time gives the
// same certificates.
func newCertificates(born time.Time) []certificate {
	day := born.Truncate(24 * time.Hour)
	var all []certificate
	for i, end := range []time.Time{day.AddDate(0, 2, 0), day.AddDate(0, -1, 0)} {
		key := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("the simulated certificate no. %-3d", i))[:ed25519.SeedSize])
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(1 + i)),
			Subject:      pkix.Name{CommonName: "*" + domain},
			DNSNames:     []string{"*" + domain},
			NotBefore:    end.AddDate(-2, 0, 0),
			NotAfter:     end,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
		if err != nil {
			panic(err) // the template is valid
		}
		all = append(all, certificate{der, fmt.Sprintf("%X", sha1.Sum(der))})
	}
	return all
}
