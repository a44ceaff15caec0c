package simulator

import (
	"fmt"
	"slices"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// allowed are the states that Microsoft's client knows of a mode, the extended
// link of a replica apart, and 4 on that: a failover of it can be prepared.
var allowed = map[msvm.ReplicationMode][]msvm.ReplicationState{
	msvm.ModeNone:            {0},
	msvm.ModeTestReplica:     {0},
	msvm.ModePrimary:         {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 15, 16, 18, 19, 20},
	msvm.ModeReplica:         {2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 21},
	msvm.ModeExtendedReplica: {2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 21},
}

var allowedExtended = []msvm.ReplicationState{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 21}

// Invariants tells what is wrong with the world, nil if nothing is.
func (w *World) Invariants() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settleAll(w.now())
	if err := w.twoPrimaries(); err != nil {
		return err
	}
	for _, h := range w.hosts {
		for _, m := range h.machines {
			if err := m.invariants(); err != nil {
				return fmt.Errorf("%s on %s: %w", m.id, h.name, err)
			}
			running := 0
			for _, j := range h.jobs {
				if j.machine == m && j.runs(w.latest) {
					running++
				}
			}
			if running > 1 {
				return fmt.Errorf("%s on %s: %d jobs run", m.id, h.name, running)
			}
		}
	}
	return nil
}

// twoPrimaries finds a VM that two hosts replicate to each other.
func (w *World) twoPrimaries() error {
	to := map[string]bool{} // VM, from, to
	for _, h := range w.hosts {
		for _, m := range h.machines {
			if s := m.sides[msvm.Primary]; m.mode == msvm.ModePrimary && s.state == msvm.Replicating && s.link.receiver.state == msvm.Replicating {
				other := s.link.receiver.machine.host
				to[m.id+h.name+other.name] = true
				if to[m.id+other.name+h.name] {
					return fmt.Errorf("%s: %s and %s replicate to each other", m.id, h.name, other.name)
				}
			}
		}
	}
	return nil
}

func (m *machine) invariants() error {
	if m.host.byID[m.id] != m || m.test != nil && m.host.byID[m.test.id] != m.test {
		return fmt.Errorf("the host does not know it, or its test VM")
	}
	for _, as := range m.links() {
		s := m.sides[as]
		state := msvm.Disabled
		if s != nil {
			state = s.state
		}
		if as == msvm.Primary && !slices.Contains(allowed[m.mode], state) || as == msvm.Extended && !slices.Contains(allowedExtended, state) {
			return fmt.Errorf("its %s relationship is %s as %s", as, state, m.mode)
		}
		if s == nil {
			continue
		}
		if err := s.invariants(m, as); err != nil {
			return fmt.Errorf("%s relationship: %w", as, err)
		}
	}
	for _, l := range m.guest.links {
		if l.sender.state == msvm.Disabled && l.receiver.state == msvm.Disabled || l.sender.machine.sides[l.as] != &l.sender && l.receiver.machine.sides[msvm.Primary] != &l.receiver {
			return fmt.Errorf("a link that nobody has")
		}
	}
	for as := range m.sides {
		if !slices.Contains(m.links(), as) {
			return fmt.Errorf("a %s has a relationship %s", m.mode, as)
		}
	}
	if m.on && m.locked() && !m.busy() {
		return fmt.Errorf("it runs, locked")
	}
	return nil
}

func (s *side) invariants(m *machine, as msvm.Link) error {
	l := s.link
	sends := m.mode == msvm.ModePrimary || as == msvm.Extended
	planned := 0
	for i, p := range s.points {
		if p.kind == pointPlanned {
			planned++
		}
		if i > 0 && p.at < s.points[i-1].at {
			return fmt.Errorf("its recovery points are %v", s.points)
		}
	}
	a, b := l.sender.totals, l.receiver.totals
	switch {
	case s.machine != m || !slices.Contains(m.guest.links, l):
		return fmt.Errorf("the link is somebody else's")
	case s.sends() != sends:
		return fmt.Errorf("the link goes the other way")
	case s.made-s.merged != len(s.points):
		return fmt.Errorf("%d recovery points were made, %d merged, and there are %d", s.made, s.merged, len(s.points))
	case len(s.points)-planned > int(*l.settings.RecoveryHistory):
		return fmt.Errorf("%d recovery points of %d", len(s.points), *l.settings.RecoveryHistory)
	case a.Cycles != b.Cycles || a.Bytes != b.Bytes || a.Missed != b.Missed || a.Seconds != b.Seconds:
		return fmt.Errorf("the sides count %+v and %+v", a, b)
	case l.transfer != nil && (!slices.Contains(m.guest.jobs, l.transfer)):
		return fmt.Errorf("a transfer that nobody makes")
	case s.state == msvm.Resynchronizing && s.sends() && l.transfer == nil:
		return fmt.Errorf("resynchronizing, without a job")
	case s.state == msvm.FailoverInProgress && !m.busy():
		return fmt.Errorf("failing over, without a job")
	}
	return nil
}
