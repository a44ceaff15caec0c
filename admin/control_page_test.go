package admin

import (
	"os"
	"strings"
	"testing"
)

// controlPage is the page with the runbooks.
const controlPage = "../docs/control.md"

// readPage returns the text of the page.
func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(controlPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// code returns names as code, separated by commas.
func code(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = "`" + n + "`"
	}
	return strings.Join(all, ", ")
}
