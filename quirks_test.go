package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quirks is how many docs/fidelity.md has.
const quirks = 74

// Every quirk is shown by a test that has its number, or has a reason on its page
// why there is none.
func TestEveryQuirkIsShown(t *testing.T) {
	shown := map[string]bool{}
	number := regexp.MustCompile(`\bQ(\d+)`)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Both have links in them, which Wine takes for folders, and no tests of this project.
		if d.IsDir() && (path == ".tools" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") || path == "quirks_test.go" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range number.FindAllStringSubmatch(string(text), -1) {
			shown[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| Q(\d+) \|.*\| (.+) \|$`).FindAllStringSubmatch(string(page), -1) {
		rows[m[1]] = m[2]
	}
	for n := range quirks {
		q := fmt.Sprint(n + 1)
		switch by := rows[q]; {
		case by == "":
			t.Errorf("Q%s is not on the page", q)
		case by == "tests" && !shown[q]:
			t.Errorf("Q%s is in no test", q)
		case by != "tests" && !strings.HasPrefix(by, "not needed: ") && !strings.HasPrefix(by, "unknown without a host: "):
			t.Errorf("Q%s says %q, want tests or a reason", q, by)
		case by != "tests" && shown[q]:
			t.Errorf("Q%s is in a test, and has a reason why it is in none", q)
		}
	}
	if len(rows) != quirks {
		t.Errorf("the page has %d quirks, want %d", len(rows), quirks)
	}
}
