package web_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/net/html"

	"hyperv_replica_exporter/internal/web"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// pages are the pages of a host with the series of an exposition, at noon.
type pages struct {
	http.Handler
	*testing.T
}

func newPages(t *testing.T, exposition string, change ...func(*web.Options)) pages {
	t.Helper()
	o := web.Options{
		Families:    func(context.Context) ([]*dto.MetricFamily, error) { return parse(t, exposition), nil },
		Now:         func() time.Time { return noon },
		Source:      "wmi",
		Version:     "1.2.3",
		MetricsPath: "/metrics",
		MaxAge:      5 * time.Minute,
	}
	for _, f := range change {
		f(&o)
	}
	h, err := web.NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	return pages{h, t}
}

// parse returns the metric families of an exposition. Each metric is a gauge.
func parse(t *testing.T, exposition string) []*dto.MetricFamily {
	t.Helper()
	var b strings.Builder
	seen := map[string]bool{}
	for line := range strings.Lines(exposition) {
		line = strings.TrimSpace(line)
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		if line != "" && !seen[name] {
			seen[name] = true
			b.WriteString("# TYPE " + name + " gauge\n")
		}
		b.WriteString(line + "\n")
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(strings.NewReader(b.String()))
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	var families []*dto.MetricFamily
	for _, f := range byName {
		families = append(families, f)
	}
	return families
}

// get requests a path and returns the response.
func (p pages) get(path string) *http.Response {
	p.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(p.Context(), http.MethodGet, path, nil))
	return w.Result()
}

// body returns the body of the response to a path, which must have a status.
func (p pages) body(path string, status int) string {
	p.Helper()
	r := p.get(path)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.Fatal(err)
	}
	if r.StatusCode != status {
		p.Errorf("GET %s: status %d, want %d", path, r.StatusCode, status)
	}
	return string(body)
}

// text returns the text of the page at a path, with one space between words.
func (p pages) text(path string) string {
	p.Helper()
	return strings.Join(strings.Fields(textOf(p.document(path))), " ")
}

func (p pages) document(path string) *html.Node {
	p.Helper()
	n, err := html.Parse(strings.NewReader(p.body(path, http.StatusOK)))
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// textOf returns the text that a browser shows of a node.
func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := range n.ChildNodes() {
		if c.Data != "title" && c.Data != "script" {
			b.WriteString(textOf(c) + " ")
		}
	}
	return b.String()
}

// rows returns the cells of each row in the body of the table of VMs.
func (p pages) rows() [][]string {
	p.Helper()
	var rows [][]string
	for n := range p.document("/").Descendants() {
		if n.Type != html.ElementNode || n.Data != "tr" || n.Parent.Data != "tbody" {
			continue
		}
		var cells []string
		for c := range n.ChildNodes() {
			if c.Type == html.ElementNode {
				cells = append(cells, strings.Join(strings.Fields(textOf(c)), " "))
			}
		}
		rows = append(rows, cells)
	}
	return rows
}
