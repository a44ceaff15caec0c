package wmiquery_test

import (
	"flag"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"hyperv_replica_exporter/internal/wine/fakewmi"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

var growthRounds = flag.Int("rounds", 80, "rounds of all faults; 500 are 10,000 scrapes")

// Faults of WMI that come and go leave nothing behind: after a lost connection, a worker opens a new session, and
// nothing of the last one remains.
func TestCOMFaultsThatComeAndGoLeaveNothing(t *testing.T) {
	var fault atomic.Uint32 // an HRESULT, or 0
	direct, _ := openSessions(t, &fakewmi.Host{Before: func(operation, _ string) error {
		if code := fault.Load(); code != 0 && operation != "property" {
			return &fakewmi.Exception{SCode: code, Description: "Description by Windows"}
		}
		return nil
	}})
	call := statisticsCall(t, direct)
	pool := wmiquery.NewPool(wmiquery.PoolOptions{
		Open: wmiquery.OpenCOM, Now: time.Now, Workers: 2, StuckAfter: time.Minute, MaxStuck: 1,
	})
	defer pool.Close()
	failed := 0
	scrape := func(n int) {
		for range n {
			var rows []msvm.ReplicationService
			if err := pool.Read(t.Context(), &rows); err != nil {
				failed++
			}
			if _, err := pool.Get(t.Context(), call); err != nil {
				failed++
			}
		}
	}
	// Access denied, no such class, a server that is not available, a disconnected object, out of memory.
	faults := []uint32{0x80041003, 0x80041010, 0x800706BA, 0x80010108, 0x8007000E}
	round := func() {
		for _, code := range faults {
			fault.Store(code)
			scrape(2)
			fault.Store(0)
			scrape(2)
		}
	}
	rounds := func(n int) (objects, handles, goroutines int, memory uint64) {
		for range n {
			round()
		}
		return fakewmi.Live(), handleCount(t), runtime.NumGoroutine(), workingSet(t)
	}
	objects, handles, goroutines, memory := rounds(*growthRounds / 4)
	failed = 0
	o, h, g, m := rounds(*growthRounds)
	if want := *growthRounds * len(faults) * 2 * 2; failed != want {
		t.Errorf("%d requests failed, want %d", failed, want)
	}
	if o != objects || h > handles+5 || g > goroutines || m > memory+8<<20 {
		t.Errorf("%d COM objects, %d handles, %d goroutines and %d bytes after %d rounds, want about %d, %d, %d and %d",
			o, h, g, m, *growthRounds, objects, handles, goroutines, memory)
	}
	t.Logf("%d COM objects, %d handles, %d goroutines, %d bytes; before %d, %d, %d, %d",
		o, h, g, m, objects, handles, goroutines, memory)
}

// handleCount returns the number of open handles of this process. GetProcessHandleCount of Wine 8 returns 0.
func handleCount(t *testing.T) int {
	t.Helper()
	buffer := make([]byte, 1<<20)
	start := unsafe.Pointer(&buffer[0])
	err := windows.NtQuerySystemInformation(windows.SystemProcessInformation, start, uint32(len(buffer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for offset := uint32(0); ; {
		process := (*windows.SYSTEM_PROCESS_INFORMATION)(unsafe.Pointer(&buffer[offset]))
		if process.UniqueProcessID == uintptr(windows.GetCurrentProcessId()) && process.HandleCount > 0 {
			return int(process.HandleCount)
		}
		if process.NextEntryOffset == 0 {
			t.Fatal("no number of handles of this process")
		}
		offset += process.NextEntryOffset
	}
}
