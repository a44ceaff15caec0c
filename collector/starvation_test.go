package collector_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Statistics that hang for every relationship do not keep the certificates from being read, although both are method
// calls.
func TestHungStatisticsDoNotAffectCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{
			Seed: 1, VMs: 40, Now: time.Now, Faults: parseFaults(t, "hung=GetReplicationStatisticsEx"),
		})
		scrapeFor(t, r, 10*time.Minute, func(got map[string]string) {
			if got[successSeries("certificate")] != "1" {
				t.Errorf("certificate collector fails, pool %+v", r.pool.Stats())
			}
		})
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// Classes that hang, such as those of the recovery points of all VMs, do not keep others from being read.
func TestHungClassesDoNotAffectOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRig(t, simulator.Config{
			Seed: 1, VMs: 40, Now: time.Now, Faults: parseFaults(t, "hung=Msvm_VirtualSystemSettingData",
				"hung=Msvm_SnapshotOfVirtualSystem", "hung=Msvm_ConcreteJob", "hung=Msvm_ReplicationProvider"),
		})
		scrapeFor(t, r, 10*time.Minute, func(got map[string]string) {
			for _, c := range []string{"relationship", "settings", "statistics", "service", "certificate"} {
				if got[successSeries(c)] != "1" {
					t.Errorf("collector %s fails, pool %+v", c, r.pool.Stats())
				}
			}
		})
		r.world.SetFaults(simulator.Faults{})
		synctest.Wait()
	})
}

// The statistics of some relationships that hang do not keep those of the others from being read. Each
// holds two workers, so that they may be five of the twelve.
func TestHungStatisticsOfSomeRelationshipsDoNotAffectOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		instanceID := regexp.MustCompile(`[0-9A-F-]{36}\\+HVR\\+[01]`)
		hung := map[string]bool{}
		var mu sync.Mutex
		hooks := sessionHooks{call: func(s wmiquery.Session, c wmiquery.Call) (wmiquery.Reply, error) {
			if c.Method != "GetReplicationStatisticsEx" {
				return s.Call(c)
			}
			relationship := instanceID.FindString(fmt.Sprint(c.In))
			mu.Lock()
			if len(hung) < 5 {
				hung[relationship] = true
			}
			hangs := hung[relationship]
			mu.Unlock()
			if hangs {
				<-hang
			}
			return s.Call(c)
		}}
		r := newTestRigWith(t, simulator.Config{Seed: 1, VMs: 40, Scenario: "healthy", Now: time.Now}, hooks.wrap)
		scrapeFor(t, r, 10*time.Minute, func(map[string]string) {})
		fresh, all := 0, 0
		for s, v := range parseSeries(r.gather(t, scrapeTimeout)) {
			if strings.HasPrefix(s, "hyperv_replica_interval_seconds{") {
				all++
			}
			if strings.HasPrefix(s, "hyperv_replica_statistics_age_seconds{") && v == "0" {
				fresh++
			}
		}
		if fresh != all-5 || all < 40 {
			t.Errorf("%d of %d relationships have new statistics, want all but 5", fresh, all)
		}
		close(hang)
		synctest.Wait()
	})
}
