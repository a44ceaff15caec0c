package service

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

const eventSourceKey = `SYSTEM\CurrentControlSet\Services\EventLog\Application\`

func readEventSource(_ *computer, s Step) ([]Setting, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, eventSourceKey+s.Object, registry.QUERY_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer key.Close() //nolint:errcheck // nothing can be done about it
	file, _, err := key.GetStringValue("EventMessageFile")
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return nil, err
	}
	types, _, err := key.GetIntegerValue("TypesSupported")
	if err != nil && !errors.Is(err, registry.ErrNotExist) {
		return nil, err
	}
	return []Setting{{messageFile, file}, {eventTypes, strconv.FormatUint(types, 10)}}, nil
}

func applyEventSource(c *computer, s Step) error {
	if _, err := removeEventSource(c, s); err != nil {
		return err
	}
	types, err := strconv.ParseUint(valueOf(s.Want, eventTypes), 10, 32)
	if err != nil {
		return err
	}
	return eventlog.Install(s.Object, valueOf(s.Want, messageFile), true, uint32(types))
}

func removeEventSource(_ *computer, s Step) (kept bool, err error) {
	if err := eventlog.Remove(s.Object); !errors.Is(err, registry.ErrNotExist) {
		return false, err
	}
	return false, nil
}

func readService(c *computer, _ Step) ([]Setting, error) {
	s, err := c.open()
	if errors.Is(err, ErrNotInstalled) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	buffer, err := query(func(p *byte, size uint32, needed *uint32) error {
		return windows.QueryServiceConfig(s.Handle, (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(p)), size, needed)
	})
	if err != nil {
		return nil, err
	}
	config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0]))
	start := map[uint32]string{mgr.StartAutomatic: "automatic", mgr.StartManual: "manual", mgr.StartDisabled: "disabled"}
	settings := []Setting{
		{commandLine, windows.UTF16PtrToString(config.BinaryPathName)},
		{account, windows.UTF16PtrToString(config.ServiceStartName)},
		{startType, start[config.StartType]},
		{displayName, windows.UTF16PtrToString(config.DisplayName)},
	}
	buffer, err = query(func(p *byte, size uint32, needed *uint32) error {
		return windows.QueryServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DESCRIPTION, p, size, needed)
	})
	if err != nil {
		return nil, err
	}
	text := (*windows.SERVICE_DESCRIPTION)(unsafe.Pointer(&buffer[0]))
	return append(settings, Setting{description, windows.UTF16PtrToString(text.Description)}), nil
}

// query calls a function with a buffer that is large enough.
func query(call func(p *byte, size uint32, needed *uint32) error) ([]byte, error) {
	buffer := make([]byte, 8<<10) // the maximum of these functions
	var needed uint32
	return buffer, call(&buffer[0], uint32(len(buffer)), &needed)
}

// applyService creates or changes the service. The functions of package mgr would also set what other steps have.
func applyService(c *computer, step Step) error {
	var texts [4]*uint16
	for i, name := range []string{commandLine, account, displayName, description} {
		var err error
		if texts[i], err = windows.UTF16PtrFromString(valueOf(step.Want, name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	s, err := c.open()
	switch {
	case errors.Is(err, ErrNotInstalled):
		name, err := windows.UTF16PtrFromString(step.Object)
		if err != nil {
			return err
		}
		handle, err := windows.CreateService(c.manager.Handle, name, texts[2], windows.SERVICE_ALL_ACCESS,
			windows.SERVICE_WIN32_OWN_PROCESS, mgr.StartAutomatic, mgr.ErrorNormal, texts[0], nil, nil, nil, texts[1], nil)
		if err != nil {
			return err
		}
		s = &mgr.Service{Name: step.Object, Handle: handle}
	case err != nil:
		return err
	default:
		err := windows.ChangeServiceConfig(s.Handle, windows.SERVICE_WIN32_OWN_PROCESS, mgr.StartAutomatic,
			mgr.ErrorNormal, texts[0], nil, nil, nil, texts[1], nil, texts[2])
		if err != nil {
			return errors.Join(err, s.Close())
		}
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	d := windows.SERVICE_DESCRIPTION{Description: texts[3]}
	return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DESCRIPTION, (*byte)(unsafe.Pointer(&d)))
}

func removeService(c *computer, _ Step) (kept bool, err error) {
	s, err := c.open()
	if err != nil {
		return false, err
	}
	return false, errors.Join(s.Delete(), s.Close())
}

func readRecovery(c *computer, _ Step) ([]Setting, error) {
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	list, err := s.RecoveryActions()
	if err != nil {
		return nil, err
	}
	reset, err := s.ResetPeriod()
	if err != nil {
		return nil, err
	}
	onError, err := s.RecoveryActionsOnNonCrashFailures()
	if err != nil {
		return nil, err
	}
	kinds := map[int]string{
		mgr.NoAction: "none", mgr.ComputerReboot: "reboot", mgr.ServiceRestart: "restart", mgr.RunCommand: "run",
	}
	var words []string
	for _, a := range list {
		words = append(words, kinds[a.Type], strconv.FormatInt(a.Delay.Milliseconds(), 10))
	}
	settings := []Setting{
		{actions, strings.Join(words, "/")}, {resetAfter, strconv.FormatUint(uint64(reset), 10)}, {onErrorExits, no},
	}
	if onError {
		settings[2].Value = yes
	}
	return settings, nil
}

func applyRecovery(c *computer, step Step) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	var list []mgr.RecoveryAction
	for pair := range slices.Chunk(strings.Split(valueOf(step.Want, actions), "/"), 2) {
		delay, err := strconv.Atoi(pair[1])
		if err != nil {
			return err
		}
		list = append(list, mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: time.Duration(delay) * time.Millisecond})
	}
	reset, err := strconv.ParseUint(valueOf(step.Want, resetAfter), 10, 32)
	if err != nil {
		return err
	}
	if err := s.SetRecoveryActions(list, uint32(reset)); err != nil {
		return err
	}
	return s.SetRecoveryActionsOnNonCrashFailures(valueOf(step.Want, onErrorExits) == yes)
}

func readDelayed(c *computer, _ Step) ([]Setting, error) {
	s, err := c.open()
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	buffer, err := query(func(p *byte, size uint32, needed *uint32) error {
		return windows.QueryServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, p, size, needed)
	})
	if err != nil {
		return nil, err
	}
	if (*windows.SERVICE_DELAYED_AUTO_START_INFO)(unsafe.Pointer(&buffer[0])).IsDelayedAutoStartUp != 0 {
		return []Setting{{delayed, yes}}, nil
	}
	return []Setting{{delayed, no}}, nil
}

func applyDelayed(c *computer, _ Step) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing can be done about it
	d := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 1}
	return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO,
		(*byte)(unsafe.Pointer(&d)))
}
