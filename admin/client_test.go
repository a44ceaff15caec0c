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

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/admin/internal/problem"
)

// response is a response of an endpoint.
type response struct {
	code   int
	header http.Header
	text   string
	json   map[string]any
}

func (r response) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// slug returns the type of a problem without its prefix, "" for any other response.
func (r response) slug() string {
	t, _ := r.json["type"].(string)
	return strings.TrimPrefix(t, problem.TypePrefix)
}

// request sends a request. The headers are pairs of name and value.
func (env *testEnv) request(host, user, method, path string, payload any, headers ...string) response {
	env.Helper()
	var sent []byte
	switch p := payload.(type) {
	case nil:
	case string:
		sent = []byte(p)
	default:
		var err error
		if sent, err = json.Marshal(p); err != nil {
			env.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(env.Context(), method, env.hosts[host].http.URL+path, bytes.NewReader(sent))
	if err != nil {
		env.Fatal(err)
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
		env.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		env.Fatal(err)
	}
	r := response{code: resp.StatusCode, header: resp.Header, text: string(text)}
	if err := json.Unmarshal(text, &r.json); err != nil {
		env.Errorf("%s %s: the body is not JSON: %s", method, path, text)
	}
	env.checkOpenAPI(req, sent, resp, text)
	return r
}

func (env *testEnv) get(host, user, path string) response {
	env.Helper()
	return env.request(host, user, http.MethodGet, path, nil)
}

// object is a JSON object.
type object = map[string]any

// postAction requests an action on a relationship.
func (env *testEnv) postAction(host, user string, vm int, link, action string, payload any,
	headers ...string,
) response {
	env.Helper()
	return env.request(host, user, http.MethodPost, env.replicaPath(vm, link)+"/actions/"+action, payload, headers...)
}

func (env *testEnv) replicaPath(vm int, link string) string {
	return apiReplicas + "/" + env.vms[vm] + "/" + link
}

// want checks the status and the problem type of a response.
func (env *testEnv) want(what string, r response, code int, slug string) {
	env.Helper()
	if r.code != code || r.slug() != slug {
		env.Errorf("%s: got %s, want %d %s", what, r, code, slug)
	}
	if slug != "" && (r.header.Get("Content-Type") != "application/problem+json" || r.json["title"] == "" ||
		r.json["status"] != float64(code)) {
		env.Errorf("%s: not a problem+json: %v %s", what, r.header, r)
	}
}

// postConfirmed requests an action and confirms it.
func (env *testEnv) postConfirmed(host, user string, vm int, action string, payload object) response {
	env.Helper()
	if payload == nil {
		payload = object{}
	}
	first := env.postAction(host, user, vm, "primary", action, payload)
	env.want("first request of "+action, first, http.StatusConflict, "confirmation-required")
	return env.postAction(host, user, vm, "primary", action, env.confirmation(host, vm, first, payload))
}

// confirmation returns the body that confirms an action, from the response to its first request.
func (env *testEnv) confirmation(host string, vm int, first response, payload object) object {
	env.Helper()
	name := host
	if detail, _ := first.json["detail"].(string); !strings.Contains(detail, "the name of this host") {
		name = env.vmName(host, vm)
	}
	next := object{
		"confirmation_token": first.json["confirmation_token"], "reason": "a test", "vm_name": name,
		"max_data_loss_seconds": 1e9, "accept_unknown_loss": true, "old_primary_is_off": true,
	}
	maps.Copy(next, payload)
	return next
}

func (env *testEnv) vmName(host string, vm int) string {
	env.Helper()
	return env.get(host, "vic", env.replicaPath(vm, "primary")).json["vm"].(string)
}

// waitForJob advances the clock until a job ends, and checks its state.
func (env *testEnv) waitForJob(what, host string, r response, want string) response {
	env.Helper()
	if r.code == http.StatusOK {
		if r.json["state"] != want {
			env.Errorf("%s: got %s, want the state %s", what, r, want)
		}
		return r
	}
	if r.code != http.StatusAccepted || r.header.Get("Location") == "" || r.header.Get("Retry-After") == "" {
		env.Fatalf("%s: no job was started: %s", what, r)
	}
	for range 4000 {
		j := env.get(host, "vic", r.header.Get("Location"))
		if s := j.json["state"]; s != "running" && s != "queued" {
			if s != want {
				env.Errorf("%s: the job is %s, want the state %s", what, j, want)
			}
			return j
		}
		env.clock.Advance(5 * time.Second)
	}
	env.Fatalf("%s: the job does not end", what)
	return r
}

// auditRecords returns the records of a host's audit log.
func (env *testEnv) auditRecords(host string) []audit.Record {
	env.Helper()
	lines, _ := env.auditRecordsFrom(host, 0)
	return lines
}

// auditRecordsFrom returns the records of a host's audit log after an offset, and the offset of its end.
func (env *testEnv) auditRecordsFrom(host string, offset int64) (lines []audit.Record, end int64) {
	env.Helper()
	f, err := os.Open(filepath.Join(env.hosts[host].folder, auditFile))
	if err != nil {
		env.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, offset, math.MaxInt64-offset))
	if err != nil {
		env.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var a audit.Record
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			env.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, a)
	}
	return lines, offset + int64(len(text))
}
