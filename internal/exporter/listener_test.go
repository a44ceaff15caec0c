package exporter

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/logging/loggingtest"

	"github.com/go-kit/log"
)

// An address can have a number of connections, and not more than are free. Connections that are closed do not count.
func TestConnectionLimits(t *testing.T) {
	c := newConnectionLimits(12, 5, log.NewNopLogger())
	open := func(ip string, want int) {
		t.Helper()
		n := 0
		for ; n < 20 && c.take(addressOf(&net.TCPAddr{IP: net.ParseIP(ip), Port: 1000 + n})); n++ {
			continue
		}
		if n != want {
			t.Errorf("%s has %d more connections, want %d", ip, n, want)
		}
	}
	closed := func(ip string) { c.give(addressOf(&net.TCPAddr{IP: net.ParseIP(ip)})) }
	open("192.0.2.1", 5)
	open("192.0.2.2", 4) // three are free
	open("192.0.2.3", 2)
	open("192.0.2.4", 1)
	open("192.0.2.5", 0) // none is free
	open("192.0.2.1", 0)
	closed("192.0.2.4")
	open("192.0.2.5", 1)
	for range 5 {
		closed("192.0.2.1")
	}
	open("192.0.2.1", 3)
}

// Connections are counted by IPv4 address, and by IPv6 network of 64 bits.
func TestAddressesOfConnections(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"::ffff:192.0.2.1":     "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::1":      "2001:db8:1:2::/64",
	} {
		if got := addressOf(&net.TCPAddr{IP: net.ParseIP(address), Port: 1}).String(); got != want {
			t.Errorf("%s is counted as %s, want %s", address, got, want)
		}
	}
	if got := addressOf(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}).String(); got != "fe80::/64" {
		t.Errorf("an address with a zone is counted as %s", got)
	}
}

// A listener closes connections above the limit, logs them, and accepts others when one is closed.
func TestLimitedListener(t *testing.T) {
	logs := &loggingtest.Buffer{}
	limits := newConnectionLimits(10, 2, log.NewLogfmtLogger(logs))
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limits.listener(inner)
	defer l.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			fmt.Fprint(conn, "hello")
			accepted <- conn
		}
	}()
	dial := func(want string) {
		t.Helper()
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		got := make([]byte, 5)
		n, _ := io.ReadFull(conn, got)
		if string(got[:n]) != want {
			t.Errorf("got %q, want %q", got[:n], want)
		}
	}
	dial("hello")
	dial("hello")
	dial("")
	if !strings.Contains(logs.String(), `msg="connection rejected, too many connections" remote=127.0.0.1:`) {
		t.Errorf("the log is\n%s", logs)
	}
	first := <-accepted
	first.Close()
	first.Close() // counts once
	dial("hello")
	dial("")
}
