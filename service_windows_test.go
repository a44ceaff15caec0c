package main

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows/svc"
)

// managed is a service with a test for its service manager.
type managed struct {
	*testing.T
	requests chan svc.ChangeRequest
	status   chan svc.Status
	ended    chan [2]uint32 // 1 if the exit code is the service's own; the code
}

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

// want waits for a status.
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
	stopping = svc.Status{State: svc.StopPending, WaitHint: 20_000}
)

// The service manager hears of each state, and gets the exit code.
func TestService(t *testing.T) {
	for _, cmd := range []svc.Cmd{svc.Stop, svc.Shutdown} {
		fake := &fakeEventLog{}
		m := manage(t, &service{args: []string{"--source=simulator", "--web.listen-address=127.0.0.1:0"}, journal: events{fake}})
		m.want(starting)
		m.want(running)
		m.requests <- svc.ChangeRequest{Cmd: svc.Interrogate, CurrentStatus: running}
		m.want(running)
		m.requests <- svc.ChangeRequest{Cmd: cmd, CurrentStatus: running}
		m.want(stopping)
		select {
		case end := <-m.ended:
			if end != [2]uint32{0, exitOK} {
				t.Errorf("ended with %v", end)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it does not end")
		}
		if got := fake.all(); !slices.Contains(got, "info 1 level=info msg=stopped") {
			t.Errorf("the events are:\n%s", strings.Join(got, "\n"))
		}
	}
}

// A service that cannot start never says that it runs.
func TestServiceFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for arg, want := range map[string]uint32{
		"--nonsense": exitUsage,
		"--web.listen-address=" + taken.Addr().String(): exitRuntime,
	} {
		fake := &fakeEventLog{}
		m := manage(t, &service{args: []string{"--source=simulator", arg}, journal: events{fake}})
		m.want(starting)
		select {
		case end := <-m.ended:
			if got := fake.all(); end != [2]uint32{1, want} || !strings.HasPrefix(got[len(got)-1], "error ") {
				t.Errorf("%s: ended with %v, want code %d, events:\n%s", arg, end, want, strings.Join(got, "\n"))
			}
		case s := <-m.status:
			t.Errorf("%s: status %+v", arg, s)
		}
	}
}
