package exporter

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// writeTimeout is the time that a client has to read a response.
	writeTimeout = 10 * time.Second
	// maxBuffered is the maximum number of bytes of responses that wait for their clients. The compressed response of a
	// host with 1,000 VMs has about one MiB.
	maxBuffered = 128 << 20
)

// bufferedHandler sends the responses of a handler when they are complete, so that a slow client holds nothing but its
// response, and that not for long.
type bufferedHandler struct {
	handler http.Handler
	free    *semaphore.Weighted // bytes for responses that wait
}

func newBufferedHandler(h http.Handler) *bufferedHandler {
	return &bufferedHandler{h, semaphore.NewWeighted(maxBuffered)}
}

// ServeHTTP refuses a request with a body, which a client could send slowly.
func (h *bufferedHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		// Otherwise the server waits for the body before it responds.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		http.Error(w, "The request must not have a body.", http.StatusBadRequest)
		return
	}
	response := &bufferedResponse{header: w.Header(), status: http.StatusOK}
	h.handler.ServeHTTP(response, r)
	size := int64(response.body.Len())
	if !h.free.TryAcquire(min(size, maxBuffered)) {
		clear(w.Header())
		http.Error(w, fmt.Sprintf("Clients have not read %d MiB of responses, try again later.", maxBuffered>>20),
			http.StatusServiceUnavailable)
		return
	}
	defer h.free.Release(min(size, maxBuffered))
	// Without support for deadlines there is no connection that a client could block.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(response.status)
	_, _ = response.body.WriteTo(w) // fails if the client has disconnected or is slow
}

// bufferedResponse keeps a response in memory.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *bufferedResponse) Header() http.Header         { return r.header }
func (r *bufferedResponse) WriteHeader(status int)      { r.status = status }
func (r *bufferedResponse) Write(p []byte) (int, error) { return r.body.Write(p) }
