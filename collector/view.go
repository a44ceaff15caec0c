package collector

import (
	"context"
	"sync"
	"time"
)

// view is how one collector reads the host in one scrape. It records how recent
// the responses are.
type view struct {
	*scrapeShare
	mu     sync.Mutex
	oldest time.Time // of the responses that the collector received
	late   []string  // operations whose last good response was used
	// invalidResponses are those with invalid values, by key of the query.
	invalidResponses map[string]response
}

// get runs a query and waits for the response. If it does not arrive in time, get
// returns the last good response, or an error if there is none.
func (v *view) get(ctx context.Context, q query) (response, error) {
	f := v.join(q)
	var r response
	select {
	case <-f.done:
		r = f.response
	case <-f.overdue:
		r = f.current()
	case <-ctx.Done():
		r = f.current()
	}
	if isNoAnswer(r.err) {
		last, ok := v.lastGoodResponse(q.key)
		if !ok {
			return r, r.err
		}
		v.recordLate(q.operation)
		r = last
	}
	if r.err == nil {
		v.recordTime(r.at)
		v.recordInvalid(q.key, r)
	}
	return r, r.err
}

func (v *view) recordLate(operation string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.late = append(v.late, operation)
}

func (v *view) recordTime(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.oldest.IsZero() || t.Before(v.oldest) {
		v.oldest = t
	}
}

func (v *view) recordInvalid(key string, r response) {
	if len(r.invalid) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.invalidResponses == nil {
		v.invalidResponses = map[string]response{}
	}
	v.invalidResponses[key] = r
}

// invalidResponse returns the response to a query, if the collector has received
// it and it has invalid values.
func (v *view) invalidResponse(key string) response {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.invalidResponses[key]
}
