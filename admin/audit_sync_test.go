package admin

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// replyWith answers every call with the same reply.
func replyWith(reply wmiquery.Reply) func(context.Context, wmiquery.Call) (wmiquery.Reply, error) {
	return func(context.Context, wmiquery.Call) (wmiquery.Reply, error) { return reply, nil }
}

// Nothing is executed or announced before its audit record is synced to disk. /dev/null accepts every record but cannot
// be synced.
func TestNothingIsExecutedBeforeTheAuditRecordIsSynced(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no device that accepts writes and cannot be synced")
		return
	}
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	calls := e.pool.callCount()
	file := filepath.Join(e.folder, auditFile)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", file); err != nil {
		t.Fatal(err)
	}
	env.want("suspend", env.postAction("HV01", "tim", vmSuspended, "primary", "resume", nil), 503, "audit-unavailable")
	env.want("cancel", env.request("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil),
		503, "audit-unavailable")
	env.want("maintenance", env.postMaintenance("tim",
		object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 503, "audit-unavailable")
	env.wantMetric("maintenance that is not in the audit log",
		"test_maintenance_active{scope=\"host\",vm=\"\",vm_id=\"\"} 0\n")
	if n := e.pool.callCount() - calls; n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	env.want("dry run, which needs no sync",
		env.postAction("HV01", "tim", vmSuspended, "primary", "resume", object{"dry_run": true}), 200, "")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// While the audit log cannot be written, refused requests are not kept in memory: any user could fill it with them.
func TestRefusalsAreNotKeptInMemory(t *testing.T) {
	env := newTestEnv(t)
	unblock := env.hosts["HV01"].blockAuditLog(env)
	for range 20 {
		env.want("announcement by a viewer", env.postMaintenance("vic",
			object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
		env.want("reload by a viewer", env.request("HV01", "vic", http.MethodPost, "/-/reload", nil), 403, "forbidden")
	}
	unblock()
	env.want("announcement by a viewer", env.postMaintenance("vic",
		object{"owner": "Ada", "reason": "x", "until": env.clock.Now().Add(time.Hour)}), 403, "forbidden")
	if lines := env.auditRecords("HV01"); len(lines) != 1 || lines[0].Type != "forbidden" || lines[0].User != "vic" ||
		lines[0].Status != 403 || lines[0].Action != "announce-maintenance" {
		t.Errorf("the audit log has %d records, want 1: %+v", len(lines), lines)
	}
}
