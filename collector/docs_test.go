package collector_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/collector"
)

// The documents say what the code does: what stands in them between
// <!-- begin NAME --> and <!-- end NAME --> is written by this test, with
// -update, and is compared without.
func TestDocs(t *testing.T) {
	pages := filepath.Join("..", "docs")
	given := examples(t)
	for _, c := range collector.All(collector.Options{}) {
		t.Run(c.Name, func(t *testing.T) {
			checkPage(t, filepath.Join(pages, page(c)), map[string]string{
				"facts": facts(c), "metrics": metricsTable(c.Metrics), "example": exampleOf(c, given),
			})
		})
	}
	t.Run("index", func(t *testing.T) {
		checkPage(t, filepath.Join(pages, "README.md"), map[string]string{
			"collectors": collectorsTable(""), "metrics": metricsTable(collector.ScrapeMetrics()),
		})
	})
	t.Run("readme", func(t *testing.T) {
		checkPage(t, filepath.Join("..", "README.md"), map[string]string{"collectors": collectorsTable("docs/")})
	})
}

func page(c collector.Collector) string { return "collector." + c.Name + ".md" }

// checkPage compares the generated parts of a page.
func checkPage(t *testing.T, file string, parts map[string]string) {
	t.Helper()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(before)
	for name, part := range parts {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
		head, rest, ok := strings.Cut(text, begin)
		_, tail, ended := strings.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("%s has no %s…%s", file, begin, end)
		}
		text = head + begin + part + end + tail
	}
	if *update && text != string(before) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != string(before) {
		t.Errorf("%s is not what the code gives; write it anew with -update:\n%s", file, firstDifference(text, string(before)))
	}
}

// facts are a collector's facts.
func facts(c collector.Collector) string {
	state := "on; `--no-collector." + c.Name + "` switches it off"
	if !c.Default {
		state = "off; `--collector." + c.Name + "` switches it on"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | |\n|---|---|\n| What | %s |\n| By default | %s |\n| Alone | `/metrics?collect[]=%s` |\n", c.Help, state, c.Name)
	for _, s := range c.Reads {
		what := "Reads"
		name := s.Name
		if s.Method != "" {
			what, name = "Calls", s.Name+"."+s.Method
		}
		fmt.Fprintf(&b, "| %s | `%s` in `%s`", what, name, s.Namespace)
		if lacked := s.LackedBy(); lacked != "" {
			fmt.Fprintf(&b, "; %s: not there", lacked)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func metricsTable(metrics []*collector.Metric) string {
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, strings.ToLower(m.Type.String()), labels, cell(m.Help))
	}
	return b.String()
}

// cell is text as it may stand in a table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(s) }

func collectorsTable(folder string) string {
	var b strings.Builder
	b.WriteString("| Collector | Reads | What it tells |\n|---|---|---|\n")
	for _, c := range collector.All(collector.Options{}) {
		var names []string
		for _, s := range c.Reads {
			names = append(names, "`"+cmp.Or(s.Method, s.Name)+"`")
		}
		help := cell(c.Help)
		if !c.Default {
			help = "Off by default. " + help
		}
		fmt.Fprintf(&b, "| [`%s`](%s%s) | %s | %s |\n", c.Name, folder, page(c), strings.Join(names, ", "), help)
	}
	return b.String()
}

// examples are the first series of each metric that the hosts give, by name, with
// a value above 0 if there is one.
func examples(t *testing.T) map[string]string {
	t.Helper()
	given := map[string]string{}
	for _, h := range hosts() {
		for line := range strings.Lines(h.rig(t, newClock()).gather(t, time.Minute)) {
			name := line[:strings.IndexAny(line, "{ ")]
			if before, ok := given[name]; name != "#" && (!ok || strings.HasSuffix(before, " 0\n")) {
				given[name] = line
			}
		}
	}
	return given
}

func exampleOf(c collector.Collector, given map[string]string) string {
	lines := []string{}
	for _, m := range c.Metrics {
		lines = append(lines, given[m.Name])
	}
	return "```\n" + strings.Join(lines, "") + "```\n"
}

// Each page has the same sections, and names no metric that there is not.
func TestPagesAreWhole(t *testing.T) {
	known := map[string]bool{}
	add := func(metrics []*collector.Metric) {
		for _, m := range metrics {
			known[m.Name] = true
		}
	}
	add(collector.ScrapeMetrics())
	for _, c := range collector.All(collector.Options{}) {
		add(c.Metrics)
	}
	metric := regexp.MustCompile(`\bhyperv_replica_[a-z_]+\b`)
	heading := regexp.MustCompile(`(?m)^## (.*)$`)
	var want []string
	for _, c := range collector.All(collector.Options{}) {
		want = append(want, page(c))
		text, err := os.ReadFile(filepath.Join("..", "docs", page(c)))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metric.FindAllString(string(text), -1) {
			if !known[name] {
				t.Errorf("%s names %s, which there is not", page(c), name)
			}
		}
		var sections []string
		for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
			sections = append(sections, m[1])
		}
		if !slices.Equal(sections, []string{"What the numbers mean", "Metrics", "Example", "Queries", "Alert"}) {
			t.Errorf("%s has the sections %q", page(c), sections)
		}
		if !strings.HasPrefix(string(text), "# Collector `"+c.Name+"`\n") {
			t.Errorf("%s has another title", page(c))
		}
	}
	got, err := filepath.Glob(filepath.Join("..", "docs", "collector.*.md"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	for i := range got {
		got[i] = filepath.Base(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the pages are %v, the collectors' %v", got, want)
	}
}
