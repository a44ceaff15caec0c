package collector

import (
	"context"
	"sync"
	"time"
)

// round is what scrapes that overlap share: in one round each question is asked
// once.
type round struct {
	*reads
	mu     sync.Mutex
	joined map[string]*flight
}

func (r *round) ask(q question) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.joined[q.key]
	if f == nil {
		f = r.reads.ask(q)
		r.joined[q.key] = f
	}
	return f
}

// begin asks for the classes that a collector reads, and waits until the host has
// been asked for each. The host is busy with what collectors read in the order of
// All then: on a slow one, what matters most is there first.
func (r *round) begin(ctx context.Context, c Collector) {
	for _, s := range c.Reads {
		if s.Method != "" {
			continue // takes rows to ask
		}
		select {
		case <-r.ask(rowsQuestion(s.row, r.reader)).started:
		case <-ctx.Done():
		}
	}
}

// view is the host as one collector sees it in one scrape.
type view struct {
	*round
	mu     sync.Mutex
	oldest time.Time // when the oldest answer it got was given
	late   []string  // the operations that did not answer in time
}

// get asks and waits for the answer: the fresh one if it comes in time, else the
// last good one, else an error.
func (v *view) get(ctx context.Context, q question) (answer, error) {
	f := v.ask(q)
	var a answer
	select {
	case <-f.done:
		a = f.answer
	case <-f.overdue:
		a = f.now()
	case <-ctx.Done():
		a = f.now()
	}
	if isSilence(a.err) {
		last, ok := v.lastGood(q.key)
		if !ok {
			return a, a.err
		}
		v.noteLate(q.operation)
		a = last
	}
	if a.err == nil {
		v.noteTime(a.at)
	}
	return a, a.err
}

func (v *view) noteLate(operation string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.late = append(v.late, operation)
}

func (v *view) noteTime(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.oldest.IsZero() || t.Before(v.oldest) {
		v.oldest = t
	}
}
