package admin

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"hyperv_replica_exporter/internal/filetest"
)

// If the exporter stops during the call of a cancellation, a request with the same Idempotency-Key does not call the
// host again after the next start.
func TestCancelIsNotRepeatedAfterACrash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("the file of the store cannot be copied while it is open")
		return
	}
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	started := env.startFakeJob(e.pool)
	cancel := started.header.Get("Location") + "/cancel"
	release := env.blockedCall(func() response {
		return env.request("HV01", "tim", http.MethodPost, cancel, nil, headerIdempotencyKey, "k")
	})
	text, err := os.ReadFile(filepath.Join(e.folder, storeFile))
	if err != nil {
		t.Fatal(err)
	}
	folder := filetest.Dir(t)
	env.writeFile(filepath.Join(folder, storeFile), string(text))
	env.want("cancel", release(), 202, "")
	env.startEndpoint("HV01", folder)
	env.want("cancel after the crash",
		env.request("HV01", "tim", http.MethodPost, cancel, nil, headerIdempotencyKey, "k"), 409, "idempotency-conflict")
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls after the crash, want 0", n)
	}
}
