package service

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"
)

// The firewall is changed through its COM objects: netsh.exe prints rules in the language of Windows, so a program
// cannot compare them. The constants are NET_FW_RULE_DIR_IN, NET_FW_ACTION_ALLOW, NET_FW_IP_PROTOCOL_TCP and
// NET_FW_PROFILE2_ALL of icftypes.h.
const (
	ruleInbound     = 1
	ruleAllow       = 1
	ruleTCP         = 6
	ruleAllProfiles = 0x7fffffff
)

// errNoFile is HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND): there is no rule with the name.
const errNoFile = 0x80070002

// withRules calls f with the collection of all rules.
func withRules(f func(rules *ole.IDispatch) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const alreadyInitialized = 1 // S_FALSE
	err := ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED)
	if code, ok := errors.AsType[*ole.OleError](err); err != nil && (!ok || code.Code() != alreadyInitialized) {
		return fmt.Errorf("COM: %w", err)
	}
	defer ole.CoUninitialize()
	policy, err := create("HNetCfg.FwPolicy2")
	if err != nil {
		return err
	}
	defer policy.Release()
	property, err := oleutil.GetProperty(policy, "Rules")
	if err != nil {
		return fmt.Errorf("firewall: %w", err)
	}
	defer property.Clear()
	return f(property.ToIDispatch())
}

// create creates a COM object.
func create(name string) (*ole.IDispatch, error) {
	unknown, err := oleutil.CreateObject(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer unknown.Release()
	return unknown.QueryInterface(ole.IID_IDispatch)
}

func readRule(_ *computer, s Step) ([]Setting, error) {
	var settings []Setting
	err := withRules(func(rules *ole.IDispatch) error {
		item, err := oleutil.CallMethod(rules, "Item", s.Object)
		if failure, ok := errors.AsType[*ole.OleError](err); ok && hresult(failure) == errNoFile {
			return nil
		}
		if err != nil {
			return fmt.Errorf("firewall rule: %w", err)
		}
		defer item.Clear()
		for _, p := range []struct{ setting, property string }{
			{program, "ApplicationName"}, {ports, "LocalPorts"}, {addresses, "RemoteAddresses"},
		} {
			value, err := oleutil.GetProperty(item.ToIDispatch(), p.property)
			if err != nil {
				return fmt.Errorf("firewall rule: %s: %w", p.property, err)
			}
			text := value.ToString()
			value.Clear()
			if p.setting == addresses {
				text = sameAddresses(text, valueOf(s.Want, addresses))
			}
			settings = append(settings, Setting{p.setting, text})
		}
		return nil
	})
	return settings, err
}

// hresult returns the error of the firewall, which an automation server may report as an exception.
func hresult(err *ole.OleError) uint32 {
	if info, ok := err.SubError().(ole.EXCEPINFO); ok && info.SCODE() != 0 {
		return info.SCODE()
	}
	return uint32(err.Code())
}

// applyRule replaces the rule.
func applyRule(c *computer, s Step) error {
	if _, err := removeRule(c, s); err != nil {
		return err
	}
	return withRules(func(rules *ole.IDispatch) error {
		rule, err := create("HNetCfg.FWRule")
		if err != nil {
			return err
		}
		defer rule.Release()
		for _, p := range []struct {
			name  string
			value any
		}{
			{"Name", s.Object},
			{"Description", about},
			{"ApplicationName", valueOf(s.Want, program)},
			{"Protocol", ruleTCP}, // before the ports, which depend on it
			{"LocalPorts", valueOf(s.Want, ports)},
			{"RemoteAddresses", valueOf(s.Want, addresses)},
			{"Direction", ruleInbound},
			{"Profiles", ruleAllProfiles},
			{"Action", ruleAllow},
			{"Enabled", true},
		} {
			if _, err := oleutil.PutProperty(rule, p.name, p.value); err != nil {
				return fmt.Errorf("firewall rule: %s: %w", p.name, err)
			}
		}
		if _, err := oleutil.CallMethod(rules, "Add", rule); err != nil {
			return fmt.Errorf("firewall rule: %w", err)
		}
		return nil
	})
}

// removeRule removes the rule. The firewall does not report whether there was one.
func removeRule(_ *computer, s Step) (kept bool, err error) {
	return false, withRules(func(rules *ole.IDispatch) error {
		if _, err := oleutil.CallMethod(rules, "Remove", s.Object); err != nil {
			return fmt.Errorf("firewall rule: %w", err)
		}
		return nil
	})
}
