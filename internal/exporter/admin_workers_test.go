package exporter_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// addOperator adds the operator tim to the files of exportertest.AdminArgs, and leaves the role failover to omar.
func addOperator(t *testing.T, args []string, policy string) {
	t.Helper()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range args {
		if file, ok := strings.CutPrefix(a, "--admin.web.config.file="); ok {
			users, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, hash, _ := strings.Cut(strings.TrimSpace(string(users)), "omar: ")
			write(file, fmt.Sprintf("%s  tim: %s\n", users, hash))
		}
	}
	write(policy, "rules: [{users: [tim], role: operator, vms: all}, {users: [omar], role: failover, vms: all}]\n...\n")
}

// Calls of an operator that hang on all workers do not delay a user with the role failover.
func TestHungCallsOfAnOperatorDelayNoFailover(t *testing.T) {
	args, policy := exportertest.AdminArgs(t)
	addOperator(t, args, policy)
	p := exportertest.Start(t, append(args, "--wmi.workers=1", "--wmi.max-stuck-workers=0",
		"--simulator.fault=hung=TestReplicationConnection")...)
	url := p.AdminURL(t)
	vms := replicating(t, url)
	operator, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		url+"/api/v1/replicas/"+vms[0]+"/primary/actions/test-connection", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	operator.SetBasicAuth("tim", "test")
	operator.Header.Set("Content-Type", "application/json")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if response, err := http.DefaultClient.Do(operator); err == nil {
			response.Body.Close()
		}
	}()
	p.Logs.Await(t, `msg="calling the host" action=(\S+)`)
	suspend := url + "/api/v1/replicas/" + vms[1] + "/primary/actions/suspend"
	response, body := exportertest.Post(t, suspend, "{}")
	if response.StatusCode >= 300 || !strings.Contains(body, `"return_code":`) {
		t.Errorf("the host has not answered the call of the user with the role failover: %d %s", response.StatusCode, body)
	}
	p.Stop()
	<-answered
}

// The limits of connections apply to the admin endpoint.
func TestConnectionsToTheAdminEndpointAreLimited(t *testing.T) {
	args, _ := exportertest.AdminArgs(t)
	p := exportertest.Start(t, append(args, "--admin.max-connections-per-address=2")...)
	address := strings.TrimPrefix(p.AdminURL(t), "http://")
	for i := range 3 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		n, _ := conn.Read(make([]byte, 10))
		if served := n > 0; served != (i < 2) {
			t.Errorf("connection %d is served: %v", i+1, served)
		}
	}
}
