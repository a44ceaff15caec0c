//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// interval is how far the clock of the simulated host moves before each scrape.
const interval = 15 * time.Second

// movingHost is a simulated host whose clock moves in steps.
type movingHost struct {
	*simulator.World
	steps atomic.Int64
}

func newMovingHost(vms int) (*movingHost, error) {
	h := &movingHost{}
	begin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return begin.Add(time.Duration(h.steps.Load()) * interval) }
	var err error
	h.World, err = simulator.New(simulator.Config{VMs: vms, Seed: 1, Now: now, Scenario: "healthy"})
	return h, err
}

// step moves the clock to the time of the next scrape.
func (h *movingHost) step() { h.steps.Add(1) }

// newExporter returns the exporter with its default flags, except that the load of the machine cannot make it late.
func (h *movingHost) newExporter(open func() (wmiquery.Session, error)) (*exporter.Embedded, error) {
	return exporter.NewEmbedded([]string{"--scrape.timeout=2m", "--wmi.call-timeout=2m"}, open, h.Now)
}

// openExporter returns the exporter on a host whose clock moves before each scrape.
func openExporter(vms int) (http.Handler, error) {
	host, err := newMovingHost(vms)
	if err != nil {
		return nil, err
	}
	e, err := host.newExporter(host.Open)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host.step()
		e.ServeHTTP(w, r)
	}), nil
}

// openHost returns a handler that sends to the host what the exporter sends in one scrape, as often as the parameter
// scrapes of a request says, and does nothing with what the host answers.
func openHost(vms int) (http.Handler, error) {
	host, err := newMovingHost(vms)
	if err != nil {
		return nil, err
	}
	requests, err := host.recordRequests()
	if err != nil {
		return nil, err
	}
	session, err := host.Open()
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("scrapes"))
		for range n {
			host.step()
			for _, send := range requests {
				err = errors.Join(err, send(session))
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}), nil
}

// recordRequests returns what the exporter sends to the host in its second scrape.
func (h *movingHost) recordRequests() ([]func(wmiquery.Session) error, error) {
	log := &requestLog{}
	e, err := h.newExporter(func() (wmiquery.Session, error) {
		s, err := h.Open()
		return loggedSession{s, log}, err
	})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	for range 2 {
		log.requests = nil
		h.step()
		w := &discard{header: http.Header{}}
		if e.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/metrics"}}); w.status != http.StatusOK {
			return nil, fmt.Errorf("scrape: status %d", w.status)
		}
	}
	return log.requests, nil
}

// discard is a response that is not kept.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// requestLog contains requests to a host, which can be sent again.
type requestLog struct {
	mu       sync.Mutex
	requests []func(wmiquery.Session) error
}

func (l *requestLog) add(send func(wmiquery.Session) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, send)
}

// loggedSession logs the requests that collectors send.
type loggedSession struct {
	wmiquery.Session
	log *requestLog
}

func (s loggedSession) Read(dst any) error {
	rows := reflect.TypeOf(dst).Elem()
	s.log.add(func(s wmiquery.Session) error { return s.Read(reflect.New(rows).Interface()) })
	return s.Session.Read(dst)
}

func (s loggedSession) Call(call wmiquery.Call) (wmiquery.Reply, error) {
	s.log.add(func(s wmiquery.Session) error {
		_, err := s.Call(call)
		return err
	})
	return s.Session.Call(call)
}

func (s loggedSession) Associated(dst any, of wmiquery.Ref, association wmiquery.Class) error {
	rows := reflect.TypeOf(dst).Elem()
	s.log.add(func(s wmiquery.Session) error { return s.Associated(reflect.New(rows).Interface(), of, association) })
	return s.Session.Associated(dst, of, association)
}
