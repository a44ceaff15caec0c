package admin

import (
	"context"
	"maps"
	"sync"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// vmChanges number the changes of VMs that this program sees: in the reads of requests, and by its own actions. A
// confirmation token is bound to the number of its VM, so that it is invalid after a change, even if the VM has gone
// back to its old state.
type vmChanges struct {
	mu   sync.Mutex
	last uint64              // number of the last change of any VM
	vms  map[string]vmChange // the last change of each VM, by GUID
}

// vmChange is a change of a VM, and its state since then.
type vmChange struct {
	number uint64
	state  string
}

func newVMChanges() *vmChanges { return &vmChanges{vms: map[string]vmChange{}} }

// observe compares the states of all VMs with those that were seen last. A VM that disappears and returns has changed.
func (c *vmChanges) observe(states map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for vm, state := range states {
		if seen, ok := c.vms[vm]; !ok || seen.state != state {
			c.last++
			c.vms[vm] = vmChange{c.last, state}
		}
	}
	maps.DeleteFunc(c.vms, func(vm string, _ vmChange) bool { _, ok := states[vm]; return !ok })
}

// add counts an action as a change of its VMs. Empty GUIDs are ignored.
func (c *vmChanges) add(vms ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	for _, vm := range vms {
		if seen, ok := c.vms[vm]; ok {
			c.vms[vm] = vmChange{c.last, seen.state}
		}
	}
}

// number returns the number of the last change of a VM, 0 if the host does not have the VM.
func (c *vmChanges) number(vm string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.vms[vm].number
}

// readSnapshot reads the state of the host and notes what has changed.
func (s *Server) readSnapshot(ctx context.Context) (*operation.Snapshot, *problem.Problem) {
	snapshot, p := operation.ReadSnapshot(ctx, s.options.Reader)
	if p == nil {
		s.changes.observe(snapshot.VMStates())
		snapshot.SetStartedTests(s.jobs.TestVMs)
	}
	return snapshot, p
}
