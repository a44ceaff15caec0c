//go:build !windows

package abuse_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// abuse is what clients do at the same time, each on a connection of its own.
type abuse struct {
	name    string
	sends   string // on a new connection
	answers []int  // statuses of the answers; none if the client does not read
	// again makes a client that is done begin again on a new connection; others keep their connection open.
	again   bool
	scrapes bool // so many scrapes at a time that others can be refused with status 503
	clients int  // at least as many, whatever the flag says
}

const get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"

var abuses = []abuse{
	{name: "half-open connections"},
	{name: "headers without an end", sends: get + "X-Header: "},
	{name: "bodies that never come", sends: get + "Content-Length: 9\r\n\r\n", answers: []int{400}},
	{name: "readers that stop, of many requests each", sends: strings.Repeat(get+"\r\n", 50), scrapes: true},
	{
		name:  "TLS on a listener without TLS",
		sends: "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", answers: []int{400}, again: true,
	},
	{name: "noise", sends: strings.Repeat("\x00\xff\r\n", 500) + "\r\n", answers: []int{400}, again: true},
	{
		name: "queries for collectors that do not exist", again: true, answers: []int{400},
		sends: "GET /metrics?" + strings.Repeat("collect[]=none&", 4000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
	},
	{
		name: "queries that repeat a collector", again: true, answers: []int{400},
		sends: "GET /metrics?" + strings.Repeat("collect[]=vm&", 4000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
	},
	{
		name: "headers above the limit", again: true, answers: []int{431},
		sends: get + "X-Header: " + strings.Repeat("x", 70<<10) + "\r\n\r\n",
	},
	{name: "disconnects", sends: get + "\r\n", again: true, scrapes: true},
	{
		name: "zstd", sends: get + "Accept-Encoding: zstd\r\n\r\n", again: true, answers: []int{200, 503},
		scrapes: true, clients: 30,
	},
	{name: "50 scrapes at once", sends: get + "\r\n", answers: []int{200, 503}, again: true, scrapes: true, clients: 50},
}

// run runs the clients until during returns, which is called once each of them has done what it does. It returns how
// many answers had which status.
func (a abuse) run(t *testing.T, target string, during func()) map[int]int {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var begun, ended sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range max(*clients, a.clients) {
		begun.Add(1)
		ended.Go(func() {
			for first := true; ctx.Err() == nil && (first || a.again); first = false {
				c, status := a.connect(ctx, t, u.Host)
				if status != 0 {
					mu.Lock()
					answers[status]++
					mu.Unlock()
				}
				if first {
					begun.Done()
				}
				if !a.again {
					<-ctx.Done()
				}
				if c != nil {
					_ = c.Close()
				}
			}
		})
	}
	begun.Wait()
	during()
	stop()
	ended.Wait()
	return answers
}

// connect opens a connection, sends, and reads an answer if there should be one. It returns its status.
func (a abuse) connect(ctx context.Context, t *testing.T, address string) (net.Conn, int) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() == nil {
			t.Errorf("%s: %v", a.name, err)
		}
		return nil, 0
	}
	if a.again {
		_ = c.(*net.TCPConn).SetLinger(0) // no connections in the state TIME_WAIT
	}
	_, _ = io.WriteString(c, a.sends) // fails if the exporter does not read all of it
	if len(a.answers) == 0 {
		return c, 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return c, 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("%s: %v", a.name, err)
	}
	return c, resp.StatusCode
}
