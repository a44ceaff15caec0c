//go:build !windows

package admin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// startCommand is the PowerShell command that starts some VMs on HV02.
var startCommand = regexp.MustCompile("```powershell\n# HV02\nStart-VM -Name (.*)\n```")

// siteScript returns the commands of the runbook about the loss of a site. Commands for the host are executed on the
// simulated host.
func (env *testEnv) siteScript(text string) string {
	env.Helper()
	ids := map[string]string{}
	for i := range env.vms {
		if shown := env.get("HV02", "vic", env.replicaPath(i, "primary")); shown.code == http.StatusOK {
			ids[shown.json["vm"].(string)] = env.vms[i]
		}
	}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sleep" {
			env.clock.Advance(10 * time.Second)
		} else if err := env.world.SetPower(ids[strings.TrimPrefix(r.URL.Path, "/start/")], "HV02", true); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
	}))
	env.Cleanup(host.Close)
	if n := len(startCommand.FindAllString(text, -1)); n != 2 {
		env.Errorf("%d commands start VMs, want 2", n)
	}
	text = startCommand.ReplaceAllStringFunc(text, func(command string) string {
		script := "```sh\n"
		for name := range strings.SplitSeq(startCommand.FindStringSubmatch(command)[1], ", ") {
			script += "curl --silent --show-error --fail --data '' \"$HOST_SERVER/start/" + name + "\"\n"
		}
		return script + "```"
	})
	return "HOST_SERVER=" + host.URL + "\n" + env.runbookScript(text, msvm.Replicating)
}

// Bash executes the runbook about the loss of a site. It ends while the old site answers. Otherwise the first VMs fail
// over in their order, then all others, then those that were resumed. The VMs that were started are committed.
func TestRunbookLossOfASite(t *testing.T) {
	functions, texts := readRunbooks(t)
	env := newTestEnv(t)
	environment := append(env.scriptEnvironment(vmReplicating, "HV01", "HV02"), "SITE="+server01)
	script := functions + env.siteScript(texts["site"])
	answers := "2\n21\n4" + strings.Repeat("\nyes", 5)
	out, err := env.runScript(script, answers, environment)
	if err == nil || !strings.Contains(string(out), "turn it off first") || env.hosts["HV02"].pool.callCount() > 0 {
		t.Errorf("while the old site answers: %v, %d calls\n%s", err, env.hosts["HV02"].pool.callCount(), out)
	}
	env.hosts["HV01"].close()
	if out, err = env.runScript(script, answers, environment); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	called := env.hosts["HV02"].calledVMs()
	if fmt.Sprint(called[:2]) != fmt.Sprint([]string{env.vms[2], env.vms[22]}) &&
		fmt.Sprint(called[:2]) != fmt.Sprint([]string{env.vms[22], env.vms[2]}) {
		t.Errorf("the first VMs are %v", called[:2])
	}
	calls := map[string]int{}
	for _, c := range env.hosts["HV02"].pool.calls {
		calls[c.Method]++
	}
	if calls["InitiateFailover"] != 27 || calls["CommitFailover"] != 5 || calls["RequestReplicationStateChangeEx"] != 3 {
		t.Errorf("the calls are %v\n%s", calls, out)
	}
	for vm, want := range map[int]string{
		2: "committed on", 22: "committed on", 25: "committed on", 14: "committed on", 0: "committed on",
		5: "recovered off", 8: "recovered off", 9: "recovered off", 12: "recovered off", 13: "recovered off",
		7: "waiting_to_complete_initial_replication off",
	} {
		shown := env.get("HV02", "vic", env.replicaPath(vm, "primary")).json
		if got := fmt.Sprint(shown["state"], " ", shown["power"]); got != want {
			t.Errorf("VM %d is %s, want %s", vm, got, want)
		}
	}
	for _, want := range []string{
		"ready\tdc01\t15\t" + env.vms[2] + "\t\n", "succeeded\tdc01\t", "done\tdc01\t-\t" + env.vms[2],
		"refused\tbackup-proxy-01\t4848\t", "refused\tbuild01\t5", "s could be lost, but only 3600 s are accepted",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not have %q\n%s", want, out)
		}
	}
}
