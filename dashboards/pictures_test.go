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

// These tests need the programs that `make pictures` installs: Prometheus, Chromium, and the npm packages of
// dashboards/pictures, which render the dashboards with the panels of Grafana.

// emptyPanels are the panels that have no data on the pictures, and the reasons.
var emptyPanels = map[string]string{
	"exporter.json: Invalid values":                     "the simulated hosts have no invalid values",
	"exporter.json: Failed operations in the last hour": "no operation fails",
	"fleet.json: Operations":                            "no operation runs at that time",
	"vm.json: Operations":                               "no operation runs for the VM",
	"vm.json: Operation progress":                       "no operation runs for the VM",
	"vm.json: Recovery points":                          "the VM keeps no recovery points",
}

// TestPicturesShowAllPanels takes a dark and a light picture of each dashboard and checks that each panel shows its
// data, with no text clipped. The environment variable PICTURES names the directory in which the pictures are kept.
func TestPicturesShowAllPanels(t *testing.T) {
	api := startPrometheusWithHistory(t)
	dir := os.Getenv("PICTURES")
	if dir == "" {
		dir = t.TempDir()
	}
	vms := api.Query(t, fmt.Sprintf(`hyperv_replica_vm_protected{vm="mail01"} @ %d`, historyEnd().Unix()))
	if len(vms) == 0 {
		t.Fatal("no VM mail01")
	}
	variables := map[string]string{"vm_id": vms[0].Labels["vm_id"]}
	dashboards := readDashboards(t)
	var shots []shot
	for name := range dashboards {
		picture := filepath.Join(dir, "dashboard-"+strings.TrimSuffix(name, ".json"))
		shots = append(shots,
			shot{name, "dark", variables, picture + ".png"}, shot{name, "light", variables, picture + "-light.png"})
	}
	for i, r := range takePictures(t, api, shots) {
		name := filepath.Base(r.Dashboard)
		t.Run(name+" "+r.Mode, func(t *testing.T) { checkPicture(t, name, dashboards[name], r, shots[i].Picture) })
	}
}

// Each dashboard has a small picture in docs/images, and README.md shows it.
func TestPicturesAreInDocumentation(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range readDashboards(t) {
		file := "../docs/images/dashboard-" + strings.TrimSuffix(name, ".json") + ".png"
		if info, err := os.Stat(filepath.FromSlash(file)); err != nil {
			t.Errorf("%s: %v; run `make images`", name, err)
		} else if info.Size() > 250_000 {
			t.Errorf("%s: the picture has %d bytes, want at most 250000; run `make images`", name, info.Size())
		}
		if !strings.Contains(string(text), "("+file+")") {
			t.Errorf("%s: dashboards/README.md does not show %s", name, file)
		}
	}
}

func checkPicture(t *testing.T, name string, d dashboard, rendered renderedDashboard, picture string) {
	t.Helper()
	for _, message := range rendered.BrowserErrors {
		t.Errorf("browser: %s", message)
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
	panels := map[int]renderedPanel{}
	for _, p := range rendered.Panels {
		panels[p.ID] = p
	}
	for _, want := range d.dataPanels() {
		p, ok := panels[want.ID]
		if !ok {
			t.Errorf("%s: not on the picture", want.Title)
			continue
		}
		problems := p.problems(want.FieldConfig.Defaults.NoValue)
		if reason := emptyPanels[name+": "+want.Title]; p.Empty != (reason != "") {
			problems = append(problems, fmt.Sprintf("is empty: %v, reason to be empty: %q", p.Empty, reason))
		}
		if n := p.colors(img); n < 10 {
			problems = append(problems, fmt.Sprintf("has %d colors on the picture, want at least 10", n))
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", want.Title, problem)
		}
	}
}

// shot is a picture to take, as input of pictures/shoot.js.
type shot struct {
	Dashboard string            `json:"dashboard"`
	Mode      string            `json:"mode"` // dark or light
	Variables map[string]string `json:"variables"`
	Picture   string            `json:"picture"` // file to write
}

// takePictures takes the pictures and returns what shoot.js reports about each.
func takePictures(t *testing.T, api *promtest.Prometheus, shots []shot) []renderedDashboard {
	t.Helper()
	job, err := json.Marshal(map[string]any{
		"prometheus": api.URL, "to": historyEnd().Unix(), "scrapeInterval": historyStep.Seconds(),
		"width": 1600, "shots": shots,
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
	var rendered []renderedDashboard
	if err := json.Unmarshal(out, &rendered); err != nil {
		t.Fatal(err)
	}
	return rendered
}

// renderedDashboard is the report of shoot.js about a picture.
type renderedDashboard struct {
	Dashboard, Mode string
	Panels          []renderedPanel
	BrowserErrors   []string `json:"complaints"`
}

// renderedPanel is the report of shoot.js about a panel on a picture.
type renderedPanel struct {
	ID                       int
	Title, Type, State, Text string
	Empty                    bool // no data
	Rows                     int  // of a table
	Plots                    int  // graphs that are inside the panel
	ColoredPixels            int  `json:"ink"`     // of the graphs
	TimelineStates           int  `json:"standIn"` // rectangles of a state timeline
	Headers, Links           []string
	Box                      struct{ X, Y, Width, Height int }
	ClippedTexts             []struct {
		Text    string
		Visible float64 // visible share of the area, less than 1
	} `json:"cut"`
}

// problems returns descriptions of what is wrong with a panel. A panel without data must show noValue.
func (p renderedPanel) problems(noValue string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch text := strings.TrimSpace(p.Text); {
	case p.State != "drawn":
		add("state %s: %s", p.State, text)
	case p.Empty:
		if noValue == "" || text != noValue {
			add("shows %q without data, want %q", text, noValue)
		}
	case p.Type == "state-timeline" && p.TimelineStates == 0:
		add("no states in the timeline")
	case p.Type == "table" && (p.Rows == 0 || slices.ContainsFunc(p.Headers, isRawColumn)):
		add("the table has %d rows and the columns %q", p.Rows, p.Headers)
	case p.Type == "timeseries" && (p.Plots != 1 || p.ColoredPixels < 50):
		add("%d graphs are inside the panel, with %d colored pixels", p.Plots, p.ColoredPixels)
	case text == "" || strings.Contains(text, "No data"):
		add("shows %q", text)
	}
	for _, c := range p.ClippedTexts {
		add("only %.0f %% of %q is visible", 100*c.Visible, c.Text)
	}
	for _, link := range p.Links {
		if strings.Contains(link, "$") || strings.Contains(link, "undefined") {
			add("link to %s", link)
		}
	}
	return out
}

// isRawColumn reports whether a column has the name of the query result, since the dashboard does not rename it.
func isRawColumn(header string) bool {
	return header == "__name__" || strings.HasPrefix(header, "Value")
}

// colors returns the number of colors of a panel on the picture.
func (p renderedPanel) colors(img image.Image) int {
	found := map[color.Color]bool{}
	for y := p.Box.Y; y < p.Box.Y+p.Box.Height; y++ {
		for x := p.Box.X; x < p.Box.X+p.Box.Width; x++ {
			found[img.At(x, y)] = true
		}
	}
	return len(found)
}
