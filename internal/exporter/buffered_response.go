package exporter

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// writeTimeout is the time that a client has to read a response.
	writeTimeout = 10 * time.Second
	// maxBuffered is the maximum number of bytes of all responses that are written or wait for their clients. The
	// compressed response of a host with 1,000 VMs has about one MiB, and without compression 15 MiB.
	maxBuffered = 128 << 20
	// blockSize is the size of the parts in which responses are kept.
	blockSize = 64 << 10
)

type block [blockSize]byte

// blocks has blocks to be used again: garbage of this size would double the memory of the program.
var blocks = sync.Pool{New: func() any { return new(block) }}

// bufferedHandler sends the responses of a handler when they are complete, so that a slow client holds nothing but its
// response, and that not for long.
type bufferedHandler struct {
	handler http.Handler

	mu   sync.Mutex
	used int // blocks in use; guarded by mu
}

func newBufferedHandler(h http.Handler) *bufferedHandler { return &bufferedHandler{handler: h} }

// ServeHTTP refuses a request with a body, which a client could send slowly.
func (h *bufferedHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		// Otherwise the server waits for the body before it responds.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		http.Error(w, "The request must not have a body.", http.StatusBadRequest)
		return
	}
	response := &bufferedResponse{handler: h, header: w.Header(), status: http.StatusOK}
	defer response.release()
	if response.refused = h.isFull(); !response.refused {
		h.handler.ServeHTTP(response, r)
	}
	if response.refused {
		clear(w.Header())
		http.Error(w, fmt.Sprintf("Clients have not read %d MiB of responses, try again later.", maxBuffered>>20),
			http.StatusServiceUnavailable)
		return
	}
	// Without support for deadlines there is no connection that a client could block.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(response.status)
	response.send(w)
}

// isFull reports whether the responses in use have reached the limit.
func (h *bufferedHandler) isFull() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used >= maxBuffered/blockSize
}

// take counts one more block for a response that has n blocks, and reports whether it is within the limit. A response
// that is the only one can have any size.
func (h *bufferedHandler) take(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.used >= maxBuffered/blockSize && h.used > n {
		return false
	}
	h.used++
	return true
}

// bufferedResponse keeps a response in memory.
type bufferedResponse struct {
	handler *bufferedHandler
	header  http.Header
	status  int
	blocks  []*block // all but the last are full
	size    int
	refused bool // a block was above the limit
}

func (r *bufferedResponse) Header() http.Header    { return r.header }
func (r *bufferedResponse) WriteHeader(status int) { r.status = status }

// Write implements io.Writer. It drops what is above the limit.
func (r *bufferedResponse) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0 && !r.refused; {
		used := r.size % blockSize
		if used == 0 {
			if r.refused = !r.handler.take(len(r.blocks)); r.refused {
				r.release()
				break
			}
			r.blocks = append(r.blocks, blocks.Get().(*block))
		}
		n := copy(r.blocks[len(r.blocks)-1][used:], rest)
		r.size += n
		rest = rest[n:]
	}
	return len(p), nil
}

// send writes the response. It stops if the client has disconnected or is slow.
func (r *bufferedResponse) send(w http.ResponseWriter) {
	for i, b := range r.blocks {
		if _, err := w.Write(b[:min(blockSize, r.size-i*blockSize)]); err != nil {
			return
		}
	}
}

// release gives the blocks back.
func (r *bufferedResponse) release() {
	for _, b := range r.blocks {
		blocks.Put(b)
	}
	r.handler.mu.Lock()
	defer r.handler.mu.Unlock()
	r.handler.used -= len(r.blocks)
	r.blocks, r.size = nil, 0
}
