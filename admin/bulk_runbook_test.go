//go:build !windows

package admin

import (
	"fmt"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Bash executes the runbook about the loss of a site. It ends while the old site answers. Otherwise the first VMs fail
// over in their order and start, then all others, then those that were resumed. All are committed.
func TestRunbookLossOfASite(t *testing.T) {
	functions, texts := readRunbooks(t)
	env := newTestEnv(t)
	environment := append(env.scriptEnvironment(vmReplicating, "HV01", "HV02"), "SITE="+server01)
	script := functions + env.runbookScript(texts["site"], msvm.Replicating)
	answers := "2\nyes\nyes\n21\n4" + strings.Repeat("\nyes", 25+27)
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
	if calls["InitiateFailover"] != 27 || calls["CommitFailover"] != 27 || calls["RequestStateChange"] != 27 ||
		calls["RequestReplicationStateChangeEx"] != 3 {
		t.Errorf("the calls are %v\n%s", calls, out)
	}
	for vm, want := range map[int]string{
		2: "committed on", 22: "committed on", 25: "committed on", 14: "committed on", 0: "committed on",
		5: "committed on", 8: "committed on", 9: "committed on", 12: "committed on", 13: "committed on",
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
