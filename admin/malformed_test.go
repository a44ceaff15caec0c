package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// sendRaw sends bytes over a new connection, and returns the status and the body of the response.
func (env *testEnv) sendRaw(host, text string) (status string, rest string) {
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

// Requests that no client library sends: other spellings of the path, two lengths, two hosts.
func TestMalformedRequests(t *testing.T) {
	env := newTestEnv(t)
	const olga = "Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\n" // olga:correct horse
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend"
	post := func(path, headers, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\n%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, olga, headers, len(body), body)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"valid request", post(suspend+"?dry_run=true", "", "{}"), "200"},
		{"dot segments", post("/api/v1/jobs/../replicas/"+env.vms[vmReplicating]+"/primary/actions/suspend", "", "{}"), "307"},
		{"escaped dot segments", post("/api/v1/replicas/%2e%2e/%2e%2e/-/reload", "", "{}"), "404"},
		{"escaped slash", post("/api/v1/replicas/"+env.vms[vmReplicating]+"%2fprimary/actions/suspend", "", "{}"), "404"},
		{"two slashes", post("//api/v1/replicas/"+env.vms[vmReplicating]+"/primary/actions/suspend", "", "{}"), "307"},
		{"trailing slash", post(suspend+"/", "", "{}"), "404"},
		{"upper case", post(strings.ToUpper(suspend), "", "{}"), "404"},
		{"backslash", post("/api/v1/replicas/..\\reload/primary/actions/suspend", "", "{}"), "404"},
		{"NUL", post("/api/v1/jobs/%00/cancel", "", "{}"), "404"},
		{"absolute URL of another host", post("http://evil.example"+suspend, "", "{}"), "403"},
		{"two Host headers", post(suspend, "Host: evil.example\r\n", "{}"), "400"},
		{"two lengths", post(suspend, "Content-Length: 5\r\n", "{}"), "400"},
		{"without a Host header", "GET /api/v1/replicas HTTP/1.1\r\n" + olga + "\r\n", "400"},
		{"method override", "GET " + suspend + " HTTP/1.1\r\nHost: localhost\r\n" + olga + "X-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n", "405"},
		{"query with a semicolon", post(suspend+"?dry_run=true;", "", "{}"), "400"},
		{"query with a percent sign", post(suspend+"?dry_run=true%", "", "{}"), "400"},
		{"HTTP/1.0", "GET " + suspend + " HTTP/1.0\r\nHost: localhost\r\n" + olga + "\r\n", "405"},
	} {
		status, body := env.sendRaw("HV01", tt.text)
		if !strings.HasPrefix(status, tt.want) {
			t.Errorf("%s: got %s %s, want %s", tt.name, status, body, tt.want)
		}
		if strings.Contains(body, "horse") {
			t.Errorf("%s: the response contains the password: %s", tt.name, body)
		}
	}
	if n := env.hosts["HV01"].pool.callCount(); n > 0 {
		t.Errorf("%d calls, want 0", n)
	}
}

// A body that does not arrive in time is rejected.
func TestSlowBodyIsRejected(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.BodyTimeout = 50 * time.Millisecond })
	status, body := env.sendRaw("HV01",
		"POST "+env.replicaPath(vmReplicating, "primary")+"/actions/suspend HTTP/1.1\r\nHost: localhost\r\n"+
			"Authorization: Basic b2xnYTpjb3JyZWN0IGhvcnNl\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"dry_run\"")
	if !strings.HasPrefix(status, "400") || !strings.Contains(body, "cannot be read") {
		t.Errorf("the response is %s %s", status, body)
	}
	env.want("next request", env.postAction("HV01", "tim", vmReplicating, "primary", "suspend", object{"dry_run": true}),
		200, "")
}

// Of many concurrent requests for the same action, one calls the host. The others are refused as busy.
func TestConcurrentRequestsCallTheHostOnce(t *testing.T) {
	env := newTestEnv(t)
	spy := env.hosts["HV01"].pool
	spy.block = make(chan struct{})
	responses := make(chan response)
	for i := range 8 {
		go func() {
			user := []string{"tim", "olga"}[i%2]
			responses <- env.postAction("HV01", user, vmReplicating, "primary", "suspend", nil, headerIdempotencyKey,
				fmt.Sprint(user, i))
		}()
	}
	for range 7 { // all but the one whose call blocks
		env.want("concurrent request", <-responses, 409, "busy")
	}
	close(spy.block)
	env.waitForJob("accepted request", "HV01", <-responses, "succeeded")
	if n := spy.callCount(); n != 1 {
		t.Errorf("%d calls, want 0", n)
	}
}

// XML, WQL and object paths in parameters are treated as data or rejected.
func TestInjectionInParameters(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmReplicating]
	evil := `</VALUE></PROPERTY></INSTANCE><INSTANCE CLASSNAME="Msvm_X"><PROPERTY NAME="TrustGroup" TYPE="string"><VALUE>' OR 1=1 --`
	r := env.postMethodConfirmed("HV01", "omar", "AddAuthorizationEntry", object{"parameters": object{"AuthorizationEntry": object{
		"AllowedPrimaryHostSystem": "hv09.contoso.com", "ReplicaStorageLocation": `D:\x`, "TrustGroup": evil,
	}}})
	env.want("XML in a property", r, 200, "")
	for _, entry := range env.authorizationEntries("HV01") {
		if msvm.StringOrEmpty(entry.AllowedPrimaryHostSystem) == "hv09.contoso.com" &&
			msvm.StringOrEmpty(entry.TrustGroup) != evil {
			t.Errorf("the trust group is %q", msvm.StringOrEmpty(entry.TrustGroup))
		}
	}
	for _, target := range []string{
		vm + `" OR Name LIKE "%`, `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + vm + `" OR ""="`,
		`\\evil\root\virtualization\v2:Msvm_ComputerSystem.Name="x"`,
		`Win32_Process.Handle="4"`, "../" + vm, vm + "\x00", strings.Repeat("A", 900),
	} {
		r := env.postMethod("HV01", "omar", "CommitFailover", object{"parameters": object{"ComputerSystem": target}})
		if r.code != 400 && r.code != 404 {
			t.Errorf("target %q: %s, want 400 or 404", target, r)
		}
	}
	if calls := env.hosts["HV01"].pool.calls; len(calls) != 1 {
		t.Errorf("the calls are %v, want one", calls)
	}
}
