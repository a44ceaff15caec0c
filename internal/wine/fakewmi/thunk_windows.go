package fakewmi

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The entry points of the COM methods are written in assembly instead of using windows.NewCallback. A callback would
// run on the goroutine of the client if the client is written in Go. The stack of that goroutine could then move,
// although COM has the addresses of out variables of go-ole on it. The assembly code does not run Go code: the thread
// of the client waits in a system call, during which its stack does not move, and a goroutine of this package runs the
// method.

// request is a call of a method. It is on the stack of the thread of the client. The assembly code defines the layout.
type request struct {
	next   *request // the previous request in the list
	slot   uintptr  // index into the vtable
	args   unsafe.Pointer
	result uintptr
	done   uint32
}

// word returns argument i.
func (r *request) word(i int) uintptr { return *(*uintptr)(unsafe.Add(r.args, 8*i)) }

// ptr returns argument i as a pointer.
func (r *request) ptr(i int) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Add(r.args, 8*i)) }

// Variables of the assembly code.
var (
	vtable                       [7]uintptr     // of all COM objects
	pending                      unsafe.Pointer // list of requests: the last *request, linked by next
	wakeByAddress, waitOnAddress uintptr        // addresses of WakeByAddressSingle and WaitOnAddress
	zero                         uint64
)

// serverCount is the maximum number of concurrent calls. A further call waits.
const serverCount = 32

var startServing = sync.OnceFunc(func() {
	kernelbase := windows.NewLazySystemDLL("kernelbase.dll")
	wakeByAddress = kernelbase.NewProc("WakeByAddressSingle").Addr()
	waitOnAddress = kernelbase.NewProc("WaitOnAddress").Addr()
	for range serverCount {
		go serve()
	}
	// A thread in a system call keeps its place in the Go scheduler until the monitor of the runtime takes it away. The
	// monitor can sleep for up to a minute when the program is idle. A ticker keeps the monitor awake.
	go func() {
		for range time.Tick(5 * time.Millisecond) {
		}
	}()
})

// serve runs requests. It never returns.
func serve() {
	for {
		r := takeRequest()
		if r == nil {
			syscall.SyscallN(waitOnAddress,
				uintptr(unsafe.Pointer(&pending)), uintptr(unsafe.Pointer(&zero)), 8, windows.INFINITE)
			continue
		}
		r.result = dispatch(r)
		done := &r.done
		atomic.StoreUint32(done, 1) // from here on, r may no longer exist
		syscall.SyscallN(wakeByAddress, uintptr(unsafe.Pointer(done)))
	}
}

// takeMu prevents that a request leaves the list and returns to it between the two steps of takeRequest.
var takeMu sync.Mutex

// takeRequest removes a request from the list. It returns nil if the list is empty.
func takeRequest() *request {
	takeMu.Lock()
	defer takeMu.Unlock()
	for {
		r := (*request)(atomic.LoadPointer(&pending))
		if r == nil || atomic.CompareAndSwapPointer(&pending, unsafe.Pointer(r), unsafe.Pointer(r.next)) {
			return r
		}
	}
}
