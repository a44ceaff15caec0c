package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/admin"
	"hyperv_replica_exporter/collector"
)

// grace is how long requests under way have when the program stops.
const grace = 5 * time.Second

// serve listens and serves until ctx ends, and announces when it does. It returns an error when it cannot
// start or a listener fails.
func serve(ctx context.Context, c *config, host *source, s *collector.Scraper, endpoint *admin.Server, logger log.Logger, announce func()) error {
	var ready atomic.Bool
	handler, err := newMux(c, host, s, endpoint, logger, &ready)
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, c.listenAddresses)
	if err != nil {
		return err
	}
	failed := make(chan error, len(listeners)+len(c.admin.addresses))
	servers, err := adminServers(ctx, c, endpoint, failed, logger)
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return err
	}
	reloadOnHangup(ctx, endpoint)
	// A server for each listener: the toolkit changes the server it is given.
	for _, l := range listeners {
		server := newServer(ctx, handler, logger)
		servers = append(servers, server)
		logAddress(logger, l.Addr(), c)
		go func() {
			failed <- web.Serve(l, server, &web.FlagConfig{WebConfigFile: &c.webConfigFile}, slog.New(newSlogHandler(logger, c.logLevel)))
		}()
	}
	ready.Store(true)
	announce()
	select {
	case <-ctx.Done():
		level.Info(logger).Log("msg", "stopping")
	case err = <-failed:
	}
	ready.Store(false)
	if late := shutdown(servers); late != nil {
		level.Warn(logger).Log("msg", "requests were cut off", "err", late)
	}
	return err
}

// listen opens every address or none.
func listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// shutdown lets the requests under way end, for a while.
func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop: %w", err), s.Close())
		}
	}
	return errors.Join(errs...)
}

// newServer makes a server whose requests end with ctx: scrapes under way then
// answer with what they have.
func newServer(ctx context.Context, h http.Handler, logger log.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxTimeout + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          stdlog.New(log.NewStdlibAdapter(level.Warn(logger)), "", 0),
	}
}

// newMux serves what there is: metrics, health, and a page that lists them.
func newMux(c *config, host *source, s *collector.Scraper, endpoint *admin.Server, logger log.Logger, ready *atomic.Bool) (http.Handler, error) {
	mux := http.NewServeMux()
	metrics := newMetricsHandler(c, host, s, logger)
	if endpoint != nil {
		metrics.always = append(metrics.always, endpoint.Metrics())
	}
	mux.Handle("GET "+c.telemetryPath, metrics)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, programName+" is healthy.")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, programName+" is not ready.", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, programName+" is ready.")
	})
	if c.telemetryPath != "/" {
		page, err := newLandingPage(c.telemetryPath, host.name, s.Collectors())
		if err != nil {
			return nil, err
		}
		mux.Handle("GET /{$}", page)
	}
	return mux, nil
}

func newLandingPage(telemetryPath, source string, collectors []string) (http.Handler, error) {
	links := []web.LandingLinks{
		{Address: telemetryPath, Text: "Metrics", Description: "of all collectors"},
	}
	for _, name := range collectors {
		links = append(links, web.LandingLinks{
			Address: telemetryPath + "?collect[]=" + name, Text: "Metrics of " + name, Description: "this collector alone",
		})
	}
	return web.NewLandingPage(web.LandingConfig{
		Name:        "Hyper-V Replica exporter",
		Description: "Health and statistics of Hyper-V Replica for Prometheus. Source: " + source + ".",
		Version:     version.Info(),
		Links: append(links,
			web.LandingLinks{Address: "/-/healthy", Text: "Healthy", Description: "answers while the program runs"},
			web.LandingLinks{Address: "/-/ready", Text: "Ready", Description: "answers 200 while scrapes are served"},
		),
		Profiling: "false",
	})
}

// logAddress says where to point a browser. With a web config the toolkit says
// whether that is http or https.
func logAddress(logger log.Logger, a net.Addr, c *config) {
	if c.webConfigFile != "" {
		level.Info(logger).Log("msg", "serving metrics", "address", a, "path", c.telemetryPath)
		return
	}
	host, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	level.Info(logger).Log("msg", "serving metrics", "url", "http://"+net.JoinHostPort(host, port)+c.telemetryPath)
}
