//go:build prometheus

package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// codeBlock matches a code block in Markdown: its language and its text.
var codeBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// Each page of a collector has at least two queries and one block of alerts, and promtool accepts them.
func TestPromtoolAcceptsDocumentedQueries(t *testing.T) {
	pages, err := filepath.Glob("collector.*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages of collectors, want at least one (error: %v)", len(pages), err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			queries := "groups:\n  - name: queries\n    rules:\n"
			blocks := map[string]int{}
			for i, m := range codeBlock.FindAllStringSubmatch(string(text), -1) {
				blocks[m[1]]++
				switch m[1] {
				case "promql": // promtool checks queries only in rules
					queries += fmt.Sprintf("      - record: query%d\n        expr: |\n          %s\n",
						i, strings.TrimSpace(m[2]))
				case "yaml":
					checkRules(t, m[2])
				}
			}
			checkRules(t, queries)
			if blocks["promql"] < 2 || blocks["yaml"] != 1 {
				t.Errorf("%d queries and %d blocks of alerts, want at least 2 and exactly 1",
					blocks["promql"], blocks["yaml"])
			}
		})
	}
}

func checkRules(t *testing.T, rules string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtest.ForEachRelease(t, func(t *testing.T, r promtest.Release) { r.RunPromtool(t, "check", "rules", file) })
	if t.Failed() {
		t.Log(rules)
	}
}
