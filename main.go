// Command hyperv_replica_exporter gives the health and the statistics of
// Hyper-V Replica to Prometheus.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-kit/log/level"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/collector"
)

// programName is the name of the binary and of the program in its metrics.
const programName = "hyperv_replica_exporter"

// Exit codes.
const (
	exitOK      = 0 // stopped in order
	exitRuntime = 1 // could not start or go on
	exitUsage   = 2 // bad flags or configuration
)

func main() {
	code, service := runAsService(os.Args[1:])
	if !service {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
	}
	os.Exit(code)
}

// run is the program on a console: it serves until ctx ends. What it needs of the
// process comes in as an argument, so that tests can start it, too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return surroundings{stdout, console{stderr}, func() {}}.run(ctx, args)
}

// surroundings are what the program needs of the process it runs in.
type surroundings struct {
	stdout  io.Writer // for help and version
	journal journal
	ready   func() // is called once requests are served
}

func (s surroundings) run(ctx context.Context, args []string) int {
	c, err := parseFlags(args, s.stdout)
	if errors.Is(err, errDone) {
		return exitOK
	}
	if err != nil {
		s.journal.complain(fmt.Errorf("%w, try --help", err))
		return exitUsage
	}
	logger := newLogger(s.journal.logger(c.logFormat), c.logLevel)
	level.Info(logger).Log("msg", "starting "+programName, "version", version.Info(), "build", version.BuildContext())

	host, err := openSource(c, logger)
	if err != nil {
		s.journal.complain(err)
		return exitUsage
	}
	defer host.close()
	scraper := collector.NewScraper(collector.Options{
		Reader:      host.pool,
		Logger:      logger,
		Objectives:  c.objectives,
		Concurrency: c.workers,
		CallTimeout: c.callTimeout,
		MaxAge:      c.maxAge,
	}, func(name string) bool { return *c.collectors[name] })
	endpoint, err := openAdmin(c, host, logger, s.journal.auditor())
	if err != nil {
		s.journal.complain(err)
		return exitRuntime
	}
	defer closeAdmin(endpoint, logger)
	if err := serve(ctx, c, host, scraper, endpoint, logger, s.ready); err != nil {
		level.Error(logger).Log("msg", "cannot serve", "err", err)
		return exitRuntime
	}
	level.Info(logger).Log("msg", "stopped")
	return exitOK
}
