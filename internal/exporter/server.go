package exporter

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/admin"
	"hyperv_replica_exporter/internal/logging"
)

// ShutdownTimeout is how long the program waits when it stops: for running requests, for calls of the admin endpoint
// and for calls of the host, together. The program ends within five seconds.
const ShutdownTimeout = 4 * time.Second

// newStopDeadline returns a function that returns the time until which the program waits when it stops. It is
// ShutdownTimeout after the first call.
func newStopDeadline() func() time.Time {
	return sync.OnceValue(func() time.Time { return time.Now().Add(ShutdownTimeout) })
}

// serve listens and serves until ctx is done. It calls onReady, if not nil, once requests are served. It returns an
// error if it cannot start or if a listener fails.
func serve(
	ctx context.Context, c *config, host *source, endpoint *admin.Server, reloads *reloader, logger log.Logger,
	onReady func(), stopDeadline func() time.Time,
) error {
	handler, err := newMux(c, host, endpoint, reloads, logger)
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
		closeListeners(listeners)
		return err
	}
	go reloads.watch(ctx)
	reloadOnHangup(ctx, reloads, endpoint)
	for _, l := range listeners {
		logAddress(logger, l.Addr(), c)
		server := newServer(ctx, handler, logger)
		serveListener(l, server, c.webConfigFile, failed, logger)
		servers = append(servers, server)
	}
	if onReady != nil {
		onReady()
	}
	select {
	case <-ctx.Done():
		level.Info(logger).Log("msg", "stopping")
	case err = <-failed:
	}
	if endpoint != nil {
		endpoint.Stop()
	}
	if err := shutdown(servers, stopDeadline()); err != nil {
		level.Warn(logger).Log("msg", "requests interrupted", "err", err)
	}
	return err
}

// listen listens on all addresses or, if one fails, on none.
func listen(ctx context.Context, addresses []string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, a := range addresses {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a)
		if err != nil {
			closeListeners(listeners)
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeListeners(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// serveListener starts a server for a listener. Each listener needs a server of its own, since the exporter toolkit
// changes the server it is given. The error that ends the server goes to failed.
func serveListener(
	l net.Listener, server *http.Server, webConfigFile string, failed chan<- error, logger log.Logger,
) {
	go func() {
		flags := &web.FlagConfig{WebConfigFile: &webConfigFile}
		failed <- web.Serve(l, server, flags, slog.New(logging.NewSlogHandler(logger, "debug")))
	}()
}

// newServer returns a server whose requests end with ctx: running scrapes then return what they have.
func newServer(ctx context.Context, h http.Handler, logger log.Logger) *http.Server {
	clientErrors := logging.NewLimited(logger, 10, time.Minute) // such as failed TLS handshakes
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      maxScrapeTimeout + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		// Without this, the server answers "OPTIONS *" before the toolkit asks for a password.
		DisableGeneralOptionsHandler: true,

		ErrorLog: stdlog.New(log.NewStdlibAdapter(level.Warn(clientErrors)), "", 0),
	}
}

// shutdown waits for running requests until the deadline.
func shutdown(servers []*http.Server, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop: %w", err), s.Close())
		}
	}
	return errors.Join(errs...)
}

// newMux returns the routes of the metrics listener: the metrics, health and the pages.
func newMux(
	c *config, host *source, endpoint *admin.Server, reloads *reloader, logger log.Logger,
) (http.Handler, error) {
	mux := http.NewServeMux()
	metrics := newMetricsHandler(c, host, logger)
	metrics.always.MustRegister(reloads.metrics()...)
	if endpoint != nil {
		metrics.always.MustRegister(endpoint.Metrics())
	}
	server, err := newMetricsServer(metrics)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET "+c.telemetryPath, server)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, Name+" is healthy.")
	})
	// All listeners are open before the first request is served, and closed before the program stops.
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, Name+" is ready.")
	})
	if c.telemetryPath != "/" {
		pages, err := newPages(c, host, metrics)
		if err != nil {
			return nil, err
		}
		mux.Handle("GET /", pages)
	}
	return mux, nil
}

// logAddress logs the URL of the metrics. With a web config file it logs only the address: the exporter toolkit logs
// whether the listener uses TLS.
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
