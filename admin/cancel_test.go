package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"hyperv_replica_exporter/admin/internal/audit"
	"hyperv_replica_exporter/wmiquery"
)

// If the jobs of the host cannot be read, none is cancelled.
func TestNoCancelWhileTheHostCannotBeRead(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	env.get("HV01", "vic", started.header.Get("Location"))
	e.pool.Close()
	e.pool.onRead = nil
	before := e.pool.callCount()
	r := env.request("HV01", "tim", http.MethodPost, started.header.Get("Location")+"/cancel", nil)
	if r.code < 500 || e.pool.callCount() != before {
		t.Errorf("%d calls, got %s", e.pool.callCount()-before, r)
	}
}

// A client that disconnects during a call stops neither the call nor what is written about it. The same request gets
// the response later.
func TestDisconnectedClientStopsNoCall(t *testing.T) {
	for _, what := range []string{"action", "cancellation"} {
		env := newTestEnv(t)
		e := env.hosts["HV01"]
		path := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
		if what == "cancellation" {
			path = env.startFakeJob(e.pool).header.Get("Location") + "/cancel"
		}
		before := e.pool.callCount()
		connection, disconnect := context.WithCancel(t.Context())
		e.pool.reply = func(ctx context.Context, _ wmiquery.Call) (wmiquery.Reply, error) {
			disconnect()
			return wmiquery.Reply{}, ctx.Err()
		}
		r := httptest.NewRequestWithContext(connection, http.MethodPost, "http://localhost"+path, nil)
		r.SetBasicAuth("tim", password)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		e.server.Handler().ServeHTTP(w, r)
		if want := map[string]int{"action": 200, "cancellation": 202}[what]; w.Code != want || connection.Err() == nil {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, want)
		}
		if again := env.keyed("tim", "k", path, nil); again.text != w.Body.String() || again.code != w.Code {
			t.Errorf("%s: the same request later: %s, want %s", what, again, w.Body)
		}
		if n := e.pool.callCount() - before; n != 1 {
			t.Errorf("%s: %d calls, want 1", what, n)
		}
		var last audit.Record
		for _, record := range env.auditRecords("HV01") {
			if record.Event == audit.Outcome {
				last = record
			}
		}
		action := map[string]string{"action": "suspend", "cancellation": "cancel-job"}[what]
		if last.Action != action || last.Status != w.Code || last.Code == nil || *last.Code != 0 || last.Error != "" {
			t.Errorf("%s: the audit record of the outcome is %+v", what, last)
		}
	}
}
