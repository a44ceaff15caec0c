//go:build linux

package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server that this program has started, and a connection to it.
type process struct {
	variant  variant
	command  *exec.Cmd
	stdin    io.Closer // the process ends when it is closed
	conn     net.Conn
	reader   *bufio.Reader
	response bytes.Buffer  // body of the last response
	cpu      time.Duration // see cpuSinceLast
}

// startVariant starts the server of a variant.
func startVariant(ctx context.Context, v variant, vms int) (*process, error) {
	p, err := start(ctx, v.name, strconv.Itoa(vms))
	if err != nil {
		return nil, err
	}
	p.variant = v
	return p, nil
}

// start starts this program as a server, and connects to the address that it writes to standard output.
func start(ctx context.Context, mode, vms string) (*process, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, executable, serverArgument, mode, vms)
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{command: c, stdin: stdin}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		p.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimSpace(address))
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("server has not started: %w", err)
	}
	p.reader = bufio.NewReaderSize(p.conn, 256<<10)
	return p, nil
}

// stop ends the process.
func (p *process) stop() {
	if p.conn != nil {
		p.conn.Close() //nolint:errcheck // nothing is written
	}
	p.stdin.Close()      //nolint:errcheck // nothing is written
	_ = p.command.Wait() // the process may have been killed
}

// scrape scrapes a number of times. For the host alone this is one HTTP request, since the cost of HTTP is not its own.
func (p *process) scrape(times int) error {
	if !p.variant.serves {
		_, err := p.get(fmt.Sprintf("/metrics?scrapes=%d", times))
		return err
	}
	for range times {
		if _, err := p.get("/metrics"); err != nil {
			return err
		}
	}
	return nil
}

// get returns the body of a response as it was sent. It is valid until the next call.
// The request asks for what Prometheus asks for.
func (p *process) get(path string) ([]byte, error) {
	_, err := fmt.Fprintf(p.conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n"+
		"Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5\r\n"+
		"Accept-Encoding: gzip\r\n\r\n", path)
	if err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(p.reader, nil)
	if err != nil {
		return nil, err
	}
	p.response.Reset()
	_, err = p.response.ReadFrom(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s: %s", response.Status, p.response.Bytes())
	}
	return p.response.Bytes(), nil
}

// countSeries scrapes and returns the number of series.
func (p *process) countSeries() (int, error) {
	body, err := p.get("/metrics")
	if err != nil {
		return 0, err
	}
	text, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	n := 0
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), []byte("#")) {
			n++
		}
	}
	return n, lines.Err()
}

// cpuSinceLast returns the CPU time, user and system, that the process has used since the last call. So work that goes
// on after a response, such as that of the garbage collector, counts for the next measurement.
func (p *process) cpuSinceLast() (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED of Linux: the clock of the scheduler, in nanoseconds
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.command.Process.Pid<<3|sched), &t); err != nil {
		return 0, fmt.Errorf("CPU time of a server: %w", err)
	}
	before := p.cpu
	p.cpu = time.Duration(t.Nano())
	return p.cpu - before, nil
}

// memory returns the resident set of the process in bytes.
func (p *process) memory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text)) // in pages; the second is the resident set
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
