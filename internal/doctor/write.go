package doctor

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Write writes the report. Each row is one line.
func (r Report) Write(w io.Writer) error {
	var b strings.Builder
	writeRows(&b, "Checks", r.Checks)
	writeRows(&b, "Classes", r.Classes)
	writeRows(&b, "Open questions (docs/fidelity.md)", r.Answers)
	fmt.Fprintf(&b, "Checks: failed %d, warnings %d, ok %d, not checked %d\n",
		r.count(Failed), r.count(Warning), r.count(OK), r.count(NotChecked))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRows(b *strings.Builder, title string, rows []Row) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row.Name))
	}
	fmt.Fprintf(b, "%s\n", title)
	for _, row := range rows {
		line := fmt.Sprintf("  %-*s  %-*s  %s", len(NotChecked), row.Result, width, row.Name, cmp.Or(row.Seen, "-"))
		if row.Advice != "" {
			line += ". " + row.Advice + "."
		}
		fmt.Fprintln(b, line)
	}
	fmt.Fprintln(b)
}
