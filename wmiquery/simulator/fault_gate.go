package simulator

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// obstacles hold the faults that are on, and those who wait for one to go.
type faultGate struct {
	mu      sync.Mutex
	faults  Faults
	changed chan struct{} // closed when the faults are replaced
}

func newFaultGate(f Faults) *faultGate {
	return &faultGate{faults: f, changed: make(chan struct{})}
}

func (o *faultGate) current() Faults {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.faults
}

func (o *faultGate) replace(f Faults) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = f
	close(o.changed)
	o.changed = make(chan struct{})
}

// hangWhile waits for as long as the faults say so, and gives those that are on
// then.
func (o *faultGate) waitWhile(hangs func(Faults) bool) Faults {
	for {
		o.mu.Lock()
		on, changed := o.faults, o.changed
		o.mu.Unlock()
		if !hangs(on) {
			return on
		}
		<-changed
	}
}

// pass is what every read and call goes through before the host looks at it. It
// gives the faults for the answer: those that are on when the wait is over.
func (o *faultGate) pass(class, method string) (Faults, error) {
	on := o.waitWhile(func(f Faults) bool {
		return f.Hung || slices.Contains(f.HungAt, class) || slices.Contains(f.HungAt, method)
	})
	if on.Slow > 0 {
		t := time.NewTimer(on.Slow)
		defer t.Stop()
		<-t.C
		on = o.current()
	}
	switch {
	case on.Disconnected:
		return on, wmiquery.ErrUnavailable
	case slices.Contains(on.ClassMissing, class):
		return on, fmt.Errorf("class %s: %w", class, wmiquery.ErrUnsupported)
	}
	return on, nil
}
