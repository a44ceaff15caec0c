package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([\w./-]*)(?:#([\w.-]+))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	// notInAnchor matches what the anchor of a heading does not have.
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// The links between the documents lead to files and headings that exist.
func TestLinksLeadToHeadings(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "../*.md", "../dashboards/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	links := 0
	for _, file := range files {
		for _, m := range link.FindAllStringSubmatch(readText(t, file), -1) {
			target := file
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(file), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if m[2] == "" || filepath.Ext(target) != ".md" {
				continue
			}
			links++
			if !slices.Contains(anchors(readText(t, target)), m[2]) {
				t.Errorf("%s: %s has no heading %s", file, target, m[2])
			}
		}
	}
	if links < 100 {
		t.Errorf("%d links lead to a heading, want 100 or more", links)
	}
}

// anchors returns the anchors of the headings of a document.
func anchors(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
