package audit

import (
	"maps"
	"slices"
	"time"
)

// Limits of what is remembered about refusals.
const (
	maxRefusalKeys    = 1000
	maxRefusedActions = 20 // of one record
)

// Repeated describes several refusals.
type Repeated struct {
	Count int       `json:"count"`
	Since time.Time `json:"since"` // time of the first
	// Actions has the number of refusals by action and VM, "ACTION VM_ID". Beyond 20 of them, "other" counts.
	Actions map[string]int `json:"actions"`
}

// refusalKey identifies refusals that are counted together.
type refusalKey struct{ user, problemType string }

// refusals are the refusals of the current interval after the first one, which was written.
type refusals struct {
	began    time.Time
	repeated Repeated
	last     Record
}

// WriteRefused appends a record of a refused request, which does not need to be on disk. Of several refusals of the
// same type to the same caller it writes the first one at once, and then one record per interval.
func (l *Log) WriteRefused(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := refusalKey{r.User, r.Type}
	known := l.refusals[key]
	if known == nil && len(l.refusals) >= maxRefusalKeys {
		key = refusalKey{"(others)", ""}
		known = l.refusals[key]
	}
	if known != nil && r.Time.Sub(known.began) < l.options.RefusalInterval && !r.Time.Before(known.began) {
		known.add(r)
		return nil
	}
	if err := l.writeRepeated(key); err != nil {
		return err
	}
	l.refusals[key] = &refusals{began: r.Time}
	return l.write(r, false)
}

// add counts a refusal.
func (s *refusals) add(r Record) {
	if s.repeated.Count == 0 {
		s.repeated = Repeated{Since: r.Time, Actions: map[string]int{}}
	}
	name := r.Action
	if r.VMID != "" {
		name += " " + r.VMID
	}
	if _, ok := s.repeated.Actions[name]; !ok && len(s.repeated.Actions) >= maxRefusedActions || len(name) > 100 {
		name = "other"
	}
	s.repeated.Count++
	s.repeated.Actions[name]++
	s.last = r
}

// writeRepeated writes the record of the refusals after the first one, if there are some, and forgets them. The caller
// must hold l.mu.
func (l *Log) writeRepeated(key refusalKey) error {
	known := l.refusals[key]
	if known == nil {
		return nil
	}
	if known.repeated.Count > 0 {
		record := known.last
		record.Repeated = &known.repeated
		if err := l.write(record, false); err != nil {
			return err
		}
	}
	delete(l.refusals, key)
	return nil
}

// flushRefusals writes the records of the refusals whose interval has ended, of all if all is true. The caller must
// hold l.mu.
func (l *Log) flushRefusals(all bool) error {
	now := l.options.Now()
	ended := slices.Collect(maps.Keys(l.refusals))
	for _, key := range ended {
		if age := now.Sub(l.refusals[key].began); !all && age >= 0 && age < l.options.RefusalInterval {
			continue
		}
		if err := l.writeRepeated(key); err != nil {
			return err
		}
	}
	return nil
}
