package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Each client can send a burst of requests, and then as many as the rate allows.
func TestLimiterAllowsBurstAndRate(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	l := newLimiter(2, 3)
	want := func(client string, allowed int) {
		t.Helper()
		for i := range allowed + 1 {
			if got := l.take(client, now) == 0; got != (i < allowed) {
				t.Errorf("request %d of %s: allowed %v", i+1, client, got)
			}
		}
	}
	want("a", 3)
	want("b", 3)
	now = now.Add(499 * time.Millisecond)
	want("a", 0)
	now = now.Add(time.Millisecond)
	want("a", 1)
	now = now.Add(time.Second)
	want("a", 2)
	now = now.Add(time.Hour)
	want("a", 3)
	now = now.Add(-24 * time.Hour)
	want("a", 0)
}

// The limiter remembers 4096 callers. A new one makes it forget those that could send a full burst again, but not one
// that has used up its burst.
func TestLimiterForgetsOnlyIdleClients(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	l := newLimiter(1, 2)
	for i := range 4095 {
		l.take(fmt.Sprint("idle ", i), now)
	}
	now = now.Add(time.Minute)
	for range 3 {
		l.take("busy", now)
	}
	if len(l.callers) != 4096 || l.take("busy", now) == 0 {
		t.Errorf("%d callers are remembered, want 4096; or the busy caller is allowed", len(l.callers))
	}
	l.take("another", now)
	if len(l.callers) != 2 || l.take("busy", now) == 0 {
		t.Errorf("%d callers are remembered, want 2; or the busy caller is allowed", len(l.callers))
	}
	for i := range 5000 { // none of them is idle
		l.take(fmt.Sprint("new ", i), now)
	}
	if n := len(l.callers); n > 4096 {
		t.Errorf("%d callers are remembered, want at most 4096", n)
	}
}

// A body can have 64 KiB.
func TestBodyLimit(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend?dry_run=true"
	env.want("largest body",
		env.request("HV01", "tim", http.MethodPost, suspend, "{}"+strings.Repeat(" ", 65534)), 200, "")
	env.want("body too large",
		env.request("HV01", "tim", http.MethodPost, suspend, "{}"+strings.Repeat(" ", 65535)), 413, "too-large")
}

// The body is JSON, whatever parameters the media type has.
func TestContentType(t *testing.T) {
	env := newTestEnv(t)
	suspend := env.replicaPath(vmReplicating, "primary") + "/actions/suspend?dry_run=true"
	for media, code := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "APPLICATION/JSON": 200,
		"application/jsonp": 415, "text/json": 415, "": 415, "application/json, text/plain": 415,
	} {
		if r := env.request("HV01", "tim", http.MethodPost, suspend, nil, "Content-Type", media); r.code != code {
			t.Errorf("Content-Type %q: got %s, want %d", media, r, code)
		}
	}
}

// The Host header must be a loopback name, an allowed name, or the address of the connection.
func TestAllowedHosts(t *testing.T) {
	g := &gate{hosts: []string{"HV01.contoso.com", "192.0.2.99", "2001:db8::99"}}
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:10484": true, "localhost.": true, "127.0.0.1:10484": true, "[::1]:10484": true,
		"hv01.contoso.com": true, "HV01.CONTOSO.COM:10484": true, "hv01.contoso.com.:10484": true,
		"192.0.2.99:10484": true, "[2001:db8::99]:10484": true,
		"192.0.2.1": true, "192.0.2.1:80": true, // the address of the connection
		"192.0.2.2": false, "hv01": false, "contoso.com": false, "xhv01.contoso.com": false, "hv01.contoso.com.evil": false,
		"localhost.evil": false, "": false, "evil": false, "[2001:db8::1]": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		local := &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 10484}
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
		r.Host = host
		if got := g.allowsHost(r); got != want {
			t.Errorf("Host %q: allowed %v, want %v", host, got, want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if r.Host = "192.0.2.1"; g.allowsHost(r) {
		t.Error("an address is allowed although that of the connection is not known")
	}
}
