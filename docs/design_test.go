package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sourceFile matches a file or a directory of the project in backticks.
var sourceFile = regexp.MustCompile("`((?:[a-z][a-z_]*/)+(?:[A-Za-z_.]+\\.(?:go|yml|json|md|txt|sh))?|\\.golangci\\.yml|main\\.go)`")

// The files that design.md names exist.
func TestDesignNamesExistingFiles(t *testing.T) {
	text, err := os.ReadFile("design.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	for _, m := range sourceFile.FindAllStringSubmatch(string(text), -1) {
		files[m[1]] = true
	}
	if len(files) < 80 {
		t.Errorf("design.md names %d files, want 80 or more: are they still in backticks?", len(files))
	}
	for file := range files {
		if strings.Contains(file, "NAME") { // a placeholder
			continue
		}
		if _, err := os.Stat(filepath.Join("..", file)); err != nil {
			t.Errorf("design.md names %s: %v", file, err)
		}
	}
}

// The packages in the table of design.md are the packages of the project.
func TestDesignListsPackages(t *testing.T) {
	text, err := os.ReadFile("design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Packages\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	listed := map[string]bool{}
	for line := range strings.Lines(section) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.HasPrefix(line, "| `") {
			for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
				listed[m[1]] = true
			}
		}
	}
	err = filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".tools" || d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir, _ := filepath.Rel("..", filepath.Dir(path))
		for dir = filepath.ToSlash(dir); dir != "." && !listed[dir]; dir = filepath.ToSlash(filepath.Dir(dir)) {
		}
		if dir == "." && filepath.Dir(path) != ".." { // neither the package nor one above it
			t.Errorf("design.md does not list the package of %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
