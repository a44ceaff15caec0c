package exporter

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	configfile "hyperv_replica_exporter/internal/config"
)

var update = flag.Bool("update", false, "write the generated documentation")

var (
	configurationPage = filepath.Join("..", "..", "docs", "configuration.md")
	exampleFile       = filepath.Join("..", "..", "docs", "config.example.yml")
)

// documentedDefault returns the default value of a flag as YAML. That of --admin.data-dir depends on the system.
func documentedDefault(name string, texts []string, repeatable bool) string {
	switch {
	case name == "admin.data-dir":
		texts = []string{`C:\ProgramData\hyperv_replica_exporter`}
	case len(texts) == 0 && !repeatable:
		texts = []string{""}
	}
	return yamlValue(texts)
}

// flagTable returns the table of all flags.
func flagTable() string {
	c := newConfig()
	b := new(strings.Builder)
	b.WriteString("| Flag, key | Default | Reloaded | Description |\n|---|---|---|---|\n")
	for _, f := range configfile.Flags(newApplication(c)) {
		help := strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(f.Help)
		fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", f.Name,
			documentedDefault(f.Name, f.Default, configfile.IsRepeatable(f.Value)),
			map[bool]string{true: "yes", false: "restart"}[c.reloadableFlags[f.Name]], help)
	}
	return b.String()
}

// exampleText returns a configuration file with all keys. A key of more than two levels has its dots.
func exampleText() string {
	b := new(strings.Builder)
	b.WriteString("# All keys of the configuration file with their defaults. Keep only those that you change:\n" +
		"# configuration.md describes them.\n")
	var sections []string
	keys := map[string][]string{} // lines by section
	for _, f := range configfile.Flags(newApplication(newConfig())) {
		section, key, nested := strings.Cut(f.Name, ".")
		if !nested {
			section, key = "", f.Name
		}
		if !slices.Contains(sections, section) {
			sections = append(sections, section)
		}
		indent := map[bool]string{true: "  ", false: ""}[nested]
		help, _, _ := strings.Cut(f.Help, ". ")
		value := documentedDefault(f.Name, f.Default, configfile.IsRepeatable(f.Value))
		keys[section] = append(keys[section],
			fmt.Sprintf("%s# %s.\n%s%s: %s\n", indent, strings.TrimSuffix(help, "."), indent, key, value))
	}
	for _, s := range sections {
		b.WriteString("\n")
		if s != "" {
			b.WriteString(s + ":\n")
		}
		b.WriteString(strings.Join(keys[s], ""))
	}
	return b.String()
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The table of configuration.md has all flags, and the example has all keys.
func TestDocumentationOfFlags(t *testing.T) {
	page := readText(t, configurationPage)
	const begin, end = "<!-- begin flags -->\n", "<!-- end flags -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("configuration.md does not have the marks of the table")
	}
	want := before + begin + flagTable() + end + after
	if *update {
		writeText(t, configurationPage, want)
		writeText(t, exampleFile, exampleText())
		page = want
	}
	if page != want {
		t.Error("the table of configuration.md is not that of the flags; run this test with -update")
	}
	if example := readText(t, exampleFile); example != exampleText() {
		t.Error("config.example.yml is not that of the flags; run this test with -update")
	}
}

// The example is a valid file with each key once, and its values are the defaults.
func TestExampleFileHasDefaults(t *testing.T) {
	c, err := parseFlags([]string{"--source=simulator", "--config.file=" + exampleFile})
	if err != nil {
		t.Fatal(err)
	}
	withoutFile, err := parseFlags([]string{"--source=simulator"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.texts) < 40 {
		t.Errorf("%d keys, want 40 or more", len(c.texts))
	}
	for name, text := range c.texts {
		if c.file.Line(name) == 0 {
			t.Errorf("no key %s", name)
		}
		if want := withoutFile.texts[name].texts; name != "admin.data-dir" && !slices.Equal(text.texts, want) {
			t.Errorf("%s: %q, want %q", name, text.texts, want)
		}
	}
}

// The examples of YAML in configuration.md are valid files.
func TestExamplesOfPage(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readText(t, configurationPage), -1)
	if len(blocks) == 0 {
		t.Fatal("configuration.md has no examples")
	}
	for _, b := range blocks {
		f, err := configfile.Parse("example", []byte(b[1]), newApplication(newConfig()))
		if err != nil {
			t.Errorf("%v in\n%s", err, b[1])
			continue
		}
		if got := f.Values("web.config.file"); !slices.Equal(got, []string{`C:\ProgramData\hyperv_replica_exporter\web.yml`}) {
			t.Errorf("web.config.file is %q", got)
		}
	}
}

// What --config.check prints is a configuration file with the same values.
func TestShownConfigurationIsValid(t *testing.T) {
	const quoted = `--rpo.objective=it's "a" # \d{2}=5m`
	c, err := parseFlags([]string{"--source=simulator", quoted, "--rpo.objective=7m", "--web.grafana-url=https://a/#b"})
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	c.show(&shown)
	f, err := configfile.Parse("shown", []byte(shown.String()), newApplication(newConfig()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, shown.String())
	}
	for name, text := range c.texts {
		if !slices.Equal(f.Values(name), text.texts) {
			t.Errorf("%s: %q, want %q", name, f.Values(name), text.texts)
		}
	}
}
