package simulator

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// faultGate holds the active faults and blocks reads and calls while a fault demands it.
type faultGate struct {
	mu      sync.Mutex
	faults  Faults
	changed chan struct{} // closed when the faults are replaced
}

func newFaultGate(f Faults) *faultGate {
	return &faultGate{faults: f, changed: make(chan struct{})}
}

func (g *faultGate) current() Faults {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faults
}

func (g *faultGate) replace(f Faults) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = f
	close(g.changed)
	g.changed = make(chan struct{})
}

// waitWhile blocks while hangs returns true for the active faults. It returns the faults that are active
// afterwards.
func (g *faultGate) waitWhile(hangs func(Faults) bool) Faults {
	for {
		g.mu.Lock()
		active, changed := g.faults, g.changed
		g.mu.Unlock()
		if !hangs(active) {
			return active
		}
		<-changed
	}
}

// pass applies the faults that delay or fail a read or a call before it reaches the host. method is ""
// for a read. It returns the faults that are active when the delay is over.
func (g *faultGate) pass(class, method string) (Faults, error) {
	active := g.waitWhile(func(f Faults) bool {
		return f.Hung || slices.Contains(f.HungAt, class) || slices.Contains(f.HungAt, method)
	})
	if active.Slow > 0 {
		t := time.NewTimer(active.Slow)
		defer t.Stop()
		<-t.C
		active = g.current()
	}
	switch {
	case active.Disconnected:
		return active, wmiquery.ErrUnavailable
	case slices.Contains(active.ClassMissing, class):
		return active, fmt.Errorf("class %s: %w", class, wmiquery.ErrUnsupported)
	}
	return active, nil
}
