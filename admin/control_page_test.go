package admin

import (
	"os"
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
