package authz

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// WebConfig is the part of the listener's web config that the endpoint uses.
type WebConfig struct {
	TLS bool
	// Users maps the name of a user to a bcrypt hash.
	Users map[string]string
	// Certificates reports whether every client must have a verified certificate.
	Certificates bool
	// KeyFile is the file of the private key, ClientCAFile that of the authorities of client certificates; "" for none.
	KeyFile, ClientCAFile string
	// VerifiesCertificates reports whether a certificate that a client has is verified.
	VerifiesCertificates bool
}

// ReadWebConfig reads a file in the format of the exporter toolkit. Without a file it returns an empty config.
func ReadWebConfig(file string) (WebConfig, error) {
	if file == "" {
		return WebConfig{}, nil
	}
	if err := web.Validate(file); err != nil {
		return WebConfig{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return WebConfig{}, err
	}
	var c web.Config
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return WebConfig{}, err
	}
	c.TLSConfig.SetDirectory(filepath.Dir(file))
	w := WebConfig{
		KeyFile: c.TLSConfig.TLSKeyPath, ClientCAFile: c.TLSConfig.ClientCAs,
		TLS:          c.TLSConfig.IsEnabled(),
		Users:        map[string]string{},
		Certificates: c.TLSConfig.ClientAuth == "RequireAndVerifyClientCert",
	}
	w.VerifiesCertificates = w.Certificates || c.TLSConfig.ClientAuth == "VerifyClientCertIfGiven"
	if w.VerifiesCertificates && c.TLSConfig.ClientCAs == "" && c.TLSConfig.ClientCAsText == "" {
		return WebConfig{}, fmt.Errorf("client_auth_type %s needs client_ca_file: without it, "+
			"the certificate of any authority that the system trusts is valid", c.TLSConfig.ClientAuth)
	}
	for user, hash := range c.Users {
		w.Users[user] = string(hash)
	}
	return w, nil
}

// Authenticates reports whether the listener accepts only authenticated callers.
func (w WebConfig) Authenticates() bool { return len(w.Users) > 0 || w.Certificates }

// CheckAddress returns an error for a listen address that other computers can reach, unless the web config has TLS and
// authentication.
func (w WebConfig) CheckAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if IsLoopback(host) || w.TLS && w.Authenticates() {
		return nil
	}
	return fmt.Errorf("listen address %s: not a loopback address, so the web config must have TLS, "+
		"and users or client certificates that are required and verified", address)
}

// IsLoopback reports whether only this computer can reach a host name or address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
