package admin

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// A token is valid for less than three minutes.
func TestTokenExpiresAfterThreeMinutes(t *testing.T) {
	env := newTestEnv(t)
	reset := func(payload any) response {
		return env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", payload)
	}
	for _, tt := range []struct {
		age  time.Duration
		code int
		slug string
	}{
		{3*time.Minute + time.Nanosecond, 409, "confirmation-invalid"},
		{3 * time.Minute, 409, "confirmation-invalid"},
		{3*time.Minute - time.Nanosecond, 202, ""},
	} {
		first := reset(nil)
		env.want("first request", first, 409, "confirmation-required")
		got, _ := first.json["expires"].(string)
		want := env.clock.Now().Add(3 * time.Minute).Format(time.RFC3339Nano)
		if got != want {
			t.Errorf("expires is %s, want %s", got, want)
		}
		second := env.confirmation("HV02", vmReplicating, first, nil)
		env.clock.Advance(tt.age)
		env.want("token of age "+tt.age.String(), reset(second), tt.code, tt.slug)
	}
}

// A user can have 500 tokens. A token that was used or has expired does not count, and neither do those of other users.
func TestTokensPerUserAreLimited(t *testing.T) {
	env := newTestEnv(t)
	reset := func(user string, payload any) response {
		return env.postAction("HV02", user, vmReplicating, "primary", "reset-statistics", payload)
	}
	var last response
	request := func(n int) {
		t.Helper()
		if n > 10 { // the first ones without requests, which take long
			env.issueTokens("HV02", authz.Principal{User: "olga"}, n-10)
			n = 10
		}
		for range n {
			last = reset("olga", nil)
			env.want("request within the limit", last, 409, "confirmation-required")
		}
		env.want("request above the limit", reset("olga", nil), http.StatusTooManyRequests, "rate-limited")
	}
	request(500)
	env.want("request of another user", reset("fred", nil), 409, "confirmation-required")
	env.want("request of the same user with a certificate",
		env.postAction("HV02", "olga", vmReplicating, "primary", "reset-statistics", nil, headerSubject, "ops"),
		409, "confirmation-required")
	wrong := env.confirmation("HV02", vmReplicating, last, nil)
	env.want("token of another user", reset("fred", wrong), 409, "confirmation-invalid")
	request(1) // the used token does not count any more
	env.clock.Advance(3*time.Minute - time.Nanosecond)
	request(0)
	env.clock.Advance(time.Nanosecond)
	request(500)
}

// issueTokens issues tokens of a caller that confirm nothing.
func (env *testEnv) issueTokens(host string, caller authz.Principal, n int) {
	for range n {
		env.hosts[host].server.confirmations.issue(caller.Identity(), sha256.Sum256(nil), nil)
	}
}

// There are at most 5000 tokens, however many users request them. Expired tokens do not count.
func TestTokensAreLimited(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c := newConfirmations(func() time.Time { return now }, nil)
	issue := func(user string) bool {
		_, _, ok := c.issue(user, sha256.Sum256(nil), nil)
		return ok
	}
	for range 2 {
		for i := range 5000 {
			if !issue(fmt.Sprint("user", i%20)) {
				t.Fatalf("token %d is refused", i+1)
			}
		}
		if issue("another") {
			t.Error("token 5001 is issued")
		}
		now = now.Add(3 * time.Minute)
	}
}

// A token stays valid if the rest of the confirmation is wrong. The name of the VM must be exact.
func TestIncompleteConfirmationDoesNotUseUpTheToken(t *testing.T) {
	env := newTestEnv(t)
	failover := func(payload any) response {
		return env.postAction("HV02", "fred", vmReplicating, "primary", "failover", payload)
	}
	first := failover(nil)
	name := env.vmName("HV02", vmReplicating)
	for _, tt := range []struct {
		what   string
		change object
		code   int
		slug   string
	}{
		{"no reason", object{"reason": ""}, 409, "confirmation-invalid"},
		{"no name", object{"vm_name": ""}, 409, "confirmation-invalid"},
		{"name in another case", object{"vm_name": strings.ToUpper(name)}, 409, "confirmation-invalid"},
		{"part of the name", object{"vm_name": name[1:]}, 409, "confirmation-invalid"},
		{"name of the host", object{"vm_name": "HV02"}, 409, "confirmation-invalid"},
		{"no limit of the data loss", object{"max_data_loss_seconds": nil}, 409, "confirmation-invalid"},
		{"limit exceeded", object{"max_data_loss_seconds": 0}, 412, "data-loss-exceeded"},
		{"another expected state", object{"expected_state": "recovered"}, 412, "precondition-failed"},
	} {
		env.want(tt.what, failover(env.confirmation("HV02", vmReplicating, first, tt.change)), tt.code, tt.slug)
	}
	if n := env.hosts["HV02"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
	if strings.ToUpper(name) == name {
		t.Errorf("the name %s has no lower case", name)
	}
	if got := testutil.ToFloat64(env.hosts["HV02"].server.metrics.refused); got != 7 {
		t.Errorf("%v refused confirmations are counted, want 7", got) // the expected state is not a confirmation
	}
	env.want("complete confirmation", failover(env.confirmation("HV02", vmReplicating, first, nil)), 202, "")
}

// The accepted data loss includes a loss that is exactly at the limit.
func TestDataLossLimitIsInclusive(t *testing.T) {
	for _, tt := range []struct {
		lag      time.Duration
		accepted float64
		code     int
		slug     string
	}{
		{300 * time.Second, 299.999, 412, "data-loss-exceeded"},
		{300 * time.Second, 300, 202, ""},
		{300 * time.Second, 300.001, 202, ""},
		{time.Second, 0, 412, "data-loss-exceeded"},
		{0, 0, 202, ""},
		{0, -0.001, 400, "bad-request"},
	} {
		env := newTestEnv(t)
		at := env.clock.Now().Add(-tt.lag)
		env.hosts["HV02"].pool.onRead = func(dst any) {
			if rows, ok := dst.(*[]msvm.ReplicationRelationship); ok {
				for i := range *rows {
					(*rows)[i].LastReplicationTime = &at
				}
			}
		}
		first := env.postAction("HV02", "fred", vmReplicating, "primary", "failover", nil)
		second := env.confirmation("HV02", vmReplicating, first,
			object{"max_data_loss_seconds": tt.accepted, "accept_unknown_loss": false})
		env.want(fmt.Sprintf("lag %s, accepted %v s", tt.lag, tt.accepted),
			env.postAction("HV02", "fred", vmReplicating, "primary", "failover", second), tt.code, tt.slug)
	}
}
