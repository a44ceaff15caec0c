// Package winsvc runs the program as a Windows service.
package winsvc

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	winlog "golang.org/x/sys/windows/svc/eventlog"

	"hyperv_replica_exporter/internal/eventlog"
	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/logging"
)

// Run runs the program under the service control manager until it is stopped, and returns its exit code. It reports
// that the program is not a service, and does nothing, if the program was started in another way.
func Run(args []string) (code int, isService bool) {
	if !maybeService() {
		return 0, false
	}
	s := &service{args: args, output: logging.Console{Program: exporter.Name, Stderr: io.Discard}}
	if l, err := winlog.Open(exporter.Name); err == nil { // without an event log the exporter runs all the same
		defer l.Close() //nolint:errcheck // nothing can be done about it
		q := eventlog.NewQueue(l)
		defer q.Close(2 * time.Second)
		s.output = eventlog.Output{Log: q}
	}
	// The name only matters when several services share a process.
	err := svc.Run(exporter.Name, s)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return 0, false
	}
	if err != nil {
		s.output.Fatal(err)
		return exporter.ExitRuntime, true
	}
	return s.code, true
}

// maybeService reports whether the service control manager may have started the program; only connecting to it tells
// for certain. Services under Wine do not look like services of Windows, but neither has a standard error.
func maybeService() bool {
	if is, err := svc.IsWindowsService(); err == nil && is {
		return true
	}
	stderr, err := windows.GetStdHandle(windows.STD_ERROR_HANDLE)
	return err != nil || stderr == 0
}

// service implements svc.Handler.
type service struct {
	args   []string
	output logging.Output
	code   int
}

// Wait hints: how long the service control manager waits before it considers the service hung.
const (
	startHint = 30 * time.Second
	stopHint  = exporter.ShutdownTimeout + 5*time.Second
)

// Execute implements svc.Handler. An exit code other than 0 is specific to the service: 1 or 2, as on a console.
//
// The program does not handle signals here: Windows notifies services of every logoff, which Go reports as SIGTERM.
func (s *service) Execute(
	_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status,
) (specific bool, code uint32) {
	status <- svc.Status{State: svc.StartPending, WaitHint: milliseconds(startHint)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, done := make(chan struct{}), make(chan int, 1)
	go func() {
		done <- exporter.Run(ctx, s.args, exporter.Environment{
			Stdout: io.Discard, DefaultConfigFile: exporter.DefaultConfigFile(), Output: s.output,
			Ready: func() { close(ready) },
		})
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
			return s.code != exporter.ExitOK, uint32(s.code)
		}
	}
}

func milliseconds(d time.Duration) uint32 { return uint32(d.Milliseconds()) }
