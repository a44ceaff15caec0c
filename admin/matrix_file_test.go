package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/wmiquery/msvm"
)

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// formatMatrix returns the file. It has a line for each action and method, with the states in which it is executed.
func formatMatrix(t *testing.T, all []*responseMatrix) string {
	t.Helper()
	var file strings.Builder
	file.WriteString(`The result of every action and method in every state.
go test ./admin -run TestResponseMatrix -update writes this file. Review every change.

  2 3     executed in the states 2 and 3
  2-4     executed in the states 2 to 4
  2!      executed after a confirmation, because it destroys something
  2on     executed only while the VM is on
  2off    executed only while the VM is off
  x:2     refused in the state 2 with the problem x
  -       refused in all states (a state that is not listed is refused with the problem invalid-state)
  (blank) the method is not about this relationship of the VM

The states:
`)
	w := tabwriter.NewWriter(&file, 0, 0, 2, ' ', 0)
	for n := range 8 {
		var line []string
		for s := n; s < len(msvm.ReplicationStates()); s += 8 {
			line = append(line, fmt.Sprintf("  %2d %s", s, msvm.ReplicationState(s)))
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	flush(t, w)
	file.WriteString("\nThe sides:\n")
	heads := ""
	for _, s := range sides {
		if s.like == "" {
			fmt.Fprintf(w, "  %s\t%s\n", s.name, s.what)
			heads += "\t" + s.name
		}
	}
	flush(t, w)
	fmt.Fprintf(&file, "\nThe VM is off. In the states %s the result with the VM on is tested, too, if replication allows to turn it on.\nThe role is the least that is required. Other roles are refused with the problem forbidden in every state.\n\n", formatStates(statesWithVMOn))
	fmt.Fprintln(w, "action or method\trole"+heads)
	needs := requiredRoles(t, all)
	for _, row := range all[0].rows { // the first side has all rows
		fmt.Fprintf(w, "%s\t%s", row, needs[row])
		for i, s := range sides {
			if s.like == "" {
				fmt.Fprint(w, "\t", all[i].formatCell(row, s.all()))
			}
		}
		fmt.Fprintln(w)
	}
	flush(t, w)
	for i, s := range sides {
		if s.like != "" {
			fmt.Fprintf(&file, "\nOn the side %s, when %s: differences in the states %s\n", s.like, s.name,
				formatStates(s.states))
			like := all[slices.IndexFunc(sides, func(o side) bool { return o.name == s.like })]
			for _, row := range all[i].rows {
				if got, was := all[i].formatCell(row, s.states), like.formatCell(row, s.states); got != was {
					fmt.Fprintf(w, "  %s\t%s\tinstead of %s\n", row, got, was)
				}
			}
			flush(t, w)
		}
	}
	file.WriteString("\nMethods about the host or a job:\n")
	host := all[len(all)-1]
	for _, row := range host.rows {
		answer := host.results[row][situation{}]
		if isExecuted(answer) {
			answer = "executed" + answer
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", row, needs[row], answer)
	}
	flush(t, w)
	return file.String()
}

func flush(t *testing.T, w *tabwriter.Writer) {
	t.Helper()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// requiredRoles returns the least role that is required, by row.
func requiredRoles(t *testing.T, all []*responseMatrix) map[string]string {
	t.Helper()
	needed := map[string]string{}
	for _, env := range all {
		for row, refused := range env.refused {
			if len(refused) < len(roleUsers)-1 { // never executed on this side, so that not all users were tested
				continue
			}
			least := slices.IndexFunc(roleUsers, func(user string) bool { return !refused[user] })
			if was := needed[row]; was != "" && was != authz.Role(1+least).String() {
				t.Errorf("%s requires the role %s, on another side %s", row, authz.Role(1+least).String(), was)
			}
			needed[row] = authz.Role(1 + least).String()
		}
	}
	return needed
}

// formatCell returns a cell of the file: the results of a row in some states. It is "" if there was no such request.
func (env *responseMatrix) formatCell(row string, states []msvm.ReplicationState) string {
	if env.results[row] == nil {
		return ""
	}
	var spans []span
	for _, state := range states {
		off := env.results[row][situation{state, false}]
		on, both := env.results[row][situation{state, true}]
		if !both || on == off {
			spans = addState(spans, state, off, "")
			continue
		}
		spans = addState(addState(spans, state, off, "off"), state, on, "on")
	}
	return cmp.Or(formatSpans(spans), "-")
}

// span is a range of states with the same result.
type span struct {
	before, after string
	from, to      msvm.ReplicationState
}

func addState(spans []span, state msvm.ReplicationState, answer, power string) []span {
	s := span{after: power, from: state, to: state}
	switch answer {
	case invalidState:
		return spans
	case executed:
	case executedConfirmed:
		s.after += "!"
	default:
		s.before = answer + ":"
	}
	if n := len(spans); n > 0 && spans[n-1] == (span{s.before, s.after, spans[n-1].from, state - 1}) {
		spans[n-1].to = state
		return spans
	}
	return append(spans, s)
}

func formatSpans(spans []span) string {
	var all []string
	for _, s := range spans {
		states := fmt.Sprint(uint16(s.from))
		if s.to > s.from {
			states += fmt.Sprintf("-%d", s.to)
		}
		all = append(all, s.before+states+s.after)
	}
	return strings.Join(all, " ")
}

// formatStates returns states as the file shows them.
func formatStates(states []msvm.ReplicationState) string {
	var spans []span
	for _, s := range states {
		spans = addState(spans, s, executed, "")
	}
	return formatSpans(spans)
}
