package exporter

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/internal/logging"
)

// connectionLimits limit the connections of strangers: the exporter toolkit checks passwords, which needs much
// processor time, before a request can be counted for a user. Several listeners share the limits.
type connectionLimits struct {
	total, perAddress int
	logger            log.Logger

	mu        sync.Mutex
	open      int
	addresses map[netip.Prefix]int // open connections by address, of IPv6 by network
}

func newConnectionLimits(total, perAddress int, logger log.Logger) *connectionLimits {
	return &connectionLimits{
		total: total, perAddress: perAddress, logger: logging.NewLimited(logger, 10, time.Minute),
		addresses: map[netip.Prefix]int{},
	}
}

// listener returns l with the limits. It closes connections above the limits at once.
func (c *connectionLimits) listener(l net.Listener) net.Listener { return &limitedListener{l, c} }

type limitedListener struct {
	net.Listener
	limits *connectionLimits
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address := addressOf(conn.RemoteAddr())
		if l.limits.take(address) {
			return &limitedConn{conn, sync.OnceFunc(func() { l.limits.give(address) })}, nil
		}
		level.Warn(l.limits.logger).Log("msg", "connection rejected, too many connections", "remote", conn.RemoteAddr())
		_ = conn.Close()
	}
}

// take counts a connection and reports whether it is within the limits. An address can have at most as many connections
// as are free, so that a few addresses leave room for others.
func (c *connectionLimits) take(address netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.addresses[address]; n >= c.perAddress || n >= c.total-c.open {
		return false
	}
	c.open++
	c.addresses[address]++
	return true
}

func (c *connectionLimits) give(address netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.addresses[address]--; c.addresses[address] == 0 {
		delete(c.addresses, address)
	}
}

// addressOf returns what the connections of a client are counted by: its IPv4 address, or its IPv6 network of 64 bits,
// in which a client can choose its address.
func addressOf(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

// limitedConn is a connection that is counted until it is closed.
type limitedConn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
