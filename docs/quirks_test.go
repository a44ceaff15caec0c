package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quirkCount is the number of quirks in fidelity.md.
const quirkCount = 74

// Each quirk in fidelity.md is covered by a test whose source contains its number, such as Q12, or has a reason why it
// is not covered.
func TestEachQuirkIsCovered(t *testing.T) {
	covered := map[string]bool{} // by number
	number := regexp.MustCompile(`\bQ(\d+)`)
	reason := regexp.MustCompile(`^(not needed|unknown without a host): `)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// These contain no tests of this project, but symbolic links that Wine treats as directories.
		if d.IsDir() && (d.Name() == ".tools" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") || path == filepath.Join("..", "docs", "quirks_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range number.FindAllStringSubmatch(string(text), -1) {
			covered[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // last cell by number
	for _, m := range regexp.MustCompile(`(?m)^\| Q(\d+) \|.*\| (.+) \|$`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2]
	}
	for n := range quirkCount {
		q := fmt.Sprint(n + 1)
		switch coverage := rows[q]; {
		case coverage == "":
			t.Errorf("Q%s: no row in fidelity.md", q)
		case coverage == "tests" && !covered[q]:
			t.Errorf("Q%s: no test contains the number", q)
		case coverage != "tests" && !reason.MatchString(coverage):
			t.Errorf("Q%s: %q, want tests or a reason", q, coverage)
		case coverage != "tests" && covered[q]:
			t.Errorf("Q%s: a test contains the number, but fidelity.md has a reason why none does", q)
		}
	}
	if len(rows) != quirkCount {
		t.Errorf("fidelity.md has %d quirks, want %d", len(rows), quirkCount)
	}
}
