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

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// written is the file: a line for each verb and method, with the states in which it
// is done.
func written(t *testing.T, all []*matrix) string {
	t.Helper()
	var file strings.Builder
	file.WriteString(`What the endpoint answers to every verb and method, in every state.
go test ./admin -run TestMatrix -update writes it; whoever lets that change it has read it.

  2 3     done in these states, on this side
  2-4     done in these and all between
  2!      done in two steps: it destroys something
  2on     done while the VM is on; while it is off, not
  2off    the other way round
  x:2     refused in this state as the problem x
  else    refused as invalid-state; - is in all states
          nothing: the method is not about this relationship of the VM

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
	fmt.Fprintf(&file, "\nA VM is off, and in the states %s also on, where replication lets it.\nThe role is the least that may. Those below it are refused as forbidden in every state.\n\n", ranges(running))
	fmt.Fprintln(w, "verb or method\trole"+heads)
	needs := neededRoles(t, all)
	for _, row := range all[0].rows { // a primary is asked for all
		fmt.Fprintf(w, "%s\t%s", row, needs[row])
		for i, s := range sides {
			if s.like == "" {
				fmt.Fprint(w, "\t", all[i].shown(row, s.all()))
			}
		}
		fmt.Fprintln(w)
	}
	flush(t, w)
	for i, s := range sides {
		if s.like != "" {
			fmt.Fprintf(&file, "\nOn the side %s, when %s: what differs in %s\n", s.like, s.name, ranges(s.states))
			like := all[slices.IndexFunc(sides, func(o side) bool { return o.name == s.like })]
			for _, row := range all[i].rows {
				if got, was := all[i].shown(row, s.states), like.shown(row, s.states); got != was {
					fmt.Fprintf(w, "  %s\t%s\telse %s\n", row, got, was)
				}
			}
			flush(t, w)
		}
	}
	file.WriteString("\nOf the host:\n")
	host := all[len(all)-1]
	for _, row := range host.rows {
		answer := host.answers[row][situation{}]
		if isDone(answer) {
			answer = "done" + answer
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

// neededRoles are the least roles that may, by row.
func neededRoles(t *testing.T, all []*matrix) map[string]string {
	t.Helper()
	needed := map[string]string{}
	for _, env := range all {
		for row, refused := range env.refused {
			if len(refused) < len(roles)-1 { // on this side it is never done, and few were asked
				continue
			}
			least := slices.IndexFunc(roles, func(user string) bool { return !refused[user] })
			if was := needed[row]; was != "" && was != authz.Role(1+least).String() {
				t.Errorf("%s needs the role %s, and elsewhere %s", row, authz.Role(1+least).String(), was)
			}
			needed[row] = authz.Role(1 + least).String()
		}
	}
	return needed
}

// shown is a cell of the file: the answers of a row in some states, "" if it was
// not asked for.
func (env *matrix) shown(row string, states []msvm.ReplicationState) string {
	if env.answers[row] == nil {
		return ""
	}
	var spans []span
	for _, state := range states {
		off := env.answers[row][situation{state, false}]
		on, both := env.answers[row][situation{state, true}]
		if !both || on == off {
			spans = add(spans, state, off, "")
			continue
		}
		spans = add(add(spans, state, off, "off"), state, on, "on")
	}
	return cmp.Or(text(spans), "-")
}

// span is states in a row of which the same is said.
type span struct {
	before, after string
	from, to      msvm.ReplicationState
}

func add(spans []span, state msvm.ReplicationState, answer, power string) []span {
	s := span{after: power, from: state, to: state}
	switch answer {
	case notNow:
		return spans
	case done:
	case doneTwice:
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

func text(spans []span) string {
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

// ranges are states as the file has them.
func ranges(states []msvm.ReplicationState) string {
	var spans []span
	for _, s := range states {
		spans = add(spans, s, done, "")
	}
	return text(spans)
}
