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

// The parts of the documentation between <!-- begin NAME --> and <!-- end NAME --> are
// generated from the code. The test compares them, and with -update it writes them.
func TestDocs(t *testing.T) {
	pages := filepath.Join("..", "docs")
	exposed := exampleSeries(t)
	for _, c := range collector.All(collector.Options{}) {
		t.Run(c.Name, func(t *testing.T) {
			checkPage(t, filepath.Join(pages, page(c)), map[string]string{
				"facts": factsTable(c), "metrics": metricsTable(c.Metrics), "example": exampleOf(c, exposed),
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

// page returns the name of the file that documents the collector.
func page(c collector.Collector) string { return "collector." + c.Name + ".md" }

// checkPage compares the generated parts of a page, given by name, or updates them.
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
			t.Fatalf("%s: part %s not found", file, name)
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
		t.Errorf("%s differs from the code (run with -update to overwrite it):\n%s",
			file, firstDifference(text, string(before)))
	}
}

// factsTable returns the table at the top of a collector's page.
func factsTable(c collector.Collector) string {
	state := "Yes (disable it with `--no-collector." + c.Name + "`)"
	if !c.Default {
		state = "No (enable it with `--collector." + c.Name + "`)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | |\n|---|---|\n| Description | %s |\n| Enabled by default | %s |\n", c.Help, state)
	fmt.Fprintf(&b, "| Scrape it alone | `/metrics?collect[]=%s` |\n", c.Name)
	for _, s := range c.Reads {
		source, name := "Reads class", s.Name
		switch s.Method {
		case "":
		case "AssociatorsOf":
			source = "Reads associators by"
		default:
			source, name = "Calls method", s.Name+"."+s.Method
		}
		fmt.Fprintf(&b, "| %s | `%s` in `%s`", source, name, s.Namespace)
		if windows := s.MissingOn(); windows != "" {
			fmt.Fprintf(&b, " (missing on %s)", windows)
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func metricsTable(metrics []*collector.Metric) string {
	var b strings.Builder
	b.WriteString("| Metric | Type | Labels | Description |\n|---|---|---|---|\n")
	for _, m := range metrics {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, strings.ToLower(m.Type.String()), labels, cell(m.Help))
	}
	return b.String()
}

// cell escapes the text of a table cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(s) }

// collectorsTable returns the list of collectors, with links to their pages in folder.
func collectorsTable(folder string) string {
	var b strings.Builder
	b.WriteString("| Collector | Reads | Description |\n|---|---|---|\n")
	for _, c := range collector.All(collector.Options{}) {
		var names []string
		for _, s := range c.Reads {
			names = append(names, "`"+cmp.Or(s.Method, s.Name)+"`")
		}
		help := cell(c.Help)
		if !c.Default {
			help = "Disabled by default. " + help
		}
		fmt.Fprintf(&b, "| [`%s`](%s%s) | %s | %s |\n", c.Name, folder, page(c), strings.Join(names, ", "), help)
	}
	return b.String()
}

// exampleSeries returns one series per metric, by the name of the metric: the first one above 0
// that a host exposes, or the first one.
func exampleSeries(t *testing.T) map[string]string {
	t.Helper()
	exposed := map[string]string{}
	for _, h := range goldenHosts() {
		for line := range strings.Lines(h.rig(t, newFakeClock()).gather(t, time.Minute)) {
			name := line[:strings.IndexAny(line, "{ ")]
			if before, ok := exposed[name]; name != "#" && (!ok || strings.HasSuffix(before, " 0\n")) {
				exposed[name] = line
			}
		}
	}
	return exposed
}

func exampleOf(c collector.Collector, exposed map[string]string) string {
	lines := []string{}
	for _, m := range c.Metrics {
		lines = append(lines, exposed[m.Name])
	}
	return "```\n" + strings.Join(lines, "") + "```\n"
}

// All pages have the same title and sections, and name only metrics that exist.
func TestPageStructure(t *testing.T) {
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
				t.Errorf("%s: metric %s does not exist", page(c), name)
			}
		}
		var sections []string
		for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
			sections = append(sections, m[1])
		}
		if !slices.Equal(sections, []string{"Details", "Metrics", "Example metrics", "Useful queries", "Alerting example"}) {
			t.Errorf("%s: sections %q", page(c), sections)
		}
		if !strings.HasPrefix(string(text), "# Collector `"+c.Name+"`\n") {
			t.Errorf("%s: title is not that of the collector", page(c))
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
		t.Errorf("pages %v, want %v", got, want)
	}
}
