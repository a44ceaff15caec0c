package admin

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
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

// actionTable returns the table of actions.
func actionTable() string {
	var b strings.Builder
	b.WriteString("| Action | Does | Destroys | Role | Calls | Parameters |\n|---|---|---|---|---|---|\n")
	for _, a := range operation.Actions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | `%s` | %s |\n", a.Name, a.Summary(), a.Destroys(nil), a.Role,
			a.Definition().Name, code(a.Parameters))
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
