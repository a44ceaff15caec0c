package admin

import (
	"net/http"
	"testing"
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
