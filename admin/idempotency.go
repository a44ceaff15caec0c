package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// idempotency makes sure that requests with the same Idempotency-Key call the host
// once at most. An answer is kept when the host was called; a refusal is not, so
// that the request can be sent again when the reason is gone.
type idempotency struct {
	store *store
	now   func() time.Time

	mu   sync.Mutex
	open map[string]string // key -> hash of the request that is under way
}

// keptAnswer is what is kept by key.
type keptAnswer struct {
	Request string    `json:"request"` // hash
	Job     string    `json:"job"`
	Created time.Time `json:"created"`
	Answer  *answer   `json:"answer,omitempty"` // nil while the host is called
}

const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
	maxIdempotencyKey    = 255
)

// attempt is a request with a key, or without one.
type attempt struct {
	owner        *idempotency
	key, request string // hashes; key is "" if there is none
}

// begin looks whether the request was there before. It gives the answer that it
// had, or an attempt, which must be closed.
func (i *idempotency) begin(r *http.Request, c caller, body []byte) (*attempt, *answer, *problem) {
	values := r.Header.Values(headerIdempotencyKey)
	if len(values) == 0 {
		return &attempt{}, nil, nil
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > maxIdempotencyKey {
		return nil, nil, refuse(kindBadRequest, "%s must be there once and have 1 to %d bytes", headerIdempotencyKey, maxIdempotencyKey)
	}
	a := &attempt{
		owner:   i,
		key:     hash(c.User, c.Subject, values[0]),
		request: hash(r.Method, r.URL.Path, r.URL.RawQuery, string(body)),
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if request, ok := i.open[a.key]; ok {
		if request != a.request {
			return nil, nil, otherBody()
		}
		return nil, nil, refuse(kindReplayRunning, "it is under way").heading("Retry-After", "5")
	}
	var kept keptAnswer
	found, err := i.store.get(bucketAnswers, a.key, &kept)
	switch {
	case err != nil:
		return nil, nil, refuse(kindInternal, "the store cannot be read")
	case found && i.now().Sub(kept.Created) > keepAnswers: // as if it had never come
	case found && kept.Request != a.request:
		return nil, nil, otherBody()
	case found && kept.Answer == nil:
		return nil, nil, refuse(kindReplayRunning, "the program stopped while the host was called; what became of it is told by the job").with("job", apiJobs+"/"+kept.Job)
	case found:
		again := *kept.Answer
		again.header = http.Header{headerReplayed: {"true"}}
		return nil, &again, nil
	}
	i.open[a.key] = a.request
	return a, nil, nil
}

func otherBody() *problem {
	return refuse(kindIdempotencyReuse, "it came with another body, path or query before")
}

// calls is what must be kept before the host is called, nothing without a key.
func (a *attempt) calls(job string) []entry {
	if a.key == "" {
		return nil
	}
	return []entry{{bucketAnswers, a.key, keptAnswer{a.request, job, a.owner.now(), nil}}}
}

// keep keeps the answer of a request for which the host was called.
func (a *attempt) keep(job string, with answer) error {
	if a.key == "" {
		return nil
	}
	return a.owner.store.put(bucketAnswers, a.key, keptAnswer{a.request, job, a.owner.now(), &with})
}

// close ends the attempt.
func (a *attempt) close() {
	if a.key == "" {
		return
	}
	a.owner.mu.Lock()
	defer a.owner.mu.Unlock()
	delete(a.owner.open, a.key)
}

// hash of texts, none of which can pass for part of another.
func hash(texts ...string) string {
	h := sha256.New()
	for _, s := range texts {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))
}
