package service

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Host changes Windows.
type Host interface {
	// Read returns the settings of the object of a step, nil if the object does not exist.
	Read(Step) ([]Setting, error)
	// Apply creates the object of a step, or changes its settings to those of the step.
	Apply(Step) error
	// Remove removes the object of a step. It reports whether something was kept, such as a folder with files.
	Remove(Step) (kept bool, err error)
	// Start starts the service and waits until it runs.
	Start() error
	// Stop stops the service and waits until it has stopped. A service that does not run is no error.
	Stop() error
	// State describes whether the service runs.
	State() (string, error)
}

// ErrNotInstalled reports that there is no service.
var ErrNotInstalled = errors.New("service " + Name + ": not installed; run: " + Name + " service install")

// stepError reports that the installation failed at a step. Its text says what is done and how to go on.
func stepError(steps []Step, failed int, err error) error {
	done := "nothing"
	if failed > 0 {
		var names []string
		for _, s := range steps[:failed] {
			names = append(names, s.name())
		}
		done = strings.Join(names, ", ")
	}
	return fmt.Errorf("step %d of %d, %s: %w; done: %s; correct the cause and run service install again, "+
		"which does only what is missing", failed+1, len(steps), steps[failed].name(), err, done)
}

// name returns the kind, and the object if several steps have the same kind.
func (s Step) name() string {
	if s.Kind == Group {
		return fmt.Sprintf("%s %s", s.Kind, s.Object)
	}
	return string(s.Kind)
}

// Install makes the host as the steps say, changes only what differs, and writes what it does to w.
func Install(w io.Writer, h Host, steps []Step) error {
	for i, s := range steps {
		has, err := h.Read(s)
		if err == nil {
			err = s.install(w, h, has)
		}
		if err != nil {
			return stepError(steps, i, err)
		}
	}
	return nil
}

// install does the step on a host that has the given settings.
func (s Step) install(w io.Writer, h Host, has []Setting) error {
	differences := Differences(has, s.Want)
	switch {
	case len(differences) == 0:
		s.report(w, "unchanged")
		return nil
	case s.Want == nil:
		if _, err := h.Remove(s); err != nil {
			return err
		}
		s.report(w, "removed")
		return nil
	}
	if err := h.Apply(s); err != nil {
		return err
	}
	if has == nil {
		s.report(w, "created")
		return nil
	}
	s.report(w, "changed")
	for _, d := range differences {
		fmt.Fprintf(w, "    %s\n", d)
	}
	return nil
}

// Uninstall stops the service and removes what the steps install, last step first. A step that fails does not keep the
// others from being done.
func Uninstall(w io.Writer, h Host, steps []Step) error {
	if err := h.Stop(); err != nil && !errors.Is(err, ErrNotInstalled) {
		return fmt.Errorf("%w; nothing is removed", err)
	}
	var failures []error
	for _, s := range slices.Backward(steps) {
		if s.Uninstall == nil {
			continue
		}
		outcome, err := s.uninstall(h)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.name(), err))
			outcome = "failed"
		}
		s.report(w, outcome)
	}
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("%w; correct the cause and run service uninstall again, which does only what is missing",
		errors.Join(failures...))
}

// uninstall removes the object of the step.
func (s Step) uninstall(h Host) (outcome string, err error) {
	has, err := h.Read(s)
	if has == nil || err != nil {
		return "already absent", err
	}
	kept, err := h.Remove(s)
	if kept {
		return "kept, it has files such as the audit log; only administrators can read it", err
	}
	return "removed", err
}

// report writes a line about a step.
func (s Step) report(w io.Writer, outcome string) {
	fmt.Fprintf(w, "%-14s %s: %s\n", s.Kind, s.Object, outcome)
}

// Difference is a setting that is not as it should be.
type Difference struct {
	Name      string
	Has, Want string // "" if there is no such setting
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: %s, was %s", d.Name, orNone(d.Want), orNone(d.Has))
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// Differences returns the settings that differ. Upper and lower case are the same to Windows in names of accounts and
// files.
func Differences(has, want []Setting) []Difference {
	var all []Difference
	for _, w := range want {
		h := valueOf(has, w.Name)
		if !strings.EqualFold(h, w.Value) {
			all = append(all, Difference{w.Name, h, w.Value})
		}
	}
	for _, h := range has {
		if !slices.ContainsFunc(want, func(w Setting) bool { return w.Name == h.Name }) {
			all = append(all, Difference{Name: h.Name, Has: h.Value})
		}
	}
	return all
}

// valueOf returns the value of a setting, "" if there is none.
func valueOf(settings []Setting, name string) string {
	for _, s := range settings {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

// Write writes the steps of an installation and the commands that do the same.
func Write(w io.Writer, steps []Step) {
	for i, s := range steps {
		fmt.Fprintf(w, "%d. %s %s\n   %s\n", i+1, s.Kind, s.Object, s.Purpose)
		if s.Want == nil {
			fmt.Fprintf(w, "     must not exist\n")
		}
		for _, setting := range s.Want {
			fmt.Fprintf(w, "     %s: %s\n", setting.Name, setting.Value)
		}
		writeCommands(w, s.Install)
	}
}

// WriteUninstall writes the steps of an uninstallation and the commands that do the same.
func WriteUninstall(w io.Writer, steps []Step) {
	n := 0
	for _, s := range slices.Backward(steps) {
		if s.Uninstall != nil {
			n++
			fmt.Fprintf(w, "%d. undo %s %s\n", n, s.Kind, s.Object)
			writeCommands(w, s.Uninstall)
		}
	}
}

func writeCommands(w io.Writer, commands []string) {
	for _, c := range commands {
		fmt.Fprintf(w, "   PS> %s\n", c)
	}
}
