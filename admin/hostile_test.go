package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// raw sends bytes over a socket of its own, and reads the status of the answer.
func (env *testEnv) raw(host, text string) (status string, rest string) {
	env.Helper()
	conn, err := (&net.Dialer{}).DialContext(env.Context(), "tcp", env.hosts[host].http.Listener.Addr().String())
	if err != nil {
		env.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		env.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		env.Fatalf("%q: %v", text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		env.Fatal(err)
	}
	return resp.Status, string(body)
}

// What no client library sends: ways around the path, two lengths, two hosts.
func TestRawRequests(t *testing.T) {
	env := newTestEnv(t)
	const olga = "Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\n" // olga:correct horse
	suspend := env.replica(vmReplicating, "primary") + "/actions/suspend"
	post := func(path, headers, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, olga, headers, len(body), body)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"as it should be", post(suspend+"?dry_run=true", "", "{}"), "200"},
		{"dots", post("/api/v1/jobs/../replicas/"+env.vms[vmReplicating]+"/primary/actions/suspend", "", "{}"), "307"},
		{"dots that are escaped", post("/api/v1/replicas/%2e%2e/%2e%2e/-/reload", "", "{}"), "404"},
		{"a slash that is escaped", post("/api/v1/replicas/"+env.vms[vmReplicating]+"%2fprimary/actions/suspend", "", "{}"), "404"},
		{"two slashes", post("//api/v1/replicas/"+env.vms[vmReplicating]+"/primary/actions/suspend", "", "{}"), "307"},
		{"a slash at the end", post(suspend+"/", "", "{}"), "404"},
		{"another case", post(strings.ToUpper(suspend), "", "{}"), "404"},
		{"a backslash", post("/api/v1/replicas/..\\reload/primary/actions/suspend", "", "{}"), "404"},
		{"NUL", post("/api/v1/jobs/%00/cancel", "", "{}"), "404"},
		{"an absolute URL of another host", post("http://evil.example"+suspend, "", "{}"), "403"},
		{"two Host headers", post(suspend, "Host: evil.example\r\n", "{}"), "400"},
		{"two lengths", post(suspend, "Content-Length: 5\r\n", "{}"), "400"},
		{"no Host", "GET /api/v1/replicas HTTP/1.1\r\n" + olga + "\r\n", "400"},
		{"an override", "GET " + suspend + " HTTP/1.1\r\nHost: localhost\r\n" + olga + "X-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n", "405"},
		{"HTTP/1.0", "GET " + suspend + " HTTP/1.0\r\nHost: localhost\r\n" + olga + "\r\n", "405"},
	} {
		status, body := env.raw("HV01", tt.text)
		if !strings.HasPrefix(status, tt.want) {
			t.Errorf("%s: %s %s, want %s", tt.name, status, body, tt.want)
		}
		if strings.Contains(body, "horse") {
			t.Errorf("%s: the answer has the password: %s", tt.name, body)
		}
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
}

// A body that does not come is not waited for.
func TestSlowBody(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	status, body := env.raw("HV01", "POST "+env.replica(vmReplicating, "primary")+"/actions/suspend HTTP/1.1\r\nHost: localhost\r\n"+
		"Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"dry_run\"")
	if !strings.HasPrefix(status, "400") || !strings.Contains(body, "cannot be read") {
		t.Errorf("the answer is %s %s", status, body)
	}
	env.want("the next", env.act("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}), 200, "")
}

// Of many who want the same at once, one gets it: one call, and the others are told.
func TestTwoOperators(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.wait = make(chan struct{})
	answers := make(chan response)
	for i := range 8 {
		go func() {
			user := []string{"tim", "olga"}[i%2]
			answers <- env.act("HV01", user, vmReplicating, "primary", "suspend", nil, headerIdempotencyKey, fmt.Sprint(user, i))
		}()
	}
	for range 7 { // all but the one whose call waits
		env.want("another one", <-answers, 409, "busy")
	}
	close(spy.wait)
	env.finish("the one", "HV01", <-answers, "succeeded")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls were made", n)
	}
}

// Parameters with XML, WQL and paths in them stay data, or are refused.
func TestHostileParameters(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	evil := `</VALUE></PROPERTY></INSTANCE><INSTANCE CLASSNAME="Msvm_X"><PROPERTY NAME="TrustGroup" TYPE="string"><VALUE>' OR 1=1 --`
	r := env.method("HV01", "omar", "AddAuthorizationEntry", object{"parameters": object{"AuthorizationEntry": object{
		"AllowedPrimaryHostSystem": "hv09.contoso.com", "ReplicaStorageLocation": `D:\x`, "TrustGroup": evil,
	}}})
	env.want("markup", r, 200, "")
	for _, entry := range env.entries("HV01") {
		if msvm.StringOrEmpty(entry.AllowedPrimaryHostSystem) == "hv09.contoso.com" && msvm.StringOrEmpty(entry.TrustGroup) != evil {
			t.Errorf("the trust group became %q", msvm.StringOrEmpty(entry.TrustGroup))
		}
	}
	for _, target := range []string{
		vm + `" OR Name LIKE "%`, `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + vm + `" OR ""="`, `\\evil\root\virtualization\v2:Msvm_ComputerSystem.Name="x"`,
		`Win32_Process.Handle="4"`, "../" + vm, vm + "\x00", strings.Repeat("A", 900),
	} {
		r := env.method("HV01", "omar", "CommitFailover", object{"parameters": object{"ComputerSystem": target}})
		if r.code != 400 && r.code != 404 {
			t.Errorf("%q: %s", target, r)
		}
	}
	if calls := env.hosts["HV01"].pool.calls; len(calls) != 1 {
		t.Errorf("the calls are %v", calls)
	}
}

// A token is good once, for what it was given for, and for whom.
func TestTokens(t *testing.T) {
	env := newTestEnv(t)
	token := func(user string, vm int, verb string) response {
		first := env.act("HV02", user, vm, "primary", verb, nil)
		env.want("first step", first, 409, "confirmation-required")
		return first
	}
	other := 2 // as vmReplicating, but another VM
	first := token("fred", vmReplicating, "failover")
	second := env.second("HV02", vmReplicating, first, nil)
	elsewhere := env.second("HV02", other, first, nil)
	env.want("of another VM", env.act("HV02", "fred", other, "primary", "failover", elsewhere), 409, "confirmation-invalid")
	env.want("presented in vain, it is void", env.act("HV02", "fred", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.second("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.want("of another user", env.act("HV02", "omar", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.second("HV02", vmReplicating, token("omar", vmReplicating, "remove"), nil)
	env.want("of another action", env.act("HV02", "omar", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.second("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.clock.Advance(10 * time.Minute)
	env.want("too old", env.act("HV02", "fred", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	second = env.second("HV02", vmReplicating, token("fred", vmReplicating, "failover"), nil)
	env.finish("good once", "HV02", env.act("HV02", "fred", vmReplicating, "primary", "failover", second), "succeeded")
	env.finish("take it back", "HV02", env.confirmed("HV02", "fred", vmReplicating, "cancel-failover", nil), "succeeded")
	env.want("replayed", env.act("HV02", "fred", vmReplicating, "primary", "failover", second), 409, "confirmation-invalid")
	text, err := os.ReadFile(filepath.Join(env.hosts["HV02"].folder, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{second["confirmation_token"].(string), password, "b2xnYTpj"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the audit log has the secret %q", secret)
		}
	}
}

// On a full disk nothing is done: /dev/full is one.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("there is no /dev/full here; TestNoAudit shows the same with a closed file")
		return
	}
	env := newTestEnv(t)
	e := env.hosts["HV01"]
	path := filepath.Join(e.folder, auditFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	r := env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil)
	env.want("suspend", r, 503, "audit-unavailable")
	env.want("end to end", env.confirmedRefused("HV01", "omar", vmReplicating, "remove"), 503, "audit-unavailable")
	if n := e.pool.callCount(); n > 0 {
		t.Errorf("%d calls were made", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := e.server.audit.Reopen(); err != nil {
		t.Fatal(err)
	}
	env.finish("with room again", "HV01", env.act("HV01", "tim", vmReplicating, "primary", "suspend", nil), "succeeded")
}

// confirmedRefused is the second step of what destroys, whose answer is a refusal.
func (env *testEnv) confirmedRefused(host, user string, vm int, verb string) response {
	env.Helper()
	first := env.act(host, user, vm, "primary", verb, nil)
	return env.act(host, user, vm, "primary", verb, env.second(host, vm, first, nil))
}
