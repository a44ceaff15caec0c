package exporter_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// replicating returns the GUIDs of the VMs that replicate to another host, two at least.
func replicating(t *testing.T, url string) (vms []string) {
	t.Helper()
	_, body := exportertest.Get(t, url+"/api/v1/replicas", exportertest.Owner...)
	var list struct {
		Replicas []struct {
			VM    string `json:"vm_id"`
			Mode  string `json:"mode"`
			State string `json:"state"`
		} `json:"replicas"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, r := range list.Replicas {
		if r.Mode == "primary" && r.State == "replicating" {
			vms = append(vms, r.VM)
		}
	}
	if len(vms) < 2 {
		t.Fatalf("%d VMs replicate: %s", len(vms), body)
	}
	return vms
}

// The program stops although the host does not answer a call: the client that waits for the action gets its job at once,
// and the log names the action. Requests, calls of the admin endpoint and calls of the host share one timeout.
func TestStopDuringCallThatHangs(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	p := exportertest.Start(t, append(args, "--simulator.fault=hung=RequestReplicationStateChangeEx")...)
	url := p.AdminURL(t)
	suspend := url + "/api/v1/replicas/" + replicating(t, url)[0] + "/primary/actions/suspend"
	answered := make(chan *http.Response, 1)
	go func() {
		response, _ := exportertest.Post(t, suspend, "{}")
		answered <- response
	}()
	job := p.Logs.Await(t, `msg="calling the host" action=(\S+)`)
	stopped := make(chan int, 1)
	go func() { stopped <- p.Stop() }()
	response := <-answered
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusAccepted || got != "/api/v1/jobs/"+job {
		t.Errorf("the client gets %d with the job %q, want 202 with the job %s", response.StatusCode, got, job)
	}
	select {
	case <-stopped:
		t.Error("the program stopped without waiting for the call")
	default:
	}
	if code := <-stopped; code != exporter.ExitOK {
		t.Errorf("exit code %d, want 0", code)
	}
	if exporter.ShutdownTimeout != 4*time.Second { // the call hangs for ever, so the stop took as long
		t.Errorf("the timeout is %s, want 4s", exporter.ShutdownTimeout)
	}
	log := p.Logs.String()
	if !strings.HasSuffix(log, "msg=stopped\n") {
		t.Errorf("the last line of the log does not say that the program has stopped:\n%s", log)
	}
	if open := `msg="stopping while an action is open" action=suspend job=` + job + " state=queued"; !strings.Contains(log, open) {
		t.Errorf("the log does not name the action:\n%s", log)
	}
}
