package fakewmi

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Calls come in through assembly, not through windows.NewCallback. A callback
// would run on the goroutine of a client that is written in Go, as go-ole is;
// that goroutine's stack could move, and go-ole's out variables, whose addresses
// COM was given, are on it. The assembly runs no Go: the client's thread sleeps
// in a system call, where its stack stays put, while a goroutine here answers.

// request is a call under way. It lies on the stack of the client's thread; the
// layout is the assembly's.
type request struct {
	next   *request // the one that came before
	slot   uintptr  // index into the vtable
	args   unsafe.Pointer
	result uintptr
	done   uint32
}

// word is argument i.
func (r *request) word(i int) uintptr { return *(*uintptr)(unsafe.Add(r.args, 8*i)) }

// ptr is argument i, a pointer.
func (r *request) ptr(i int) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Add(r.args, 8*i)) }

// What the assembly uses.
var (
	vtable                       [7]uintptr     // of every object
	pending                      unsafe.Pointer // *request that came last, the others behind it
	wakeByAddress, waitOnAddress uintptr
	nothing                      uint64
)

// servers is how many calls can hang at a time while others are answered.
const servers = 32

var startServers = sync.OnceFunc(func() {
	kernelbase := windows.NewLazySystemDLL("kernelbase.dll")
	wakeByAddress = kernelbase.NewProc("WakeByAddressSingle").Addr()
	waitOnAddress = kernelbase.NewProc("WaitOnAddress").Addr()
	for range servers {
		go serve()
	}
	// A thread in a system call keeps its place in Go's scheduler until the
	// runtime's monitor takes it away, and the monitor was seen to sleep for a
	// minute when nothing else was due. A timer that is due keeps it awake.
	go func() {
		for range time.Tick(5 * time.Millisecond) {
		}
	}()
})

// serve answers calls, forever.
func serve() {
	for {
		r := take()
		if r == nil {
			syscall.SyscallN(waitOnAddress, uintptr(unsafe.Pointer(&pending)), uintptr(unsafe.Pointer(&nothing)), 8, windows.INFINITE)
			continue
		}
		r.result = answer(r)
		done := &r.done
		atomic.StoreUint32(done, 1) // from here on r may be gone
		syscall.SyscallN(wakeByAddress, uintptr(unsafe.Pointer(done)))
	}
}

// taking keeps a request from leaving the list and coming back between the two
// steps of take.
var taking sync.Mutex

// take takes a request, nil if there is none.
func take() *request {
	taking.Lock()
	defer taking.Unlock()
	for {
		r := (*request)(atomic.LoadPointer(&pending))
		if r == nil || atomic.CompareAndSwapPointer(&pending, unsafe.Pointer(r), unsafe.Pointer(r.next)) {
			return r
		}
	}
}
