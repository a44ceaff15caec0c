package admin

import (
	"os"
	"path/filepath"
	"testing"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// After a panic in a call the outcome is unknown and the VM is not locked.
func TestPanicInACallDoesNotLockTheVM(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.panics = true
	r := env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("panic", r, 503, "outcome-unknown")
	spy.panics = false
	if j := env.get("HV01", "vic", r.json["job"].(string)); j.json["state"] != "unknown" || j.json["error"] == nil {
		t.Errorf("the job is %s", j)
	}
	env.want("other action", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 202, "")
}

// An action whose record cannot be stored does not keep the lock of its VM.
func TestLockIsReleasedIfTheRecordCannotBeStored(t *testing.T) {
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		env.want("action", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 500, "internal")
		env.want("action", env.postAction("HV01", "tim", vmReplicating, "primary", "test-connection", nil), 500, "internal")
	}
	if len(s.locks.held) > 0 {
		t.Errorf("held: %v", s.locks.held)
	}
}

// The audit record of a refused call has the error of the host.
func TestAuditRecordOfARefusedCallHasTheError(t *testing.T) {
	env := newTestEnv(t)
	env.hosts["HV01"].pool.err = wmiquery.ErrDenied
	env.want("denied", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 403, "access-denied")
	all := env.auditRecords("HV01")
	if last := all[len(all)-1]; last.Event != audit.Outcome || last.Error == "" || last.Type != "access-denied" {
		t.Errorf("last %+v", last)
	}
}

// The audit record of a call that the host rejects has its return code.
func TestAuditRecordOfARejectedCallHasTheCode(t *testing.T) {
	env := newTestEnv(t)
	env.world.SetFaults(simulator.Faults{MethodFailing: []string{""}})
	env.want("rejected", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), 502, "host-failed")
	all := env.auditRecords("HV01")
	if last := all[len(all)-1]; last.Event != audit.Outcome || last.Code == nil || *last.Code != 32768 {
		t.Errorf("last %+v", last)
	}
}

// A dry run that is refused for the state of the relationship is in the audit log.
func TestRefusedDryRunIsInTheAuditLog(t *testing.T) {
	env := newTestEnv(t)
	env.waitForJob("suspend", "HV01", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
	env.want("dry run", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}),
		409, "invalid-state")
	all := env.auditRecords("HV01")
	last := all[len(all)-1]
	if last.Event != audit.Refused || last.Status != 409 || last.Type != "invalid-state" || last.Action != "suspend" ||
		last.VMID != env.vms[vmReplicating] || last.Method != "RequestReplicationStateChangeEx" {
		t.Errorf("last %+v", last)
	}
}

// A store whose two headers have wrong checksums is set aside, and the endpoint starts.
func TestStoreWithWrongChecksumsIsSetAside(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	e.close()
	file := filepath.Join(e.folder, storeFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	for page := range 2 {
		clear(text[page*size+72 : page*size+80])
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env.startEndpoint("HV01", e.folder)
	if renamed, _ := filepath.Glob(file + ".damaged-*"); len(renamed) != 1 {
		t.Errorf("renamed %v", renamed)
	}
}
