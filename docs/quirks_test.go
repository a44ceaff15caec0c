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

// Every quirk is covered by a test that names its number, or fidelity.md gives the reason why it is not.
func TestEveryQuirkIsCovered(t *testing.T) {
	covered := map[string]bool{}
	number := regexp.MustCompile(`\bQ(\d+)`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Both contain symbolic links, which Wine takes for directories, and no tests of this project.
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
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| Q(\d+) \|.*\| (.+) \|$`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2]
	}
	for n := range quirkCount {
		q := fmt.Sprint(n + 1)
		switch by := rows[q]; {
		case by == "":
			t.Errorf("Q%s is not on the page", q)
		case by == "tests" && !covered[q]:
			t.Errorf("Q%s is in no test", q)
		case by != "tests" && !strings.HasPrefix(by, "not needed: ") && !strings.HasPrefix(by, "unknown without a host: "):
			t.Errorf("Q%s says %q, want tests or a reason", q, by)
		case by != "tests" && covered[q]:
			t.Errorf("Q%s is in a test, and has a reason why it is in none", q)
		}
	}
	if len(rows) != quirkCount {
		t.Errorf("the page has %d quirks, want %d", len(rows), quirkCount)
	}
}
