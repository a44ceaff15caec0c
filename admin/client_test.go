package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// response is an answer of an endpoint.
type response struct {
	code   int
	header http.Header
	text   string
	json   map[string]any
}

func (r response) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// slug is the type of the problem.
func (r response) slug() string {
	t, _ := r.json["type"].(string)
	return strings.TrimPrefix(t, typePrefix)
}

// do sends a request; headers are in pairs of name and value.
func (l *lab) do(host, user, method, path string, payload any, headers ...string) response {
	l.Helper()
	var sent []byte
	switch p := payload.(type) {
	case nil:
	case string:
		sent = []byte(p)
	default:
		var err error
		if sent, err = json.Marshal(p); err != nil {
			l.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(l.Context(), method, l.hosts[host].http.URL+path, bytes.NewReader(sent))
	if err != nil {
		l.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.Fatal(err)
	}
	r := response{code: resp.StatusCode, header: resp.Header, text: string(text)}
	if err := json.Unmarshal(text, &r.json); err != nil {
		l.Errorf("%s %s: the body is no JSON: %s", method, path, text)
	}
	l.conforms(req, sent, resp, text)
	return r
}

func (l *lab) get(host, user, path string) response {
	l.Helper()
	return l.do(host, user, http.MethodGet, path, nil)
}

// m is a JSON object.
type m = map[string]any

// act does a verb.
func (l *lab) act(host, user string, vm int, link, verb string, payload any, headers ...string) response {
	l.Helper()
	return l.do(host, user, http.MethodPost, l.replica(vm, link)+"/actions/"+verb, payload, headers...)
}

func (l *lab) replica(vm int, link string) string { return apiReplicas + "/" + l.vms[vm] + "/" + link }

// want checks code and type of an answer.
func (l *lab) want(what string, r response, code int, slug string) {
	l.Helper()
	if r.code != code || r.slug() != slug {
		l.Errorf("%s: want %d %s, got %s", what, code, slug, r)
	}
	if slug != "" && (r.header.Get("Content-Type") != "application/problem+json" || r.json["title"] == "" || r.json["status"] != float64(code)) {
		l.Errorf("%s: this is no problem+json: %v %s", what, r.header, r)
	}
}

// confirmed does a verb in two steps.
func (l *lab) confirmed(host, user string, vm int, verb string, payload m) response {
	l.Helper()
	if payload == nil {
		payload = m{}
	}
	first := l.act(host, user, vm, "primary", verb, payload)
	l.want("first step of "+verb, first, http.StatusConflict, "confirmation-required")
	return l.act(host, user, vm, "primary", verb, l.second(host, vm, first, payload))
}

// second is the body of the second step.
func (l *lab) second(host string, vm int, first response, payload m) m {
	l.Helper()
	name := host
	if detail, _ := first.json["detail"].(string); !strings.Contains(detail, "the name of this host") {
		name = l.name(host, vm)
	}
	next := m{"confirmation_token": first.json["confirmation_token"], "reason": "a test", "vm_name": name, "max_data_loss_seconds": 1e9, "accept_unknown_loss": true}
	maps.Copy(next, payload)
	return next
}

func (l *lab) name(host string, vm int) string {
	l.Helper()
	return l.get(host, "vic", l.replica(vm, "primary")).json["vm"].(string)
}

// finish waits for a job, by the simulated clock.
func (l *lab) finish(what, host string, r response, want string) response {
	l.Helper()
	if r.code == http.StatusOK {
		if r.json["state"] != want {
			l.Errorf("%s: %s, want %s", what, r, want)
		}
		return r
	}
	if r.code != http.StatusAccepted || r.header.Get("Location") == "" || r.header.Get("Retry-After") == "" {
		l.Fatalf("%s: no job was started: %s", what, r)
	}
	for range 4000 {
		j := l.get(host, "vic", r.header.Get("Location"))
		if s := j.json["state"]; s != "running" && s != "queued" {
			if s != want {
				l.Errorf("%s: the job is %s, want %s", what, j, want)
			}
			return j
		}
		l.clock.Advance(5 * time.Second)
	}
	l.Fatalf("%s: the job does not end", what)
	return r
}

// audited are the lines of a host's audit log.
func (l *lab) audited(host string) []auditLine {
	l.Helper()
	lines, _ := l.auditedFrom(host, 0)
	return lines
}

// auditedFrom are the lines of a host's audit log from an offset, and where it ends.
func (l *lab) auditedFrom(host string, offset int64) (lines []auditLine, end int64) {
	l.Helper()
	f, err := os.Open(filepath.Join(l.hosts[host].folder, auditFile))
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, offset, math.MaxInt64-offset))
	if err != nil {
		l.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var a auditLine
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			l.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, a)
	}
	return lines, offset + int64(len(text))
}
