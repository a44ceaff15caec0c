package admin

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hyperv_replica_exporter/admin/internal/store"
)

const bucketMaintenance = "maintenance"

// maintenanceBucket returns the bucket of maintenance.
func maintenanceBucket() store.Bucket {
	return store.Bucket{
		Name: bucketMaintenance, New: func() any { return new(maintenance) }, Expired: expiredMaintenance,
	}
}

// end returns the time at which maintenance ends or has ended.
func (m *maintenance) end() time.Time {
	if m.Ended != nil {
		return *m.Ended
	}
	return m.Until
}

// expiredMaintenance returns the keys of maintenance that ended too long ago, and of that which is too much.
func expiredMaintenance(values []store.Value, now time.Time) (keys []string) {
	end := func(v store.Value) time.Time { return v.Value.(*maintenance).end() }
	latestFirst := slices.SortedStableFunc(slices.Values(values), func(a, b store.Value) int {
		return end(b).Compare(end(a))
	})
	for i, v := range latestFirst {
		if age := now.Sub(end(v)); age > keepMaintenance || age >= 0 && i >= maxKeptMaintenance {
			keys = append(keys, v.Key)
		}
	}
	return keys
}

// maintenanceStore stores the announced maintenance. What is active is also in memory, for the metrics.
type maintenanceStore struct {
	store *store.Store
	now   func() time.Time

	mu sync.Mutex
	// current is the maintenance that was not ended early and is not over, or has not been for long. If the clock goes
	// back, it is active again.
	current map[string]maintenance
}

// newMaintenanceStore returns a store with the maintenance that is stored.
func newMaintenanceStore(stored *store.Store, now func() time.Time) (*maintenanceStore, error) {
	s := &maintenanceStore{store: stored, now: now, current: map[string]maintenance{}}
	all, err := store.All[maintenance](stored, bucketMaintenance)
	for _, m := range all {
		if m.Ended == nil {
			s.current[m.ID] = m
		}
	}
	s.forget()
	return s, err
}

// put stores maintenance.
func (s *maintenanceStore) put(m maintenance) error {
	if err := s.store.Put(bucketMaintenance, m.ID, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Ended == nil {
		s.current[m.ID] = m
	} else {
		delete(s.current, m.ID)
	}
	return nil
}

// forget deletes from memory what has been over for an hour.
func (s *maintenanceStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.current, func(_ string, m maintenance) bool { return s.now().Sub(m.Until) > time.Hour })
}

// newest calls visit with the maintenance, the newest first, until visit returns false. With before, it starts after
// that ID.
func (s *maintenanceStore) newest(before string, visit func(maintenance) bool) error {
	now := s.now()
	return store.Backward(s.store, bucketMaintenance, before, func(m maintenance) bool {
		m.Active = m.Ended == nil && now.Before(m.Until)
		return visit(m)
	})
}

// active returns the active maintenance, the newest first.
func (s *maintenanceStore) active() (all []maintenance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, m := range s.current {
		if now.Before(m.Until) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b maintenance) int {
		return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// collect sends the metric of active maintenance. There is always a sample for the host, but only samples for VMs with
// active maintenance.
func (s *maintenanceStore) collect(ch chan<- prometheus.Metric, desc *prometheus.Desc) {
	host, seen := 0.0, map[string]bool{}
	for _, m := range s.active() {
		switch {
		case m.Scope == scopeHost:
			host = 1
		case !seen[m.VMID]: // the name is that of the newest announcement
			seen[m.VMID] = true
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1, string(scopeVM), m.VM, m.VMID)
		}
	}
	ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, host, string(scopeHost), "", "")
}
