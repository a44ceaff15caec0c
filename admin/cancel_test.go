package admin

import (
	"net/http"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

// The job of a failover can only be cancelled by a caller with the role failover.
func TestCancelNeedsTheRoleOfTheAction(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	const path = `Msvm_ConcreteJob.InstanceID="9947DC62-9DA2-4B25-BB27-BA9A161D75A9"`
	env.startFakeJob(e.pool, path)
	started := env.postConfirmed("HV01", "fred", vmInbound, "failover", nil)
	env.want("failover", started, 202, "")
	e.pool.reply = replyWith(wmiquery.Reply{})
	if got := env.get("HV01", "vic", started.header.Get("Location")).json["role"]; got != "failover" {
		t.Errorf("role %v", got)
	}
	cancel := started.header.Get("Location") + "/cancel"
	before := e.pool.callCount()
	for _, payload := range []any{nil, object{"dry_run": true}} {
		env.want("operator", env.request("HV01", "olga", http.MethodPost, cancel, payload), 403, "forbidden")
	}
	if n := e.pool.callCount() - before; n > 0 {
		t.Errorf("%d calls", n)
	}
	env.want("failover", env.request("HV01", "fred", http.MethodPost, cancel, nil), 202, "")
}

// If the jobs of the host cannot be read, none is cancelled.
func TestNoCancelWhileTheHostCannotBeRead(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool, `Msvm_ConcreteJob.InstanceID="9947DC62-9DA2-4B25-BB27-BA9A161D75A9"`)
	env.get("HV01", "vic", started.header.Get("Location"))
	e.pool.Pool.Close()
	e.pool.onRead = nil
	before := e.pool.callCount()
	r := env.request("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	if r.code < 500 || e.pool.callCount() != before {
		t.Errorf("%d calls, got %s", e.pool.callCount()-before, r)
	}
}
