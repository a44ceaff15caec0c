package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/admin/internal/store"
)

// idempotency makes sure that requests with the same Idempotency-Key call the host at most once. The response is stored
// once the host was called. A refusal is not stored, so that the request can be repeated when its cause is gone.
type idempotency struct {
	store *store.Store
	now   func() time.Time

	mu         sync.Mutex
	inProgress map[string]string // hash of the request by the hash of the key
}

func newIdempotency(s *store.Store, now func() time.Time) *idempotency {
	return &idempotency{store: s, now: now, inProgress: map[string]string{}}
}

// storedResponse is the stored response to a request with a key.
type storedResponse struct {
	Request  string            `json:"request"` // hash
	Job      string            `json:"job"`
	Created  time.Time         `json:"created"`
	Response *problem.Response `json:"answer,omitempty"` // nil during the call of the host
}

const (
	headerIdempotencyKey = "Idempotency-Key"
	headerReplayed       = "Idempotency-Replayed"
	maxIdempotencyKey    = 255 // bytes

	bucketResponses = "answers"
	keepResponses   = 24 * time.Hour
)

// responseBucket returns the bucket of the stored responses.
func responseBucket() store.Bucket {
	return store.Bucket{
		Name: bucketResponses, New: func() any { return new(storedResponse) },
		Expired: func(values []store.Value, now time.Time) (keys []string) {
			for _, v := range values {
				if r := v.Value.(*storedResponse); now.Sub(r.Created) > keepResponses {
					keys = append(keys, v.Key)
				}
			}
			return keys
		},
	}
}

// idempotentRequest is a request that may have an Idempotency-Key.
type idempotentRequest struct {
	owner        *idempotency
	key, request string // hashes; key is "" for a request without a key
}

// begin looks up the key of a request. It returns the stored response of an earlier request, or a new request that the
// caller must close.
func (i *idempotency) begin(
	r *http.Request, c authz.Principal, body []byte,
) (*idempotentRequest, *problem.Response, *problem.Problem) {
	values := r.Header.Values(headerIdempotencyKey)
	if len(values) == 0 {
		return &idempotentRequest{}, nil, nil
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > maxIdempotencyKey {
		return nil, nil, problem.New(problem.BadRequest,
			"%s: must be present once and have 1 to %d bytes", headerIdempotencyKey, maxIdempotencyKey)
	}
	q := &idempotentRequest{
		owner:   i,
		key:     hash(c.Identity(), values[0]),
		request: hash(r.Method, r.URL.Path, r.URL.RawQuery, string(body)),
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if request, ok := i.inProgress[q.key]; ok {
		if request != q.request {
			return nil, nil, keyReused()
		}
		return nil, nil, problem.New(problem.IdempotencyConflict, "the request is in progress").WithHeader("Retry-After", "5")
	}
	var stored storedResponse
	found, err := i.store.Get(bucketResponses, q.key, &stored)
	switch {
	case err != nil:
		return nil, nil, errStoreRead()
	case found && i.now().Sub(stored.Created) > keepResponses: // expired, but not deleted yet
	case found && stored.Request != q.request:
		return nil, nil, keyReused()
	case found && stored.Response == nil:
		return nil, nil, problem.New(problem.IdempotencyConflict,
			"the exporter stopped during the call; the job shows the outcome").With("job", apiJobs+"/"+stored.Job)
	case found:
		response := *stored.Response
		response.Header = http.Header{headerReplayed: {"true"}}
		return nil, &response, nil
	}
	i.inProgress[q.key] = q.request
	return q, nil, nil
}

func keyReused() *problem.Problem {
	return problem.New(problem.IdempotencyReuse, "the key was used with another body, path or query")
}

// entries returns what must be stored before the host is called. It is empty for a request without a key.
func (q *idempotentRequest) entries(jobID string) []store.Entry {
	if q.key == "" {
		return nil
	}
	stored := storedResponse{q.request, jobID, q.owner.now(), nil}
	return []store.Entry{{Bucket: bucketResponses, Key: q.key, Value: stored}}
}

// answered returns what must be stored with the response to a request. It is empty for a request without a key.
func (q *idempotentRequest) answered(jobID string, response problem.Response) []store.Entry {
	if q.key == "" {
		return nil
	}
	stored := storedResponse{q.request, jobID, q.owner.now(), &response}
	return []store.Entry{{Bucket: bucketResponses, Key: q.key, Value: stored}}
}

// save stores the response of a request for which the host was called.
func (q *idempotentRequest) save(jobID string, response problem.Response) error {
	if q.key == "" {
		return nil
	}
	return q.owner.store.PutAll(q.answered(jobID, response)...)
}

// close ends the request.
func (q *idempotentRequest) close() {
	if q.key == "" {
		return
	}
	q.owner.mu.Lock()
	defer q.owner.mu.Unlock()
	delete(q.owner.inProgress, q.key)
}

// hash returns a hash of texts that is different for every way to split the same characters.
func hash(texts ...string) string {
	h := sha256.New()
	for _, s := range texts {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))
}
