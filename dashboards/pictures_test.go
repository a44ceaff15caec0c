//go:build prometheus && pictures

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// These tests need what `make pictures` sets up: the real prometheus, chromium, and
// in dashboards/pictures Grafana's own panels, which draw the dashboards.

// shot is one picture of a dashboard.
type shot struct {
	Dashboard string            `json:"dashboard"`
	Mode      string            `json:"mode"`
	Variables map[string]string `json:"variables"`
	Picture   string            `json:"picture"`
}

// seen is what there is to see on a picture.
type seen struct {
	Dashboard, Mode string
	Panels          []seenPanel
	Complaints      []string // of the browser
}

type seenPanel struct {
	ID                       int
	Title, Type, State, Text string
	Empty                    bool
	Rows, Plots, Ink         int
	StandIn                  int // rectangles of what is drawn in place of a state timeline
	Headers, Links           []string
	Box                      struct{ X, Y, Width, Height int }
	Cut                      []struct {
		Text    string
		Visible float64
	}
}

// emptyPanels are those that are empty on the pictures, and why.
var emptyPanels = map[string]string{
	"exporter.json: Failed operations in the last hour": "the simulated hosts run none that fails",
	"exporter.json: Memory":                             "what is about the process is left out",
	"exporter.json: CPU":                                "what is about the process is left out",
	"exporter.json: Admin endpoint requests":            "it is off",
	"exporter.json: Admin endpoint jobs":                "it is off",
	"exporter.json: Announced maintenance":              "it is off",
	"vm.json: Operations":                               "none runs for the VM",
	"vm.json: Operation progress":                       "none runs for the VM",
}

// TestPictures takes a picture of each dashboard, dark and light, and looks at each
// panel as its reader would: it shows something, and nothing of it is cut off.
// PICTURES is where the pictures are kept.
func TestPictures(t *testing.T) {
	api := startPast(t)
	dir := os.Getenv("PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	vms := api.Query(t, fmt.Sprintf(`hyperv_replica_vm_protected{vm="mail01"} @ %d`, pastEnd().Unix()))
	if len(vms) == 0 {
		t.Fatal("there is no VM mail01")
	}
	variables := map[string]string{"vm_id": vms[0].Labels["vm_id"]}
	dashboards := readDashboards(t)
	var shots []shot
	for name := range dashboards {
		picture := filepath.Join(dir, "dashboard-"+strings.TrimSuffix(name, ".json"))
		shots = append(shots, shot{name, "dark", variables, picture + ".png"}, shot{name, "light", variables, picture + "-light.png"})
	}
	for i, s := range draw(t, api, shots) {
		name := filepath.Base(s.Dashboard)
		t.Run(name+" "+s.Mode, func(t *testing.T) { checkPicture(t, name, dashboards[name], s, shots[i].Picture) })
	}
}

func checkPicture(t *testing.T, name string, d dashboard, s seen, picture string) {
	t.Helper()
	for _, c := range s.Complaints {
		t.Errorf("the browser says: %s", c)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]seenPanel{}
	for _, p := range s.Panels {
		found[p.ID] = p
	}
	for _, want := range d.queried() {
		p, ok := found[want.ID]
		if !ok {
			t.Errorf("%s: it is not on the picture", want.Title)
			continue
		}
		problems := p.problems(want.FieldConfig.Defaults.NoValue)
		if why := emptyPanels[name+": "+want.Title]; p.Empty != (why != "") {
			problems = append(problems, fmt.Sprintf("empty is %v, and is to be empty is %q", p.Empty, why))
		}
		if n := colours(img, p); n < 10 {
			problems = append(problems, fmt.Sprintf("the picture has %d colours there: it is blank", n))
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", want.Title, problem)
		}
	}
}

// Each dashboard has a picture in the documents, small enough for them, and shown.
func TestPicturesInDocuments(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range readDashboards(t) {
		file := "../docs/images/dashboard-" + strings.TrimSuffix(name, ".json") + ".png"
		if info, err := os.Stat(filepath.FromSlash(file)); err != nil || info.Size() > 160_000 {
			t.Errorf("%s: there is no small picture, run `make images`: %v", name, err)
		}
		if !strings.Contains(string(text), "(../"+file+")") {
			t.Errorf("%s: dashboards/README.md does not show %s", name, file)
		}
	}
}

// problems are what its reader would not want to see. noValue is what a panel
// without data is to say.
func (p seenPanel) problems(noValue string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch text := strings.TrimSpace(p.Text); {
	case p.State != "drawn":
		add("%s: %s", p.State, text)
	case p.Empty:
		if noValue == "" || text != noValue {
			add("it has nothing to show, and says %q", text)
		}
	case p.Type == "state-timeline" && p.StandIn == 0:
		add("the timeline has no states")
	case p.Type == "table" && (p.Rows == 0 || slices.ContainsFunc(p.Headers, unnamed)):
		add("the table has %d rows, and the columns %q", p.Rows, p.Headers)
	case p.Type == "timeseries" && (p.Plots != 1 || p.Ink < 50):
		add("%d plots are in their place, with %d points of colour", p.Plots, p.Ink)
	case text == "" || strings.Contains(text, "No data"):
		add("it says %q", text)
	}
	cut := map[string]bool{}
	for _, c := range p.Cut {
		if c.Visible < 0.5 && !cut[c.Text] {
			add("only %.0f %% of %q can be seen", 100*c.Visible, c.Text)
		}
		cut[c.Text] = true
	}
	for _, link := range p.Links {
		if strings.Contains(link, "$") || strings.Contains(link, "undefined") {
			add("a link goes to %s", link)
		}
	}
	return out
}

// unnamed says that a column is named after what the query gave, by nobody.
func unnamed(header string) bool { return header == "__name__" || strings.HasPrefix(header, "Value") }

// colours counts those of a panel in the picture.
func colours(img image.Image, p seenPanel) int {
	found := map[color.Color]bool{}
	for y := p.Box.Y; y < p.Box.Y+p.Box.Height; y++ {
		for x := p.Box.X; x < p.Box.X+p.Box.Width; x++ {
			found[img.At(x, y)] = true
		}
	}
	return len(found)
}

// draw takes the pictures.
func draw(t *testing.T, api *promtest.Prometheus, shots []shot) []seen {
	t.Helper()
	job, err := json.Marshal(map[string]any{
		"prometheus": api.URL, "to": pastEnd().Unix(), "scrapeInterval": pastStep.Seconds(), "width": 1600, "shots": shots,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job.json")
	if err := os.WriteFile(file, job, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("pictures", "shoot.js"), file)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("shoot.js: %v", err)
	}
	var all []seen
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}
