//go:build prometheus

package dashboards_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// theme has the colors of Grafana's dark or light theme: the background of panels, the text, and the named colors. A
// name has another value in each theme.
type theme struct {
	name, background, text string
	colors                 map[string]string
}

var themes = []theme{
	{"dark", "#181b1f", "#ccccdc", map[string]string{
		"text": "#ccccdc", "semi-dark-red": "#e02f44", "semi-dark-orange": "#ff780a", "semi-dark-green": "#56a64b",
		"semi-dark-blue": "#3274d9", "semi-dark-purple": "#a352cc", "semi-dark-yellow": "#f2cc0c",
	}},
	{"light", "#ffffff", "#24292e", map[string]string{
		"text": "#24292e", "semi-dark-red": "#c4162a", "semi-dark-orange": "#fa6400", "semi-dark-green": "#37872d",
		"semi-dark-blue": "#1f60c4", "semi-dark-purple": "#8f3bb8", "semi-dark-yellow": "#e0b400",
	}},
}

// The limits of WCAG 2.1, level AA: for texts, and for texts that are at least 24 pixels high.
const (
	minContrast      = 4.5
	minLargeContrast = 3
)

// Texts can be read in both themes: those of cells on the color of the cell or of the panel, and the large values of
// stat panels. The values of bar gauges have the color of texts, and not that of the bar.
func TestPanelTextsHaveContrast(t *testing.T) {
	for file, d := range readDashboards(t) {
		for _, p := range d.dataPanels() {
			name := file + ": " + p.Title
			switch p.Type {
			case "table":
				for _, o := range p.FieldConfig.Overrides {
					checkCellContrast(t, name, o.Matcher.Options, o.Properties)
				}
			case "stat":
				for _, c := range append(colorsIn(t, p.FieldConfig.Defaults.Thresholds, p.FieldConfig.Defaults.Mappings),
					overrideColors(t, p)...) {
					for _, theme := range themes {
						wantContrast(t, name, theme, theme.color(t, c), theme.color(t, c), theme.background, minLargeContrast)
					}
				}
			case "bargauge":
				if p.Options.ValueMode != "text" {
					t.Errorf("%s: values have the color of the bar", name)
				}
			}
		}
	}
}

// checkCellContrast checks the colors of the cells of a column.
func checkCellContrast(t *testing.T, panel, column string, properties []property) {
	t.Helper()
	var colors []string
	var cell struct{ Type string }
	for _, property := range properties {
		var steps thresholds
		var mappings []valueMapping
		switch property.ID {
		case "custom.cellOptions":
			unmarshal(t, property.Value, &cell)
		case "thresholds":
			unmarshal(t, property.Value, &steps)
		case "mappings":
			unmarshal(t, property.Value, &mappings)
		}
		colors = append(colors, colorsIn(t, steps, mappings)...)
	}
	for _, c := range colors {
		for _, theme := range themes {
			name := fmt.Sprintf("%s: column %s", panel, column)
			value := theme.color(t, c)
			switch cell.Type {
			case "color-text":
				wantContrast(t, name, theme, c, value, theme.background, minContrast)
			case "color-background":
				background, text := value, "#f7f8fa"
				if c == "transparent" {
					background = theme.background
				}
				// Grafana chooses a dark text for bright colors, and for cells without a color in the light theme.
				if brightness(t, background) > 180 {
					text = "#202226"
				}
				wantContrast(t, name, theme, c, text, background, minContrast)
			}
		}
	}
}

func wantContrast(t *testing.T, name string, in theme, color, text, background string, want float64) {
	t.Helper()
	if got := contrast(t, text, background); got < want {
		t.Errorf("%s: %s in the %s theme: the contrast is %.2f, want at least %v", name, color, in.name, got, want)
	}
}

// overrideColors returns the colors in the overrides of a panel.
func overrideColors(t *testing.T, p panel) []string {
	t.Helper()
	var out []string
	for _, value := range p.overrides("thresholds") {
		var steps thresholds
		unmarshal(t, value, &steps)
		out = append(out, colorsIn(t, steps, nil)...)
	}
	for _, value := range p.overrides("mappings") {
		var mappings []valueMapping
		unmarshal(t, value, &mappings)
		out = append(out, colorsIn(t, thresholds{}, mappings)...)
	}
	return out
}

// colorsIn returns the colors of thresholds and value mappings.
func colorsIn(t *testing.T, steps thresholds, mappings []valueMapping) []string {
	t.Helper()
	var out []string
	for _, s := range steps.Steps {
		out = append(out, s.Color)
	}
	type result struct{ Color string }
	for _, m := range mappings {
		if m.Type == "value" {
			var values map[string]result
			unmarshal(t, m.Options, &values)
			for _, v := range values {
				out = append(out, v.Color)
			}
			continue
		}
		var options struct{ Result result }
		unmarshal(t, m.Options, &options)
		out = append(out, options.Result.Color)
	}
	return out
}

func unmarshal(t *testing.T, text json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// color returns a color in hexadecimal notation. A color without a value, which is that of the threshold, and a
// transparent one are the background.
func (th theme) color(t *testing.T, c string) string {
	t.Helper()
	switch {
	case strings.HasPrefix(c, "#"):
		return c
	case c == "transparent":
		return th.background
	case c == "":
		return th.text
	case th.colors[c] == "":
		t.Fatalf("the color %s is not in the test", c)
	}
	return th.colors[c]
}

// rgb returns the components of a color, 0 to 255.
func rgb(t *testing.T, color string) [3]float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 24)
	if err != nil || len(color) != 7 {
		t.Fatalf("color %q: %v", color, err)
	}
	return [3]float64{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}
}

// brightness returns the perceived brightness of a color, 0 to 255 (W3C AERT), by which Grafana chooses the text.
func brightness(t *testing.T, color string) float64 {
	t.Helper()
	c := rgb(t, color)
	return (c[0]*299 + c[1]*587 + c[2]*114) / 1000
}

// contrast returns the contrast ratio of two colors as WCAG defines it, 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		var l float64
		for i, c := range rgb(t, color) {
			c /= 255
			if c <= 0.03928 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			l += c * [3]float64{0.2126, 0.7152, 0.0722}[i]
		}
		return l + 0.05
	}
	la, lb := luminance(a), luminance(b)
	return max(la, lb) / min(la, lb)
}

func TestPanelContrastOfKnownColors(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#ffffff", "#000000", 21}, {"#777777", "#ffffff", 4.48}, {"#fa6400", "#ffffff", 3.05}} {
		if got := contrast(t, c.a, c.b); math.Abs(got-c.want) > 0.01 {
			t.Errorf("contrast of %s and %s: %.3f, want %v", c.a, c.b, got, c.want)
		}
	}
}
