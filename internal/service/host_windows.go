package service

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// Open returns this computer, and a function that closes it.
func Open() (Host, func(), error) {
	if !windows.GetCurrentProcessToken().IsElevated() {
		return nil, nil, errors.New("not elevated; open Windows PowerShell with \"Run as administrator\" and run the " +
			"command again")
	}
	m, err := mgr.Connect()
	if err != nil {
		return nil, nil, fmt.Errorf("service control manager: %w", err)
	}
	return &computer{m}, func() { _ = m.Disconnect() }, nil
}

// computer is the computer that the program runs on.
type computer struct{ manager *mgr.Mgr }

// part reads, creates, changes and removes the objects of one kind.
type part struct {
	read   func(*computer, Step) ([]Setting, error)
	apply  func(*computer, Step) error
	remove func(*computer, Step) (kept bool, err error)
}

// parts returns the functions of all kinds.
func parts() map[Kind]part {
	return map[Kind]part{
		EventSource:  {readEventSource, applyEventSource, removeEventSource},
		Service:      {readService, applyService, removeService},
		Group:        {readGroup, applyGroup, removeGroup},
		DataFolder:   {readFolder, applyFolder, removeFolder},
		Recovery:     {readRecovery, applyRecovery, nil},
		DelayedStart: {readDelayed, applyDelayed, nil},
		FirewallRule: {readRule, applyRule, removeRule},
	}
}

func (c *computer) Read(s Step) ([]Setting, error)       { return parts()[s.Kind].read(c, s) }
func (c *computer) Apply(s Step) error                   { return parts()[s.Kind].apply(c, s) }
func (c *computer) Remove(s Step) (kept bool, err error) { return parts()[s.Kind].remove(c, s) }

// open opens the service. The error is ErrNotInstalled if there is none.
func (c *computer) open() (*mgr.Service, error) {
	s, err := c.manager.OpenService(Name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil, ErrNotInstalled
	}
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", Name, err)
	}
	return s, nil
}

// waitFor is how long the service may take to start or stop. The service itself asks for 30 seconds at most.
const waitFor = 40 * time.Second

// Start implements Host.
func (c *computer) Start() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return fmt.Errorf("service %s: cannot start: %w", Name, err)
	}
	status, err := await(s, svc.Running, svc.Stopped)
	switch {
	case err != nil:
		return err
	case status.State == svc.Running:
		return nil
	}
	code := status.Win32ExitCode
	if code == uint32(windows.ERROR_SERVICE_SPECIFIC_ERROR) {
		code = status.ServiceSpecificExitCode
	}
	return fmt.Errorf("service %s: ended with exit code %d; the last event in the event log Application with the "+
		"source %s has the reason", Name, code, Name)
}

// Stop implements Host.
func (c *computer) Stop() error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return fmt.Errorf("service %s: cannot stop: %w", Name, err)
	}
	_, err = await(s, svc.Stopped)
	return err
}

// await waits until the service is in one of the states.
func await(s *mgr.Service, states ...svc.State) (svc.Status, error) {
	for deadline := time.Now().Add(waitFor); ; time.Sleep(100 * time.Millisecond) {
		status, err := s.Query()
		if err != nil {
			return status, fmt.Errorf("service %s: %w", Name, err)
		}
		for _, state := range states {
			if status.State == state {
				return status, nil
			}
		}
		if time.Now().After(deadline) {
			return status, fmt.Errorf("service %s: %s after %v", Name, stateText(status.State), waitFor)
		}
	}
}

// State implements Host.
func (c *computer) State() (string, error) {
	s, err := c.open()
	if err != nil {
		return "", err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	status, err := s.Query()
	if err != nil {
		return "", fmt.Errorf("service %s: %w", Name, err)
	}
	return stateText(status.State), nil
}

func stateText(s svc.State) string {
	switch s {
	case svc.Stopped:
		return "stopped"
	case svc.StartPending:
		return "starting"
	case svc.StopPending:
		return "stopping"
	case svc.Running:
		return "running"
	}
	return fmt.Sprintf("in state %d", s)
}
