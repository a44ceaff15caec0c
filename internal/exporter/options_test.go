package exporter_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// A request without a password is rejected, also one that concerns no path.
func TestEveryRequestNeedsPassword(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	p := exportertest.Start(t, args...)
	c, err := net.Dial("tcp", p.Logs.Await(t, `admin_address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	responses := bufio.NewReader(c)
	for _, request := range []string{"OPTIONS *", "OPTIONS /", "TRACE /", "GET /nonexistent"} {
		if _, err := io.WriteString(c, request+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(responses, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a password: %s", request, resp.Status)
		}
	}
}
