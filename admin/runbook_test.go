//go:build !windows

package admin

import (
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// codeBlock is a code block of the page: whether it is only for a replica that does not replicate, its language and its
// text.
var codeBlock = regexp.MustCompile("(?ms)^(<!-- unless replicating -->\n\n)?```(sh|powershell)\n(.*?)^```$")

// sharedFunctions returns the shell functions that the runbooks share, and the part of the page with the runbooks.
func sharedFunctions(t *testing.T) (functions, runbooks string) {
	t.Helper()
	_, page, _ := strings.Cut(readPage(t, controlPage), "## Runbooks")
	return codeBlock.FindStringSubmatch(page)[3], page
}

// readRunbooks returns the shell functions that the runbooks share, and the texts of the runbooks by name.
func readRunbooks(t *testing.T) (functions string, texts map[string]string) {
	t.Helper()
	functions, page := sharedFunctions(t)
	texts = map[string]string{}
	for _, section := range strings.Split(page, "<!-- runbook: ")[1:] {
		section, _, _ = strings.Cut(section, "\n### ")
		name, text, _ := strings.Cut(section, " -->")
		texts[name] = text
	}
	return functions, texts
}

// runbookScript returns the commands of a runbook as a script. The state is that of the replica.
func (env *testEnv) runbookScript(text string, state msvm.ReplicationState) (script string) {
	env.Helper()
	for _, b := range codeBlock.FindAllStringSubmatch(text, -1) {
		switch {
		case b[1] != "" && state == msvm.Replicating:
		case b[2] == "powershell":
			script += env.hostCommand(b[3])
		default:
			script += b[3]
		}
	}
	return script
}

// Bash executes the runbooks unchanged against two simulated hosts. A sleep advances the simulated time. Commands for
// the host itself are executed on the simulated host.
func TestControlRunbooks(t *testing.T) {
	functions, texts := readRunbooks(t)
	tests := []struct {
		name        string
		after       string // a runbook that is executed before, "" for none
		user        string
		from, to    string // the hosts that are HV01 and HV02 in the runbook
		vm          int
		initial     msvm.ReplicationState // on the second host
		mode, state string                // on the second host at the end
		on          bool
	}{
		{"planned", "", "fred", "HV01", "HV02", vmReplicating, msvm.Replicating, "primary", "replicating", true},
		{"unplanned", "", "fred", "HV01", "HV02", vmReplicating, msvm.Replicating, "replica", "committed", true},
		{"unplanned", "", "fred", "HV01", "HV02", vmReplicating, msvm.Suspended, "replica", "committed", true},
		{"unplanned", "", "fred", "HV01", "HV02", vmReplicating, msvm.Critical, "replica", "committed", true},
		{"unplanned", "", "fred", "HV01", "HV02", vmReplicating, msvm.Resynchronizing, "replica", "committed", true},
		{"older", "", "fred", "HV01", "HV02", vmWithRecoveryPoints, msvm.Recovered, "replica", "recovered", false},
		{"test", "", "tim", "HV01", "HV02", vmReplicating, msvm.Replicating, "replica", "replicating", false},
		{
			"reverse", "unplanned", "fred", "HV01", "HV02", vmReplicating, msvm.Replicating, "primary",
			"waiting_to_complete_initial_replication", true,
		},
		{"extended", "", "fred", "HV02", "HV01", vmExtended, msvm.Replicating, "primary", "replicating", true},
	}
	untested := maps.Clone(texts)
	delete(untested, "site") // TestRunbookLossOfASite
	for _, tt := range tests {
		delete(untested, tt.name)
		t.Run(tt.name+" "+tt.initial.String(), func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			vm := env.vms[tt.vm]
			if tt.initial != msvm.Replicating {
				if err := env.world.SetState(tt.to, msvm.Key{VM: vm, Link: msvm.Primary}, tt.initial); err != nil {
					t.Fatal(err)
				}
			}
			script := env.runbookScript(texts[tt.name], tt.initial)
			environment := append(env.scriptEnvironment(tt.vm, tt.from, tt.to), "NETRC="+env.netrc(tt.user))
			out, err := env.runScript(functions+env.runbookScript(texts[tt.after], tt.initial)+script, "yes", environment)
			if err != nil || script == "" {
				t.Fatalf("%v\n%s", err, out)
			}
			older := slices.ContainsFunc(env.hosts[tt.to].pool.calls, func(c wmiquery.Call) bool {
				return slices.ContainsFunc(c.In,
					func(p wmiquery.Param) bool { return p.Name == "SnapshotSettingData" && p.Value != nil })
			})
			if older != (tt.name == "older") {
				t.Errorf("an older recovery point was used: %v", older)
			}
			shown := env.get(tt.to, "vic", env.replicaPath(tt.vm, "primary")).json
			if shown["mode"] != tt.mode || shown["state"] != tt.state || shown["test_vms"] != nil {
				t.Errorf("at the end the mode is %v, the state %v and the test VMs %v, want %s, %s and none", shown["mode"],
					shown["state"], shown["test_vms"], tt.mode, tt.state)
			}
			if on, err := env.world.IsOn(vm, tt.to); err != nil || on != tt.on {
				t.Errorf("the VM on %s is on: %v, %v; want %v", tt.to, on, err, tt.on)
			}
		})
	}
	if len(untested) > 0 {
		t.Errorf("runbooks without an expected result: %v", untested)
	}
	_, page := sharedFunctions(t)
	outside := strings.Count(page, "\n```sh\n") - 1 // that of the functions
	for _, text := range texts {
		outside -= strings.Count(text, "\n```sh\n")
	}
	if outside != 0 {
		t.Errorf("%d commands are in no runbook, so nothing executes them", outside)
	}
}

// scriptEnvironment returns the environment of a runbook about a VM that one host sends to another.
func (env *testEnv) scriptEnvironment(vm int, from, to string) []string {
	env.Helper()
	authority := filepath.Join(filepath.Dir(env.policy), "ca.crt")
	return append(os.Environ(), "HV01="+env.serveTLS(from, authority), "HV02="+env.serveTLS(to, authority),
		"CURL_CA_BUNDLE="+authority, "VM="+env.vms[vm], "VM_NAME="+env.vmName(to, vm),
		"NETRC="+env.netrc("fred"), "HOST_SERVER="+env.serveHost(env.vms[vm], map[string]string{"HV01": from, "HV02": to}))
}

// netrc returns a file for curl with the password of a user.
func (env *testEnv) netrc(user string) string {
	env.Helper()
	file := filepath.Join(filepath.Dir(env.policy), "netrc_"+user)
	env.writeFile(file, fmt.Sprintf("default login %s password %q\n", user, password))
	return file
}

// serveTLS returns the URL of a listener with TLS for the endpoint of a host, until that is closed. It writes the
// certificate to a file.
func (env *testEnv) serveTLS(host, authority string) string {
	env.Helper()
	e := env.hosts[host]
	listener := httptest.NewTLSServer(e.server.Handler())
	env.Cleanup(listener.Close)
	closeEndpoint := e.close
	e.close = func() {
		listener.Close()
		closeEndpoint()
	}
	certificate := pem.Block{Type: "CERTIFICATE", Bytes: listener.Certificate().Raw} // the same for all listeners
	env.writeFile(authority, string(pem.EncodeToMemory(&certificate)))
	return listener.URL
}

// runScript runs a script with the same answer to every prompt.
func (env *testEnv) runScript(script, answer string, environment []string) ([]byte, error) {
	env.Helper()
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			env.Fatalf("%s is missing; scripts/setup.sh runbooks installs it", tool)
		}
	}
	script = "set -euo pipefail\nsleep() { curl --silent --show-error --fail --data '' \"$HOST_SERVER/sleep\"; }\n" +
		script
	cmd := exec.CommandContext(env.Context(), "bash", "-c", script)
	cmd.Stdin, cmd.Env = strings.NewReader(strings.Repeat(answer+"\n", 10)), environment
	return cmd.CombinedOutput()
}

// The runbooks show the possible data loss and destroy nothing without a yes, with the name of another VM, or if the
// loss exceeds the accepted limit.
func TestRunbooksAskForConfirmation(t *testing.T) {
	functions, _ := sharedFunctions(t)
	const failover = `confirm "$HV02" failover "a test" `
	for _, tt := range []struct{ name, script, answer, want string }{
		{"answer no", failover + "3600", "no", ""},
		{"no answer", failover + "3600 </dev/null", "yes", ""},
		{"name of another VM", "VM_NAME=other\n" + failover + "3600", "yes", "vm_name is not the name"},
		{"limit of the data loss exceeded", failover + "0", "yes", "0 s are accepted"},
		{"unknown recovery point", failover + `3600 '{"SnapshotSettingData": "none"}'`, "yes", "no recovery point"},
		{"empty parameters", failover + `3600 ""`, "yes", "invalid character"},
		{"refused first request", `confirm "$HV02" commit-failover "a test" 3600`, "yes", "requires recovered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			out, err := env.runScript(functions+tt.script, tt.answer, env.scriptEnvironment(vmReplicating, "HV01", "HV02"))
			if err == nil || !strings.Contains(string(out), `"lag_seconds": `) && tt.want == "" ||
				!strings.Contains(string(out), tt.want) {
				t.Errorf("want a failure that contains %q, after the data loss: %v\n%s", tt.want, err, out)
			}
			if n := env.hosts["HV02"].pool.callCount(); n > 0 {
				t.Errorf("%d calls, want 0", n)
			}
		})
	}
}

// The runbooks repeat a request that fails or whose response is lost. The host is called once. A failed poll does not
// end the wait for the job.
func TestRunbooksRepeatLostRequests(t *testing.T) {
	env := newTestEnv(t)
	to, err := url.Parse(env.hosts["HV02"].http.URL)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := httputil.NewSingleHostReverseProxy(to)
	var sent, polls atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get(headerIdempotencyKey) != "" && sent.Add(1) == 1:
			http.Error(w, `{"status": 503}`, http.StatusServiceUnavailable)
		case r.Header.Get(headerIdempotencyKey) != "" && sent.Load() == 2:
			endpoint.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case strings.HasPrefix(r.URL.Path, apiJobs) && polls.Add(1) == 1:
			http.Error(w, `{"status": 429}`, http.StatusTooManyRequests)
		default:
			endpoint.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	functions, _ := sharedFunctions(t)
	out, err := env.runScript(functions+`confirm "$HV02" failover "a test" 3600`, "yes",
		append(env.scriptEnvironment(vmReplicating, "HV01", "HV02"), "HV02="+proxy.URL))
	if err != nil || sent.Load() != 3 || polls.Load() < 2 {
		t.Errorf("%v, sent %d times and polled %d times\n%s", err, sent.Load(), polls.Load(), out)
	}
	if n := env.hosts["HV02"].pool.callCount(); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
}

// hostCommand translates the PowerShell commands for a host to a request to the server of serveHost.
func (env *testEnv) hostCommand(text string) string {
	env.Helper()
	m := regexp.MustCompile(`\A# (HV0[12])\n(Start|Stop)-VM -Name mail01\n\z`).FindStringSubmatch(text)
	if m == nil {
		env.Fatalf("unexpected PowerShell commands: %s", text)
	}
	return fmt.Sprintf("curl --silent --show-error --fail --data '' \"$HOST_SERVER/%s/%s\"\n", m[1], m[2])
}

// serveHost returns the URL of a server that turns the VM on and off, and advances the clock.
func (env *testEnv) serveHost(vm string, names map[string]string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, command, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if host == "sleep" {
			env.clock.Advance(10 * time.Second)
			return
		}
		if err := env.world.SetPower(vm, names[host], command == "Start"); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}))
	env.Cleanup(s.Close)
	return s.URL
}
