package winsvc

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows/svc"

	"hyperv_replica_exporter/internal/eventlog"
	"hyperv_replica_exporter/internal/eventlog/eventlogtest"
	"hyperv_replica_exporter/internal/exporter"
)

// managed is a service whose service control manager is the test.
type managed struct {
	*testing.T
	requests chan svc.ChangeRequest
	status   chan svc.Status
	ended    chan [2]uint32 // 1 if the exit code is specific to the service, and the exit code
}

// manage starts a service.
func manage(t *testing.T, s *service) *managed {
	m := &managed{t, make(chan svc.ChangeRequest), make(chan svc.Status), make(chan [2]uint32, 1)}
	go func() {
		specific, code := s.Execute([]string{"any name"}, m.requests, m.status)
		own := uint32(0)
		if specific {
			own = 1
		}
		m.ended <- [2]uint32{own, code}
	}()
	return m
}

// want waits for the next status, which must be want.
func (m *managed) want(want svc.Status) {
	m.Helper()
	select {
	case got := <-m.status:
		if got != want {
			m.Errorf("status %+v, want %+v", got, want)
		}
	case <-time.After(20 * time.Second):
		m.Fatalf("no status, want %+v", want)
	}
}

var (
	starting = svc.Status{State: svc.StartPending, WaitHint: 30_000}
	running  = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	stopping = svc.Status{State: svc.StopPending, WaitHint: 9_000}
)

// The service reports each of its states, and its exit code.
func TestServiceReportsStates(t *testing.T) {
	for _, cmd := range []svc.Cmd{svc.Stop, svc.Shutdown} {
		var events eventlogtest.Recorder
		args := []string{"--source=simulator", "--web.listen-address=127.0.0.1:0"}
		m := manage(t, &service{args: args, output: eventlog.Output{Log: &events}})
		m.want(starting)
		m.want(running)
		m.requests <- svc.ChangeRequest{Cmd: svc.Interrogate, CurrentStatus: running}
		m.want(running)
		m.requests <- svc.ChangeRequest{Cmd: cmd, CurrentStatus: running}
		m.want(stopping)
		select {
		case end := <-m.ended:
			if end != [2]uint32{0, exporter.ExitOK} {
				t.Errorf("exit code %v, want 0", end)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the service does not stop")
		}
		if got := events.Events(); !slices.Contains(got, "info 1 level=info msg=stopped") {
			t.Errorf("no event says that the program has stopped:\n%s", strings.Join(got, "\n"))
		}
	}
}

// A service that cannot start never reports that it is running.
func TestServiceThatCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for arg, want := range map[string]uint32{
		"--nonsense": exporter.ExitUsage,
		"--web.listen-address=" + taken.Addr().String(): exporter.ExitRuntime,
	} {
		var events eventlogtest.Recorder
		m := manage(t, &service{args: []string{"--source=simulator", arg}, output: eventlog.Output{Log: &events}})
		m.want(starting)
		select {
		case end := <-m.ended:
			if got := events.Events(); end != [2]uint32{1, want} || !strings.HasPrefix(got[len(got)-1], "error ") {
				t.Errorf("%s: exit code %v, want %d, events:\n%s", arg, end, want, strings.Join(got, "\n"))
			}
		case s := <-m.status:
			t.Errorf("%s: unexpected status %+v", arg, s)
		}
	}
}
