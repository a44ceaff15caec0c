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

	"go.yaml.in/yaml/v2"
)

// The files are written in one way only, so that a change shows what was changed:
// keys in order, two spaces. Grafana exports in another one; the error says where the
// proper file is.
func TestDashboardFormat(t *testing.T) {
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
			proper := filepath.Join(os.TempDir(), filepath.Base(file))
			if err := os.WriteFile(proper, want.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s is not in the form of these files; as it is to be: %s", file, proper)
		}
	}
}

func TestDashboards(t *testing.T) {
	uids := map[string]bool{}
	for file, d := range readDashboards(t) {
		if uids[d.UID] || d.UID == "" {
			t.Errorf("%s: the uid %q is empty or another one's, too", file, d.UID)
		}
		uids[d.UID] = true
		if !strings.HasPrefix(d.Title, "Hyper-V Replica / ") || d.Description == "" || d.Editable || d.SchemaVersion != 41 {
			t.Errorf("%s: title %q, description %q, editable %v, schema %d", file, d.Title, d.Description, d.Editable, d.SchemaVersion)
		}
		// They link to each other by their tag.
		if len(d.Links) != 1 || d.Links[0].Type != "dashboards" || !slices.Equal(d.Links[0].Tags, d.Tags) || !slices.Equal(d.Tags, []string{"hyperv-replica"}) ||
			!d.Links[0].IncludeVars || !d.Links[0].KeepTime {
			t.Errorf("%s: tags %q, links %+v", file, d.Tags, d.Links)
		}
		for _, a := range d.Annotations.List {
			if a.BuiltIn == 0 && a.Datasource.UID != "${datasource}" {
				t.Errorf("%s: the annotation %s asks %q", file, a.Name, a.Datasource.UID)
			}
		}
		checkVariables(t, file, d)
		checkLayout(t, file, d)
		for _, p := range d.queried() {
			checkPanel(t, file, p)
		}
	}
	for file, d := range readDashboards(t) {
		for _, p := range d.queried() {
			checkLinks(t, file, p, uids)
		}
	}
}

func checkVariables(t *testing.T, file string, d dashboard) {
	t.Helper()
	names := map[string]variable{}
	for _, v := range d.Templating.List {
		names[v.Name] = v
		// Hosts come and go: with each change of the time.
		var q struct{ Query string }
		if v.Type == "query" && (json.Unmarshal(v.Query, &q) != nil || q.Query != v.Definition) {
			t.Errorf("%s: the variable %s is shown as %q, and asks %s", file, v.Name, v.Definition, v.Query)
		}
		if v.Label == "" || v.Type == "query" && (v.Refresh != 2 || v.Datasource.UID != "${datasource}") {
			t.Errorf("%s: the variable %s has the label %q, refresh %d, asks %q", file, v.Name, v.Label, v.Refresh, v.Datasource.UID)
		}
	}
	if names["datasource"].Type != "datasource" {
		t.Errorf("%s has no variable for the data source", file)
	}
	// All hosts are any, even one that is down. All jobs are those of this exporter:
	// `up` is there for every other one as well.
	if job, host := names["job"], names["instance"]; !job.Multi || !job.IncludeAll || job.AllValue != "" || !host.Multi || !host.IncludeAll || host.AllValue != ".+" {
		t.Errorf("%s: job %+v, instance %+v", file, job, host)
	}
}

func checkLayout(t *testing.T, file string, d dashboard) {
	t.Helper()
	ids, titles := map[int]bool{}, map[string]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: %s has the id %d, which is none or another one's, too", file, p.Title, p.ID)
		}
		ids[p.ID] = true
		if titles[p.Type+p.Title] {
			t.Errorf("%s: two panels of type %s are called %s", file, p.Type, p.Title)
		}
		titles[p.Type+p.Title] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: %s is at %+v", file, p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s: %s lies over %s", file, p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func checkPanel(t *testing.T, file string, p panel) {
	t.Helper()
	defaults := p.FieldConfig.Defaults
	if p.Title == "" || !strings.HasSuffix(p.Description, ".") || defaults.Unit == "" || len(p.Targets) == 0 {
		t.Errorf("%s: %s: description %q, unit %q, %d queries", file, p.Title, p.Description, defaults.Unit, len(p.Targets))
	}
	// A sentence says what it means that there is nothing.
	if n := defaults.NoValue; !strings.HasSuffix(n, ".") || strings.Count(n, " ") < 2 {
		t.Errorf("%s: %s without data says %q", file, p.Title, n)
	}
	if !slices.Contains([]string{"timeseries", "stat", "bargauge", "table", "state-timeline"}, p.Type) {
		t.Errorf("%s: %s is a %s", file, p.Title, p.Type)
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" || refs[q.RefID] || q.Instant == q.Range {
			t.Errorf("%s: %s: %+v", file, p.Title, q)
		}
		refs[q.RefID] = true
		if table := p.Type == "table"; table != (q.Format == "table") || !table && (q.LegendFormat == "" || q.LegendFormat == "__auto") {
			t.Errorf("%s: %s: format %q, legend %q", file, p.Title, q.Format, q.LegendFormat)
		}
	}
	if p.Type == "table" {
		checkColumns(t, file, p, refs)
	}
}

// refValue is the column with the values of one of several queries.
var refValue = regexp.MustCompile(`^Value #([A-Z])$`)

// checkColumns: what is set for a column is for one that there is.
func checkColumns(t *testing.T, file string, p panel, refs map[string]bool) {
	t.Helper()
	shown := map[string]bool{}
	for _, tr := range p.Transformations {
		for name, as := range tr.Options.RenameByName {
			shown[as] = true
			if m := refValue.FindStringSubmatch(name); m != nil && !refs[m[1]] {
				t.Errorf("%s: %s has no query for %q", file, p.Title, name)
			}
			if tr.Options.ExcludeByName[name] {
				t.Errorf("%s: %s: %q is renamed and left out", file, p.Title, name)
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if o.Matcher.ID == "byName" && !shown[o.Matcher.Options] {
			t.Errorf("%s: %s has no column %q", file, p.Title, o.Matcher.Options)
		}
	}
}

var (
	dashboardPath = regexp.MustCompile(`^/d/([^/?]+)`)
	linkedField   = regexp.MustCompile(`\$\{__data\.fields\.(\w+)\}`)
)

// checkLinks: links lead to dashboards that there are, and what they hand on is a
// column under the name it has in the data.
func checkLinks(t *testing.T, file string, p panel, uids map[string]bool) {
	t.Helper()
	links := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "links" {
				var more []link
				if err := json.Unmarshal(property.Value, &more); err != nil {
					t.Errorf("%s: %s: %v", file, p.Title, err)
				}
				links = append(links, more...)
			}
		}
	}
	for _, l := range links {
		if m := dashboardPath.FindStringSubmatch(l.URL); m == nil || !uids[m[1]] || !strings.Contains(l.URL, "${__url_time_range}") || !strings.Contains(l.URL, "${datasource:queryparam}") {
			t.Errorf("%s: %s links to %s", file, p.Title, l.URL)
		}
		for _, m := range linkedField.FindAllStringSubmatch(l.URL, -1) {
			for _, tr := range p.Transformations {
				if tr.ID == "organize" && tr.Options.RenameByName[m[1]] != m[1] {
					t.Errorf("%s: %s has no column %s for its link", file, p.Title, m[1])
				}
			}
		}
	}
}

// Grafana takes the examples for provisioning: their structure, and what they name.
func TestProvisioningExample(t *testing.T) {
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type string
			Options    struct{ Path string }
		}
	}
	promtest.ReadYAML(t, filepath.Join("provisioning", "dashboards.yml"), &dashboards)
	if dashboards.APIVersion != 1 || len(dashboards.Providers) != 1 || dashboards.Providers[0].Type != "file" || !filepath.IsAbs(dashboards.Providers[0].Options.Path) {
		t.Errorf("%+v", dashboards)
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, Access, URL string
			JSONData                yaml.MapSlice `yaml:"jsonData"`
		}
	}
	promtest.ReadYAML(t, filepath.Join("provisioning", "datasources.yml"), &sources)
	if len(sources.Datasources) != 1 || sources.APIVersion != 1 {
		t.Fatalf("%+v", sources)
	}
	s := sources.Datasources[0]
	var prometheus struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
	}
	promtest.ReadYAML(t, "prometheus.yml", &prometheus)
	// $__rate_interval is four times what Grafana is told here.
	if interval := (yaml.MapItem{Key: "timeInterval", Value: prometheus.Global.Interval}); s.Type != "prometheus" || s.URL == "" || !slices.Contains(s.JSONData, interval) {
		t.Errorf("%+v; it is scraped every %s", s, prometheus.Global.Interval)
	}
}
