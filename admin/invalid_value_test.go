package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

func (env *testEnv) setFault(fault string) {
	env.Helper()
	faults, err := simulator.ParseFaults([]string{fault})
	if err != nil {
		env.Fatal(err)
	}
	env.world.SetFaults(faults)
}

// codes sends a request about each VM and returns the VMs by status code of the response.
func (env *testEnv) codes(send func(vm string) response) map[int]map[string]response {
	codes := map[int]map[string]response{}
	for _, vm := range env.vms {
		r := send(vm)
		if codes[r.code] == nil {
			codes[r.code] = map[string]response{}
		}
		codes[r.code][vm] = r
	}
	return codes
}

func (env *testEnv) dryRun(vm, action string) response {
	path := "/api/v1/replicas/" + vm + "/primary/actions/" + action + "?dry_run=true"
	return env.request("HV01", "omar", http.MethodPost, path, object{})
}

// The fault makes values of every second relationship invalid. The others are listed and can be changed as before.
func TestInvalidValuesDoNotAffectOtherVMs(t *testing.T) {
	env := newTestEnv(t)
	plan := func(vm string) response { return env.dryRun(vm, "suspend") }
	list := func() int { return strings.Count(env.get("HV01", "vic", "/api/v1/replicas").text, `"vm_id"`) }
	all, before := list(), env.codes(plan)[200]
	if len(before) < 4 {
		t.Fatalf("only %d VMs can be suspended", len(before))
	}
	env.setFault("invalid-value=Msvm_ReplicationRelationship.LastReplicationTime")
	if got := env.codes(plan)[200]; len(got) != len(before) || list() != all {
		t.Errorf("without LastReplicationTime %d VMs can be suspended, want %d; %d are listed, want %d",
			len(got), len(before), list(), all)
	}
	env.setFault("invalid-value=Msvm_ReplicationRelationship.ReplicationState")
	got := env.codes(plan)
	if n := len(got[200]); n == 0 || n >= len(before) || list() < all {
		t.Errorf("without every second state %d VMs can be suspended, before it was %d", n, len(before))
	}
	for vm := range before {
		if got[200][vm].code+got[409][vm].code == 0 {
			t.Errorf("vm %s can neither be suspended nor is it refused with 409", vm)
		}
	}
}

// Settings with an invalid value must not be sent back to the host, which would take the null for a change.
func TestSettingsWithInvalidValuesCannotBeChanged(t *testing.T) {
	env := newTestEnv(t)
	modify := func(vm string) response {
		return env.postMethod("HV01", "omar", "ModifyReplicationSettings", object{"dry_run": true, "parameters": object{
			"ComputerSystem": vm, "ReplicationSettingData": object{"RecoveryHistory": 3},
		}})
	}
	before := env.codes(modify)[200]
	env.setFault("invalid-value=Msvm_ReplicationSettingData.AutoResynchronizeIntervalStart")
	got := env.codes(modify)
	for vm := range before {
		if got[200][vm].code+got[502][vm].code == 0 {
			t.Errorf("settings of vm %s can neither be changed nor are they refused with 502", vm)
		}
	}
	if n := len(got[200]); n == 0 || n >= len(before) {
		t.Errorf("settings of %d VMs can be changed, before it was %d", n, len(before))
	}
	for _, r := range got[502] {
		if !strings.Contains(r.text, "host-failed") || !strings.Contains(r.text, "AutoResynchronizeIntervalStart") ||
			!strings.Contains(r.text, "is not a CIM interval") {
			t.Errorf("got %s", r)
		}
	}
	change := object{"dry_run": true, "parameters": object{"SettingData": object{"MonitoringInterval": 7200}}}
	env.want("service settings", env.postMethod("HV01", "omar", "ModifyServiceSettings", change), 200, "")
	env.setFault("invalid-value=Msvm_ReplicationServiceSettingData.MonitoringStartTime")
	env.want("service settings", env.postMethod("HV01", "omar", "ModifyServiceSettings", change), 502, "host-failed")
}

// With an invalid pair of a replica and a test VM, the test VM of a replica is not known.
func TestInvalidDependencyStopsDeletionOfTestVM(t *testing.T) {
	env := newTestEnv(t)
	deletion := func(vm string) response { return env.dryRun(vm, "cleanup-test-failover") }
	replicas := env.codes(deletion)[200]
	if len(replicas) == 0 {
		t.Fatal("no VM has a test VM")
	}
	env.setFault("invalid-value=Msvm_ReplicaSystemDependency.Antecedent")
	for vm := range replicas {
		env.want("deletion", deletion(vm), 502, "host-failed")
	}
}

// A job is followed to its end although values of jobs are invalid.
func TestJobWithInvalidValuesIsFollowed(t *testing.T) {
	env := newTestEnv(t)
	env.setFault("invalid-value=" + msvm.ClassConcreteJob + ".ElapsedTime")
	r := env.postMethod("HV01", "omar", "ModifyServiceSettings",
		object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}})
	env.waitForJob("modify service settings", "HV01", r, "succeeded")
}

// An instance that cannot be read may be the job: the job is not gone.
func TestJobThatCannotBeReadIsNotGone(t *testing.T) {
	env := newTestEnv(t)
	r := env.postMethod("HV01", "omar", "ModifyServiceSettings",
		object{"parameters": object{"SettingData": object{"MonitoringInterval": 7200}}})
	pool := env.hosts["HV01"].pool
	pool.read = func(ctx context.Context, dst any) error {
		if _, ok := dst.(*[]msvm.ConcreteJob); ok {
			return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{{Row: -1, Err: errors.New("not an instance")}})
		}
		return pool.Pool.Read(ctx, dst)
	}
	if got := env.get("HV01", "vic", r.header.Get("Location")).json["state"]; got != "running" {
		t.Errorf("the job is %v, want running", got)
	}
	// A job that can be read is followed although another one cannot.
	pool.read = func(ctx context.Context, dst any) error {
		err := pool.Pool.Read(ctx, dst)
		if _, ok := dst.(*[]msvm.ConcreteJob); ok && err == nil {
			return wmiquery.NewInvalidValuesError([]wmiquery.InvalidValue{{Row: -1, Err: errors.New("not an instance")}})
		}
		return err
	}
	env.waitForJob("modify service settings", "HV01", r, "succeeded")
}
