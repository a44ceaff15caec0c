package admin

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyperv_replica_exporter/internal/logging/loggingtest"

	"github.com/go-kit/log"
)

// The log has 20 messages about rejected requests in a minute, and then the number of those that were left out.
func TestRejectedRequestsAreCountedInTheLog(t *testing.T) {
	var logs loggingtest.Buffer
	withTimedEndpoint(t, func(e *timedEndpoint) {
		for range 25 {
			e.want(http.MethodPost, "/-/reload", "{}", http.StatusForbidden, 0, "Host", "evil.example")
		}
		if n := strings.Count(logs.String(), "type=host-not-allowed"); n != 20 {
			t.Errorf("%d messages, want 20:\n%s", n, &logs)
		}
		time.Sleep(time.Minute) // fake time
		synctest.Wait()
		if !strings.Contains(logs.String(), `msg="similar messages suppressed" count=5 period=1m0s`) {
			t.Errorf("the log does not count the messages that were left out:\n%s", &logs)
		}
	}, func(o *Options) { o.Logger = log.NewLogfmtLogger(&logs) })
}
