// Package web serves pages for people: the VMs of the host, and the state of the exporter. They show the last responses
// of the host and never ask it.
package web

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Options configures the pages.
type Options struct {
	// Families returns the series of the last responses of the host. The pages show what it returns also if it returns
	// an error.
	Families func(context.Context) ([]*dto.MetricFamily, error)
	Now      func() time.Time // the host's clock
	// Source is wmi, simulator or replay: see the metric source_info.
	Source      string
	Version     string
	MetricsPath string
	GrafanaURL  string // of the dashboards, "" for no links
	AdminURL    string // of the admin endpoint, "" if it is disabled
	// MaxAge is the age of a response from which the health checks fail.
	MaxAge time.Duration
}

//go:embed templates static
var files embed.FS

// policy lets pages load their own style and script only. Nothing may be inline.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type server struct {
	options   Options
	templates *template.Template

	mu     sync.Mutex
	latest *host // see host
	made   time.Time
}

// NewHandler returns a handler for the pages, the files that they need, and the health checks of VMs.
func NewHandler(o Options) (http.Handler, error) {
	t, err := template.New("").Funcs(functions()).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	s := &server{options: o, templates: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveVMs)
	mux.HandleFunc("GET /vm/{vm_id}", s.serveVM)
	mux.HandleFunc("GET /exporter", s.serveExporter)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /replica/{vm_id}", s.checkReplica)
	mux.HandleFunc("GET /ready-for-failover/{vm_id}", s.checkReady)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	}), nil
}

// host returns the host as the last responses describe it. Once there are responses, it is made at most once a second.
func (s *server) host(ctx context.Context) *host {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil || s.latest.Read.IsZero() || time.Since(s.made) >= time.Second {
		families, _ := s.options.Families(context.WithoutCancel(ctx)) // an error means that series are missing
		s.latest = newHost(newSeries(families), s.options.Now())
		s.made = time.Now()
	}
	return s.latest
}

// page is what the templates show.
type page struct {
	*host
	Options
	Title string
	VM    *vm // of the page of a VM
}

func (s *server) serveVMs(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "vms.html", page{s.host(r.Context()), s.options, "VMs", nil})
}

func (s *server) serveVM(w http.ResponseWriter, r *http.Request) {
	h := s.host(r.Context())
	v := h.find(r.PathValue("vm_id"))
	if v == nil {
		s.render(w, http.StatusNotFound, "not_found.html", page{h, s.options, "Not found", nil})
		return
	}
	s.render(w, http.StatusOK, "vm.html", page{h, s.options, v.Name, v})
}

func (s *server) serveExporter(w http.ResponseWriter, r *http.Request) {
	s.render(w, http.StatusOK, "exporter.html", page{s.host(r.Context()), s.options, "Exporter", nil})
}

// render writes a page, which is complete or an error.
func (s *server) render(w http.ResponseWriter, status int, name string, p page) {
	var buf bytes.Buffer
	if err := s.templates.ExecuteTemplate(&buf, name, p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = buf.WriteTo(w)
}

// find returns the VM with a GUID in any case, nil if there is none.
func (h *host) find(id string) *vm {
	for _, v := range h.VMs {
		if strings.EqualFold(v.ID, id) {
			return v
		}
	}
	return nil
}

// GrafanaVM returns the URL of the dashboard of the VM, "" without Grafana.
func (p page) GrafanaVM() string {
	if p.GrafanaURL == "" || p.VM == nil {
		return ""
	}
	return strings.TrimRight(p.GrafanaURL, "/") + "/d/hyperv-replica-vm?var-vm_id=" + url.QueryEscape(p.VM.ID)
}
