package exporter

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/go-kit/log"
)

// A client that stops sending or reading does not keep its connection. The longest scrape, two minutes, can be written.
func TestServerTimeouts(t *testing.T) {
	s := newServer(t.Context(), http.NotFoundHandler(), log.NewNopLogger())
	for name, v := range map[string]struct{ got, want time.Duration }{
		"header of a request": {s.ReadHeaderTimeout, 10 * time.Second},
		"request":             {s.ReadTimeout, 30 * time.Second},
		"response":            {s.WriteTimeout, 150 * time.Second},
		"idle connection":     {s.IdleTimeout, 2 * time.Minute},
	} {
		if v.got != v.want {
			t.Errorf("%s: timeout %v, want %v", name, v.got, v.want)
		}
	}
	if s.MaxHeaderBytes != 65536 {
		t.Errorf("header of at most %d bytes, want 65536", s.MaxHeaderBytes)
	}
}

// The log has a URL that can be opened. With a web config file, which may enable TLS, it has the address.
func TestLoggedAddress(t *testing.T) {
	for _, tt := range []struct{ address, webConfigFile, want string }{
		{"[::]:10483", "", "url=http://localhost:10483/m"},
		{"0.0.0.0:10483", "", "url=http://localhost:10483/m"},
		{"192.0.2.7:80", "", "url=http://192.0.2.7:80/m"},
		{"[2001:db8::7]:80", "", "url=http://[2001:db8::7]:80/m"},
		{"[::]:10483", "web.yml", "address=[::]:10483 path=/m"},
	} {
		var logs bytes.Buffer
		address := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.address))
		logAddress(log.NewLogfmtLogger(&logs), address, &config{telemetryPath: "/m", webConfigFile: tt.webConfigFile})
		if got, want := logs.String(), `level=info msg="serving metrics" `+tt.want+"\n"; got != want {
			t.Errorf("%s, web config file %q: got %s, want %s", tt.address, tt.webConfigFile, got, want)
		}
	}
}
