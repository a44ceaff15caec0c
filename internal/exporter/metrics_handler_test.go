package exporter

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
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

// response is a http.ResponseWriter whose Write calls write.
type response struct {
	http.ResponseWriter
	write    func()
	deadline time.Time
}

func (r *response) Write(p []byte) (int, error) {
	r.write()
	return r.ResponseWriter.Write(p)
}

func (r *response) SetWriteDeadline(t time.Time) error {
	r.deadline = t
	return nil
}

// newTestServer returns the handler of the metrics of a simulated host, and the errors in its log.
func newTestServer(t *testing.T, flags ...string) (http.Handler, *bytes.Buffer) {
	t.Helper()
	logs := &bytes.Buffer{}
	logger := level.NewFilter(log.NewLogfmtLogger(log.NewSyncWriter(logs)), level.AllowError())
	c, err := parseFlags(append([]string{"--source=simulator", "--simulator.vms=1"}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	host, err := openSource(t.Context(), c, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.close(time.Now().Add(ShutdownTimeout)) })
	h, err := newMetricsServer(newMetricsHandler(c, host, logger))
	if err != nil {
		t.Fatal(err)
	}
	return h, logs
}

// A client that has disconnected is no error.
func TestDisconnectedClientIsNoError(t *testing.T) {
	h, logs := newTestServer(t, "--wmi.call-timeout=1m")
	disconnected, disconnect := context.WithCancel(t.Context())
	disconnect()
	r := httptest.NewRequestWithContext(disconnected, http.MethodGet, "/metrics", nil)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if logs.Len() > 0 {
		t.Errorf("errors in the log: %s", logs)
	}
}

// A client that does not read its response does not count as a scrape, and has ten seconds.
func TestSlowClientHoldsNoScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newTestServer(t, "--web.max-requests=1", "--wmi.call-timeout=1m")
		blocked := make(chan struct{})
		slow := &response{ResponseWriter: httptest.NewRecorder(), write: func() { <-blocked }}
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.ServeHTTP(slow, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		}()
		synctest.Wait()
		if d := time.Until(slow.deadline); d != 10*time.Second {
			t.Errorf("the client has %v to read the response, want 10s", d)
		}
		other := httptest.NewRecorder()
		h.ServeHTTP(other, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if other.Code != http.StatusOK {
			t.Errorf("another scrape: %d %s", other.Code, other.Body)
		}
		close(blocked)
		<-done
	})
}

// Responses that wait for their clients take up to 128 MiB. Then a scrape is refused.
func TestUnreadResponsesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newBufferedHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(make([]byte, 50<<20))
		}))
		blocked := make(chan struct{})
		get := func(write func()) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			h.ServeHTTP(&response{ResponseWriter: rec, write: write}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			return rec
		}
		for range 2 {
			go get(func() { <-blocked })
		}
		synctest.Wait()
		if rec := get(func() {}); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Content-Encoding") != "" {
			t.Errorf("status %d, header %v, want 503 without compression", rec.Code, rec.Header())
		}
		close(blocked)
		synctest.Wait()
		if rec := get(func() {}); rec.Code != http.StatusOK {
			t.Errorf("status %d after the clients have read, want 200", rec.Code)
		}
	})
}

// Responses count while they are written. One that is alone can have any size.
func TestResponsesAreLimitedWhileTheyAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		written := make(chan struct{})
		h := newBufferedHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 100<<20))
			<-written
			w.Write(make([]byte, 100<<20))
		}))
		get := func() *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			return rec
		}
		responses := make(chan *httptest.ResponseRecorder, 2)
		for range 2 { // one after the other: both could meet the limit at the same time
			go func() { responses <- get() }()
			synctest.Wait()
		}
		if got := h.used * blockSize; got != 100<<20 {
			t.Errorf("two responses of 100 MiB so far take %d bytes, want those of one", got)
		}
		close(written)
		if sum := (<-responses).Code + (<-responses).Code; sum != http.StatusOK+http.StatusServiceUnavailable {
			t.Errorf("the sum of both statuses is %d, want 200 and 503", sum)
		}
		if rec := get(); rec.Code != http.StatusOK || rec.Body.Len() != 200<<20 {
			t.Errorf("a response of 200 MiB alone: status %d, %d bytes, want 200 and all of it", rec.Code, rec.Body.Len())
		}
		if h.used != 0 {
			t.Errorf("%d blocks are in use after all responses", h.used)
		}
	})
}
