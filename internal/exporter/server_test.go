package exporter

import (
	"net/http"
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
