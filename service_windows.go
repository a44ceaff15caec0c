package main

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// runAsService runs the program for the service manager until that stops it. On a
// console it does nothing.
func runAsService(args []string) (code int, isService bool) {
	if !maybeService() {
		return 0, false
	}
	s := &service{args: args, journal: console{io.Discard}}
	if l, err := eventlog.Open(programName); err == nil { // without it monitoring goes on
		defer l.Close() //nolint:errcheck // nothing can be done about it
		q := newEventQueue(l)
		defer q.close(2 * time.Second)
		s.journal = events{q}
	}
	// The name counts only where several services share a process.
	err := svc.Run(programName, s)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return 0, false
	}
	if err != nil {
		s.journal.complain(err)
		return exitRuntime, true
	}
	return s.code, true
}

// maybeService tells whether the service manager may have started the program: the
// last word has the service manager itself. Wine's services do not look like those of
// Windows, but like them they have no standard error.
func maybeService() bool {
	if is, err := svc.IsWindowsService(); err == nil && is {
		return true
	}
	stderr, err := windows.GetStdHandle(windows.STD_ERROR_HANDLE)
	return err != nil || stderr == 0
}

// service is the program as the service manager sees it.
type service struct {
	args    []string
	journal journal
	code    int
}

// Times after which the service manager may take the service for hung.
const (
	startHint = 30 * time.Second
	// Requests, calls of the admin endpoint and calls of the host have their grace
	// one after the other.
	stopHint = 3*grace + 5*time.Second
)

// Execute runs the program and keeps the service manager informed. An exit code is
// the program's own: 1 or 2, as on a console.
//
// Signals are not listened to: Windows tells services when anybody logs off, which
// Go takes for SIGTERM.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	status <- svc.Status{State: svc.StartPending, WaitHint: milliseconds(startHint)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, done := make(chan struct{}), make(chan int, 1)
	go func() {
		done <- surroundings{io.Discard, s.journal, func() { close(ready) }}.run(ctx, s.args)
	}()
	for {
		select {
		case <-ready:
			ready = nil
			if ctx.Err() == nil {
				status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: milliseconds(stopHint)}
				cancel()
			}
		case s.code = <-done:
			return s.code != exitOK, uint32(s.code)
		}
	}
}

func milliseconds(d time.Duration) uint32 { return uint32(d.Milliseconds()) }
