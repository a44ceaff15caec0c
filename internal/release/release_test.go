//go:build release

package release

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The name of a release file without its ending: the version is that of the file VERSION.
const (
	windowsRelease = "hyperv_replica_exporter-0.1.0.windows-amd64"
	linuxRelease   = "hyperv_replica_exporter-0.1.0.linux-amd64"
)

// makeRelease builds the release of the current commit in a clone, and returns the directory with the files.
func makeRelease(t *testing.T, env ...string) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	run(t, "../..", nil, "git", "clone", "-q", "--shared", ".", clone)
	tools, err := filepath.Abs("../../.tools")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tools, filepath.Join(clone, ".tools")); err != nil {
		t.Fatal(err)
	}
	run(t, clone, env, "make", "release", "PLATFORMS=windows/amd64 linux/amd64")
	return filepath.Join(clone, "dist")
}

// run runs a program in a directory, and returns what it prints.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Two builds of a commit, in different directories, are the same to the byte.
func TestReleaseIsReproducible(t *testing.T) {
	first, second := makeRelease(t), makeRelease(t)
	entries, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		a, errA := os.ReadFile(filepath.Join(first, e.Name()))
		b, errB := os.ReadFile(filepath.Join(second, e.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds (errors: %v, %v)", e.Name(), errA, errB)
		}
		compared++
	}
	if compared < 5 {
		t.Errorf("%d files compared, want at least 5: %v", compared, entries)
	}
	run(t, first, nil, "sha256sum", "--check", "--strict", "sha256sums.txt")
	t.Run("contents", func(t *testing.T) { testReleaseContents(t, first) })
}

// With a certificate, the program for Windows is signed. The documents and the program for Linux do not change.
func TestReleaseIsSigned(t *testing.T) {
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	writeSigner(t, key, certificate)
	dist := makeRelease(t, "SIGN_CERT="+certificate, "SIGN_KEY="+key)
	program := filepath.Join(dist, windowsRelease, "hyperv_replica_exporter.exe")
	if out := run(t, dir, nil, "osslsigncode", "verify", "-CAfile", certificate, "-in", program); !strings.Contains(
		out, "Signature verification: ok") {
		t.Errorf("signature:\n%s", out)
	}
	run(t, dist, nil, "sha256sum", "--check", "--strict", "sha256sums.txt")
}

// writeSigner writes a new key and its certificate for signing code.
func writeSigner(t *testing.T, keyFile, certificateFile string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		keyFile: {Type: "PRIVATE KEY", Bytes: encoded}, certificateFile: {Type: "CERTIFICATE", Bytes: certificate},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
