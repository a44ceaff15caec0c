package exporter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// asProgram is the environment variable that turns the test binary into the program: its arguments, one per line.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(asProgram); ok {
		os.Exit(exportertest.Run(context.Background(), strings.Split(args, "\n"), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process is the program in a process of its own, which a test can kill.
type process struct {
	*exec.Cmd
	logs     *exportertest.LogBuffer
	adminURL string // URL of the admin endpoint
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0]), logs: exportertest.NewLogBuffer()}
	args = append(args, "--source=simulator", "--web.listen-address=127.0.0.1:0", "--log.level=debug")
	p.Env = append(os.Environ(), asProgram+"="+strings.Join(args, "\n"))
	p.Stderr = p.logs
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.adminURL = "http://" + p.logs.Await(t, exportertest.AdminAddress)
	return p
}

func (p *process) kill() {
	if p.ProcessState == nil {
		p.Process.Kill()
		p.Wait()
	}
}

// ask sends a request as omar and returns the status and the JSON body, 0 and nil if the process was killed.
func (p *process) ask(t *testing.T, method, path, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.adminURL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("omar", "test")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// If the program is killed while it calls the host, it reports after its restart that the outcome is unknown, and does
// not repeat the call when the client repeats the request.
func TestKilledDuringCall(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	dataDir := ""
	for _, a := range args {
		if dir, ok := strings.CutPrefix(a, "--admin.data-dir="); ok {
			dataDir = dir
		}
	}
	p := startProcess(t, append(args, "--simulator.fault=hung=RequestReplicationStateChangeEx")...)
	_, all := p.ask(t, http.MethodGet, "/api/v1/replicas", "")
	vm := ""
	for _, r := range all["replicas"].([]any) {
		if r := r.(map[string]any); r["mode"] == "primary" && r["state"] == "replicating" {
			vm = r["vm_id"].(string)
			break
		}
	}
	suspend := "/api/v1/replicas/" + vm + "/primary/actions/suspend"
	answered := make(chan int)
	go func() {
		code, _ := p.ask(t, http.MethodPost, suspend, `{"reason": "a test"}`, "Idempotency-Key", "k")
		answered <- code
	}()
	job := p.logs.Await(t, `msg="calling the host" action=(\S+)`)
	p.kill()
	if code := <-answered; code != 0 {
		t.Errorf("status %d although the process was killed", code)
	}
	p = startProcess(t, args...) // without the fault
	if _, j := p.ask(t, http.MethodGet, "/api/v1/jobs/"+job, ""); j["state"] != "unknown" {
		t.Errorf("job %v, want the state unknown", j)
	}
	code, again := p.ask(t, http.MethodPost, suspend, `{"reason": "a test"}`, "Idempotency-Key", "k")
	if code != http.StatusConflict || again["job"] != "/api/v1/jobs/"+job {
		t.Errorf("repeated request: %d %v, want 409 and the job", code, again)
	}
	if _, r := p.ask(t, http.MethodGet, "/api/v1/replicas/"+vm+"/primary", ""); r["state"] != "replicating" {
		t.Errorf("the VM is %v: the call was repeated", r["state"])
	}
	text, err := os.ReadFile(filepath.Join(dataDir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(string(text)) {
		var l struct{ Event, State, Type string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, strings.TrimSpace(l.Event+" "+l.State+l.Type))
	}
	if got := strings.Join(events, ", "); got != "intent, outcome unknown, job unknown, refused idempotency-conflict" {
		t.Errorf("events of the audit log: %s", got)
	}
}
