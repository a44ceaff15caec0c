package exporter

import (
	"context"
	"net"
	"strings"
	"testing"
)

// listenerAt is a listener with an address that it does not really have.
type listenerAt struct {
	net.Listener
	address net.Addr
	closed  *bool
}

func (l listenerAt) Addr() net.Addr { return l.address }
func (l listenerAt) Close() error   { *l.closed = true; return nil }

// A name in --admin.listen-address that resolves to an address other than loopback is refused, and nothing keeps
// listening.
func TestAdminAddressThatResolvesOffLoopback(t *testing.T) {
	closed := [2]bool{}
	listen := func(context.Context, []string) ([]net.Listener, error) {
		return []net.Listener{
			listenerAt{address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 10484}, closed: &closed[0]},
			listenerAt{address: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 10484}, closed: &closed[1]},
		}, nil
	}
	c := &adminConfig{enabled: true, addresses: []string{"localhost:10484"}}
	listeners, err := listenAdmin(t.Context(), c, listen)
	if err == nil || len(listeners) > 0 || !strings.Contains(err.Error(), "192.0.2.10:10484") {
		t.Errorf("%d listeners, error %v; want none and an error that names the address", len(listeners), err)
	}
	if closed != [2]bool{true, true} {
		t.Errorf("listeners closed: %v, want both", closed)
	}
}
