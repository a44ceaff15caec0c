package collector

import (
	"sync"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// tables contains what several collectors look up, so that it is built once for each
// response of the host.
type tables struct {
	relationships lookup[msvm.ReplicationRelationship, relationshipTable]
	vms           lookup[msvm.ComputerSystem, vmsByID]
}

// lookup is built from the instances of a class.
type lookup[T, L any] struct {
	mu    sync.Mutex
	from  table[T]
	built L
}

// get returns what build returns for the instances t. It calls build only if they are
// not those of the last call; before is the last result.
func (l *lookup[T, L]) get(t table[T], build func(t table[T], before L) L) L {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(t.rows) == 0 || len(t.rows) != len(l.from.rows) || &t.rows[0] != &l.from.rows[0] {
		l.from, l.built = t, build(t, l.built)
	}
	return l.built
}
