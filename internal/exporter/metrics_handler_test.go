package exporter

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

func TestScrapeTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"10":      9500 * time.Millisecond,
		"15.0":    14500 * time.Millisecond,
		"0.4":     200 * time.Millisecond, // the margin would leave nothing
		"1e300":   119500 * time.Millisecond,
		"":        4500 * time.Millisecond,
		"junk":    4500 * time.Millisecond,
		"-1":      4500 * time.Millisecond,
		"0":       4500 * time.Millisecond,
		"NaN":     4500 * time.Millisecond,
		"Inf":     4500 * time.Millisecond,
		"10s":     4500 * time.Millisecond,
		"10 20":   4500 * time.Millisecond,
		"1e-9":    1, // nothing can be done in a nanosecond, but it must not be negative
		"0x1p-10": 488281,
	} {
		if got := scrapeTimeout(header, 5*time.Second, 500*time.Millisecond); got != want {
			t.Errorf("header %q: %v, want %v", header, got, want)
		}
	}
}

// brokenPipe is the response to a client that cannot be written to.
type brokenPipe struct{ http.ResponseWriter }

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A failed write is logged as an error only if the client has not disconnected.
func TestDisconnectedClientIsNoError(t *testing.T) {
	var logs bytes.Buffer
	logger := level.NewFilter(log.NewLogfmtLogger(log.NewSyncWriter(&logs)), level.AllowError())
	c, err := parseFlags([]string{"--source=simulator", "--simulator.vms=1", "--wmi.call-timeout=1m"}, io.Discard, "")
	if err != nil {
		t.Fatal(err)
	}
	host, err := openSource(t.Context(), c, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { host.close(time.Now().Add(ShutdownTimeout)) }()
	h := newMetricsHandler(c, host, logger)
	disconnected, disconnect := context.WithCancel(t.Context())
	disconnect()
	for _, tt := range []struct {
		ctx    context.Context //nolint:containedctx // of a table
		errors bool
	}{{disconnected, false}, {t.Context(), true}} {
		logs.Reset()
		r := httptest.NewRequestWithContext(tt.ctx, http.MethodGet, "/metrics", nil)
		h.ServeHTTP(brokenPipe{httptest.NewRecorder()}, r)
		if got := logs.Len() > 0; got != tt.errors {
			t.Errorf("errors in the log: %v, want %v\n%s", got, tt.errors, &logs)
		}
	}
}
