package exporter_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// Clients that fail the TLS handshake cannot fill the log.
func TestFailedTLSHandshakesDoNotFillLog(t *testing.T) {
	certificate, key := certificate(t, "localhost", nil, nil)
	p := exportertest.Start(t, "--simulator.vms=1", "--web.config.file="+exportertest.TempFile(t, fmt.Sprintf(
		"tls_server_config:\n  cert_file: %s\n  key_file: %s\n",
		exportertest.TempFile(t, encode("CERTIFICATE", certificate.Raw)), exportertest.TempFile(t, encodeKey(t, key)))))
	address := p.Logs.Await(t, `address=(\S+)`)
	for range 300 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("this is not TLS")); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(c) // until the server has logged the error and closed the connection
		c.Close()
	}
	if n := strings.Count(p.Logs.String(), "TLS handshake error"); n != 10 {
		t.Errorf("%d log lines about 300 connections, want 10", n)
	}
}
