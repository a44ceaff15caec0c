//go:build prometheus

package dashboards_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// The files have one canonical format, with sorted keys and an indentation of two spaces, so that a diff shows only
// what has changed. Grafana exports another format: the test writes the canonical file and logs its path.
func TestDashboardFilesHaveCanonicalFormat(t *testing.T) {
	for _, file := range promtest.Glob(t, dashboardFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var content any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(content); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, want.Bytes()) {
			canonical := filepath.Join(os.TempDir(), filepath.Base(file))
			if err := os.WriteFile(canonical, want.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s is not in the canonical format; copy it from %s", file, canonical)
		}
	}
}

func TestDashboardsFollowConventions(t *testing.T) {
	dashboards := readDashboards(t)
	uids := map[string]bool{}
	for file, d := range dashboards {
		if uids[d.UID] || d.UID == "" {
			t.Errorf("%s: the uid %q is empty or not unique", file, d.UID)
		}
		uids[d.UID] = true
		if !strings.HasPrefix(d.Title, "Hyper-V Replica / ") || d.Description == "" || d.Editable ||
			d.SchemaVersion != 41 {
			t.Errorf("%s: title %q, description %q, editable %v, schema version %d",
				file, d.Title, d.Description, d.Editable, d.SchemaVersion)
		}
		// The dashboards link to each other by their common tag.
		tags := []string{"hyperv-replica"}
		if !slices.Equal(d.Tags, tags) || len(d.Links) != 1 || d.Links[0].Type != "dashboards" ||
			!slices.Equal(d.Links[0].Tags, tags) || !d.Links[0].IncludeVars || !d.Links[0].KeepTime {
			t.Errorf("%s: tags %q, links %+v", file, d.Tags, d.Links)
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 && a.Datasource.UID != "${datasource}" {
				t.Errorf("%s: annotation %s has the data source %q", file, a.Name, a.Datasource.UID)
			}
		}
		checkVariables(t, file, d)
		checkLayout(t, file, d)
		for _, p := range d.dataPanels() {
			checkPanel(t, file, p)
		}
	}
	for file, d := range dashboards {
		for _, p := range d.dataPanels() {
			checkLinks(t, file, p, uids)
		}
	}
}

func checkVariables(t *testing.T, file string, d dashboard) {
	t.Helper()
	variables := map[string]variable{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v
		var q struct{ Query string }
		if v.Type == "query" && (json.Unmarshal(v.Query, &q) != nil || q.Query != v.Definition) {
			t.Errorf("%s: variable %s has the definition %q and the query %s", file, v.Name, v.Definition, v.Query)
		}
		// Refresh 2 reads the values again when the time range changes: hosts come and go.
		if v.Label == "" || v.Type == "query" && (v.Refresh != 2 || v.Datasource.UID != "${datasource}") {
			t.Errorf("%s: variable %s has the label %q, refresh %d, data source %q",
				file, v.Name, v.Label, v.Refresh, v.Datasource.UID)
		}
	}
	if variables["datasource"].Type != "datasource" {
		t.Errorf("%s: no variable for the data source", file)
	}
	// All jobs means the jobs of this exporter only, since every job has the metric `up`. All hosts means those of the
	// chosen sites, even one that is down, so the names come from `up`. Recording rules have no label for the site.
	// Targets do not need that label: All sites matches its absence.
	for name, want := range map[string]variable{
		"job":      {Definition: `label_values(hyperv_replica_up, job)`},
		"site":     {Definition: `label_values(up{job=~"$job"}, site)`, AllValue: ".*"},
		"instance": {Definition: `label_values(up{job=~"$job", site=~"$site"}, instance)`},
	} {
		v := variables[name]
		if !v.Multi || !v.IncludeAll || v.AllValue != want.AllValue || v.Definition != want.Definition {
			t.Errorf("%s: variable %s: multi %v, all %v with the value %q, query %s",
				file, name, v.Multi, v.IncludeAll, v.AllValue, v.Definition)
		}
	}
}

// checkLayout checks that panels have ids and titles of their own and do not overlap.
func checkLayout(t *testing.T, file string, d dashboard) {
	t.Helper()
	ids, titles := map[int]bool{}, map[string]bool{}
	covered := map[[2]int]string{} // title of the panel at a position of the grid
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: %s: the id %d is 0 or not unique", file, p.Title, p.ID)
		}
		ids[p.ID] = true
		if titles[p.Type+p.Title] {
			t.Errorf("%s: two panels of type %s have the title %s", file, p.Type, p.Title)
		}
		titles[p.Type+p.Title] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: %s: the position %+v is outside the grid", file, p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := covered[[2]int{x, y}]; other != "" {
					t.Fatalf("%s: %s overlaps %s", file, p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
	}
}

func checkPanel(t *testing.T, file string, p panel) {
	t.Helper()
	defaults := p.FieldConfig.Defaults
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") || defaults.Unit == "" || len(p.Targets) == 0 {
		t.Errorf("%s: %s: description %q, unit %q, %d queries",
			file, p.Title, p.Description, defaults.Unit, len(p.Targets))
	}
	// A panel without data shows a sentence that says what the absence of data means.
	if n := defaults.NoValue; !strings.HasSuffix(n, ".") || strings.Count(n, " ") < 2 {
		t.Errorf("%s: %s: the text without data is %q, want a sentence", file, p.Title, n)
	}
	if !slices.Contains([]string{"timeseries", "stat", "bargauge", "table", "state-timeline"}, p.Type) {
		t.Errorf("%s: %s: unexpected type %s", file, p.Title, p.Type)
	}
	refIDs := map[string]bool{}
	for _, q := range p.Targets {
		if q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" ||
			refIDs[q.RefID] || q.Instant == q.Range {
			t.Errorf("%s: %s: query %+v", file, p.Title, q)
		}
		refIDs[q.RefID] = true
		isTable, hasLegend := p.Type == "table", q.LegendFormat != "" && q.LegendFormat != "__auto"
		if isTable != (q.Format == "table") || !isTable && !hasLegend {
			t.Errorf("%s: %s: format %q, legend %q", file, p.Title, q.Format, q.LegendFormat)
		}
	}
	if p.Type == "table" {
		checkColumnNames(t, file, p, refIDs)
	}
}

// valueColumn matches the name of the column with the values of one of several queries.
var valueColumn = regexp.MustCompile(`^Value #([A-Z])$`)

// checkColumnNames checks that transformations and overrides of a table refer to existing columns.
func checkColumnNames(t *testing.T, file string, p panel, refIDs map[string]bool) {
	t.Helper()
	columns := map[string]bool{}
	for _, tr := range p.Transformations {
		for name, newName := range tr.Options.RenameByName {
			columns[newName] = true
			if m := valueColumn.FindStringSubmatch(name); m != nil && !refIDs[m[1]] {
				t.Errorf("%s: %s: no query for the column %q", file, p.Title, name)
			}
			if tr.Options.ExcludeByName[name] {
				t.Errorf("%s: %s: the column %q is both renamed and excluded", file, p.Title, name)
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" && !columns[o.Matcher.Options] {
			t.Errorf("%s: %s: override for the missing column %q", file, p.Title, o.Matcher.Options)
		}
	}
}

var (
	dashboardPath = regexp.MustCompile(`^/d/([^/?]+)`)
	linkedField   = regexp.MustCompile(`\$\{__data\.fields\.(\w+)\}`)
)

// runbookLink is the link of the name of an alert to its section of docs/runbooks.md.
const runbookLink = "${runbooks}#${__value.text}"

// checkLinks checks that links lead to a runbook, or to existing dashboards and keep the time range and the data source,
// and that the fields in a link are columns that keep the names of the query result.
func checkLinks(t *testing.T, file string, p panel, uids map[string]bool) {
	t.Helper()
	links := slices.Clone(p.FieldConfig.Defaults.Links)
	for _, value := range p.overrides("links") {
		var more []link
		if err := json.Unmarshal(value, &more); err != nil {
			t.Errorf("%s: %s: %v", file, p.Title, err)
		}
		links = append(links, more...)
	}
	for _, l := range links {
		if l.URL == runbookLink {
			continue
		}
		m := dashboardPath.FindStringSubmatch(l.URL)
		if m == nil || !uids[m[1]] || !strings.Contains(l.URL, "${__url_time_range}") ||
			!strings.Contains(l.URL, "${datasource:queryparam}") {
			t.Errorf("%s: %s: link to %s", file, p.Title, l.URL)
		}
		for _, m := range linkedField.FindAllStringSubmatch(l.URL, -1) {
			for _, tr := range p.Transformations {
				if tr.ID == "organize" && tr.Options.RenameByName[m[1]] != m[1] {
					t.Errorf("%s: %s: the link uses the column %s, which the table does not have", file, p.Title, m[1])
				}
			}
		}
	}
}
