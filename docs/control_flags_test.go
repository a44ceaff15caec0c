package docs_test

import (
	"bytes"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

var (
	// helpFlag matches a flag of the admin endpoint in the help, and its default or its placeholder.
	helpFlag = regexp.MustCompile(`(?m)^ +--(?:\[no-\])?(admin\.[a-z.-]*[a-z])(?:="?([^" \n]*)"?)?`)
	pageFlag = regexp.MustCompile(`--(admin\.[a-z.-]*[a-z])`)
	// limitRow matches a row of the table of limits: the defaults and the flags.
	limitRow = regexp.MustCompile("(?m)^\\| [^|]+ \\| ([\\dMB, ]+) \\| (`--admin[^|]+) \\|$")
)

// The pages about the admin endpoint describe each of its flags, and no others, and have the defaults of the limits.
func TestControlPagesDescribeFlags(t *testing.T) {
	var help bytes.Buffer
	if code := exportertest.Run(t.Context(), []string{"--help"}, &help, io.Discard); code != 0 {
		t.Fatalf("--help ends with %d", code)
	}
	defaults := map[string]string{}
	for _, m := range helpFlag.FindAllStringSubmatch(help.String(), -1) {
		defaults[m[1]] = m[2]
	}
	pages := readText(t, "control.md") + readText(t, "control-reference.md")
	described := map[string]bool{}
	for _, m := range pageFlag.FindAllStringSubmatch(pages, -1) {
		described[m[1]] = true
	}
	if got, want := slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(defaults)); !slices.Equal(got, want) {
		t.Errorf("the pages describe %q, the program has %q", got, want)
	}
	rows := limitRow.FindAllStringSubmatch(pages, -1)
	if len(rows) < 7 {
		t.Errorf("the table of limits has %d rows with a flag, want 7 or more", len(rows))
	}
	for _, m := range rows {
		var want []string
		for _, flag := range pageFlag.FindAllStringSubmatch(m[2], -1) {
			want = append(want, defaults[flag[1]])
		}
		if m[1] != strings.Join(want, ", ") {
			t.Errorf("the page has the defaults %s for %s, the program %q", m[1], m[2], want)
		}
	}
}
