package docs_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/doctor"
)

// The command doctor answers the questions that have a key in fidelity.md, in the same order, and no others.
func TestDoctorAnswersOpenQuestions(t *testing.T) {
	page, err := os.ReadFile("fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## Open questions\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| .+\\? \\| .+\\. \\|\r?$").FindAllStringSubmatch(section, -1) {
		documented = append(documented, m[1])
	}
	if got := doctor.Questions(); !slices.Equal(got, documented) || len(got) < 10 {
		t.Errorf("the command answers\n%q\nfidelity.md has\n%q", got, documented)
	}
}
