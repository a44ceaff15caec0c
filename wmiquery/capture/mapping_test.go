package capture

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
)

// A value with a tab, a quotation mark or a line break does not damage the mapping file.
func TestMappingFileWithHostileNames(t *testing.T) {
	m := newMapping()
	names := []string{"tab\there", "two\nlines", `a "quoted" name`, `"`, "plain", " blank "}
	for _, name := range names {
		m.substitute(kindMachine, name, func(n int) string { return fmt.Sprint("vm", n) })
	}
	text, err := m.text()
	if err != nil || !bytes.Contains(text, []byte("machine\tplain\tvm5\n")) {
		t.Errorf("got %q, error %v", text, err)
	}
	file := newFolder(t) + "-mapping.txt"
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := originals(t, file); !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
}
