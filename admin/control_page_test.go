package admin

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The pages about the endpoint: the guide with the runbooks, and the reference.
const (
	controlPage   = "../docs/control.md"
	referencePage = "../docs/control-reference.md"
)

// readPage returns the text of a page.
func readPage(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replaceBetween replaces the text between two markers of a page. It returns "" if the page does not have them.
func replaceBetween(page, name, text string) string {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		return ""
	}
	return page[:i+len(begin)] + text + page[j:]
}

// The generated tables on the pages match the code.
func TestControlPages(t *testing.T) {
	for _, table := range []struct{ file, name, text string }{
		{controlPage, "actions", actionTable()},
		{referencePage, "calls", callTable()},
		{referencePage, "problems", problemTable()},
	} {
		page := readPage(t, table.file)
		want := replaceBetween(page, table.name, table.text)
		if *update && want != "" {
			if err := os.WriteFile(table.file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			page = want
		}
		if page != want {
			t.Errorf("%s: the table of %s does not match the code; go test ./admin -run TestControlPages -update writes it",
				table.file, table.name)
		}
	}
}

// The guide names the actions whose confirmation needs max_data_loss_seconds.
func TestControlPageSaysWhatNeedsMaxDataLoss(t *testing.T) {
	var names []string
	for _, a := range operation.Actions() {
		request, _ := msvm.FindStateRequest(msvm.ReplicationState(a.State))
		if m := a.Definition(); m.LosesUnsent || m.RequestsState() && request.LosesUnsent {
			names = append(names, a.Name)
		}
	}
	if want := "It is required for " + code(names) + ". |"; !strings.Contains(readPage(t, controlPage), want) {
		t.Errorf("the page does not have %q", want)
	}
}

// actionTable returns the table of actions.
func actionTable() string {
	var b strings.Builder
	b.WriteString("| Action | Does | Needs | Destroys | Role |\n|---|---|---|---|---|\n")
	for _, a := range operation.Actions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", a.Name, a.Summary(), needs(a), a.Destroys(nil), a.Role)
	}
	return b.String()
}

// powerNames returns the names of power states, as code.
func powerNames(states []msvm.PowerState) []string {
	var names []string
	for _, s := range states {
		names = append(names, "`"+string(s)+"`")
	}
	return names
}

// needs returns what an action needs: a side of the replication, a VM that is off, and a state.
func needs(a operation.Action) string {
	m := a.Definition()
	modes, off := m.Modes, m.RequiresOff
	statesIn := func(msvm.ReplicationMode) []msvm.ReplicationState { return m.States }
	if request, ok := msvm.FindStateRequest(msvm.ReplicationState(a.State)); ok && m.RequestsState() {
		modes, off, statesIn = request.Modes, request.RequiresOff, request.StatesIn
	}
	all := []string{}
	if side := sideOf(modes); side != "" {
		all = append(all, side)
	}
	if off {
		all = append(all, "VM off")
	}
	if request, ok := msvm.FindPowerRequest(msvm.EnabledState(a.State)); ok && m.RequestsPower() {
		all = append(all, "VM "+strings.Join(powerNames(request.Power), " or "))
	}
	if m.Name == msvm.MethodInitiateShutdown {
		all = append(all, "VM `on`")
	}
	var states []string
	for _, mode := range modes {
		for _, s := range statesIn(mode) {
			if name := s.String(); !slices.Contains(states, name) {
				states = append(states, name)
			}
		}
	}
	if len(states) > 0 && len(states) < len(msvm.ReplicationStates())-1 { // that it replicates goes without saying
		all = append(all, "state "+strings.ReplaceAll(code(states), ", ", " or "))
	}
	return strings.Join(all, "; ")
}

// sideOf returns the side of the replication with these modes of a VM, "" for both sides.
func sideOf(modes []msvm.ReplicationMode) string {
	switch fmt.Sprint(modes) {
	case "[primary replica]": // a replica VM sends on its extended relationship
		return "sending side"
	case "[replica extended_replica]":
		return "replica VM"
	case "[replica]":
		return "replica VM that is extended"
	case "[test_replica]":
		return "test VM"
	}
	return ""
}

// callTable returns the table of the methods that actions call.
func callTable() string {
	var b strings.Builder
	b.WriteString("| Action | Calls | Parameters |\n|---|---|---|\n")
	for _, a := range operation.Actions() {
		call := a.Definition().Name
		if a.Definition().RequestsState() {
			call = fmt.Sprintf("%s` with `RequestedState` %d (`%s", call, a.State, msvm.ReplicationState(a.State))
			fmt.Fprintf(&b, "| `%s` | `%s`) | %s |\n", a.Name, call, code(a.Parameters))
			continue
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", a.Name, call, code(a.Parameters))
	}
	return b.String()
}

// problemTable returns the table of problem types.
func problemTable() string {
	var b strings.Builder
	b.WriteString("| Type | Status | |\n|---|---|---|\n")
	for _, k := range problem.Types() {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", k.URI(), k.Status, k.Title)
	}
	return b.String()
}

// code returns names as code, separated by commas.
func code(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = "`" + n + "`"
	}
	return strings.Join(all, ", ")
}
