package service

import (
	"errors"
	"fmt"
	"io"
)

// notCompared are the settings that depend on the flags of an installation, so that only who installs knows them.
var notCompared = map[string]bool{commandLine: true}

// WriteStatus writes whether the service runs, and the settings of the objects that the steps install.
func WriteStatus(w io.Writer, h Host, steps []Step) error {
	state, err := h.State()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "service %s: %s\n", Name, state)
	for _, s := range steps {
		has, err := h.Read(s)
		switch {
		case err != nil:
			s.report(w, "cannot be read: "+err.Error())
			continue
		case has == nil:
			s.report(w, "does not exist")
			continue
		}
		fmt.Fprintf(w, "%s %s\n", s.Kind, s.Object)
		for _, setting := range has {
			fmt.Fprintf(w, "    %s: %s\n", setting.Name, setting.Value)
		}
	}
	return nil
}

// Audit returns what differs from the settings of an installation, apart from what depends on its flags: the command
// line and the firewall rule.
func Audit(h Host, steps []Step) ([]string, error) {
	if _, err := h.State(); err != nil {
		return nil, err
	}
	var all []string
	var failures []error
	for _, s := range steps {
		if s.Kind == FirewallRule {
			continue
		}
		has, err := h.Read(s)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.name(), err))
			continue
		}
		if has == nil {
			all = append(all, s.name()+": does not exist")
			continue
		}
		for _, d := range Differences(has, s.Want) {
			if !notCompared[d.Name] {
				all = append(all, fmt.Sprintf("%s: %s is %s instead of %s", s.name(), d.Name, orNone(d.Has), orNone(d.Want)))
			}
		}
	}
	return all, errors.Join(failures...)
}
