package collector

import (
	"context"
	"errors"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// view is how one collector reads the host in one scrape. It records how recent
// the responses are.
type view struct {
	*scrapeShare
	mu     sync.Mutex
	oldest time.Time // of the responses that the collector received
	late   []string  // operations whose last good response was used
	lost   bool      // whether one of them is not only late: see isLost
	// invalidResponses are those with invalid values, by key of the query.
	invalidResponses map[string]response
}

// get runs a query and waits for the response. If it does not arrive in time, get
// returns the last good response, or an error if there is none.
func (v *view) get(ctx context.Context, q query) (response, error) {
	j := v.join(q)
	r := response{err: wmiquery.ErrTimeout}
	if !j.late {
		select {
		case <-j.done:
		case <-j.overdue:
		case <-ctx.Done():
		}
	}
	if j.attempt != nil {
		r = j.current()
	}
	if isNoAnswer(r.err) {
		last, ok := v.lastGoodResponse(q.key, v.onlyLast)
		if !ok {
			return r, r.err
		}
		v.recordLate(q.operation, isLost(j, r.err))
		r = last
	}
	if r.err == nil {
		v.recordTime(r.at)
		v.recordInvalid(q.key, r)
	}
	return r, r.err
}

// last returns the last good response to a query, without running the query.
func (v *view) last(q query) (response, error) {
	r, ok := v.lastGoodResponse(q.key, v.onlyLast)
	if !ok {
		return r, wmiquery.ErrTimeout
	}
	v.recordTime(r.at)
	v.recordInvalid(q.key, r)
	return r, nil
}

// isLost reports whether a response is probably lost and not only late: the
// connection is lost, or the query has hung for so long that it was run again.
func isLost(j joinedQuery, err error) bool {
	return errors.Is(err, wmiquery.ErrUnavailable) || j.attempt != nil && j.repeated
}

func (v *view) recordLate(operation string, lost bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.late = append(v.late, operation)
	v.lost = v.lost || lost
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
