package exporter_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery/simulator"
)

var rounds = flag.Int("rounds", 8, "rounds of all faults; 44 are 12,000 scrapes")

// settledRound is the round after which nothing grows.
const settledRound = 3

// Faults that come and go leave nothing behind in the exporter or in the simulated host: after many rounds of all
// faults, the heap and the number of goroutines are those after a few rounds.
func TestFaultsThatComeAndGoLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		host, err := simulator.New(simulator.Config{Scenario: "mixed", VMs: 3, Now: func() time.Time {
			return time.Unix(soakStart, 0).Add(time.Since(begin))
		}})
		if err != nil {
			t.Fatal(err)
		}
		e, err := exporter.NewEmbedded([]string{"--collector.perf"}, host.Open, host.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		scrapes := 0
		scrape := func(n int) {
			for range n {
				ctx, cancel := context.WithTimeout(t.Context(), soakTimeout)
				r := httptest.NewRequestWithContext(ctx, "GET", "/metrics", nil)
				e.ServeHTTP(httptest.NewRecorder(), r)
				cancel()
				time.Sleep(soakInterval)
				scrapes++
			}
		}
		var heap uint64
		var goroutines int
		for round := range *rounds {
			for _, fault := range append(soakValueFaults, soakAccessFaults...) {
				faults, err := simulator.ParseFaults([]string{fault})
				if err != nil {
					t.Fatal(err)
				}
				host.SetFaults(faults)
				scrape(3)
				host.SetFaults(simulator.Faults{})
				scrape(2)
			}
			time.Sleep(time.Hour) // calls that hang have returned
			scrape(10)
			synctest.Wait()
			h, g := heapInUse(), runtime.NumGoroutine()
			t.Logf("%d scrapes: heap %d bytes, %d goroutines", scrapes, h, g)
			if round == settledRound {
				heap, goroutines = h, g
			}
			if round == *rounds-1 && (h > heap+heap/12 || g > goroutines) {
				t.Errorf("after %d scrapes: heap %d bytes, %d goroutines, want about %d and %d as after round %d",
					scrapes, h, g, heap, goroutines, settledRound)
			}
		}
	})
}

// heapInUse returns the bytes of the objects that can be reached.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
