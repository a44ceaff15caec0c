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
	"strings"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it serves until ctx ends. Everything main does not need
// from the process comes in as an argument, so that tests can start it, too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseFlags(args, stdout)
	if errors.Is(err, errDone) {
		return exitOK
	}
	if err != nil {
		complain(stderr, fmt.Errorf("%w, try --help", err))
		return exitUsage
	}
	logger := newLogger(stderr, c.logLevel, c.logFormat)
	level.Info(logger).Log("msg", "starting "+programName, "version", version.Info(), "build", version.BuildContext())

	host, err := openSource(c, logger)
	if err != nil {
		complain(stderr, err)
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
	endpoint, err := openAdmin(c, host, logger)
	if err != nil {
		complain(stderr, err)
		return exitRuntime
	}
	defer closeAdmin(endpoint, logger)
	if err := serve(ctx, c, host, scraper, endpoint, logger); err != nil {
		level.Error(logger).Log("msg", "cannot serve", "err", err)
		return exitRuntime
	}
	level.Info(logger).Log("msg", "stopped")
	return exitOK
}

// complain writes an error as one line.
func complain(w io.Writer, err error) {
	fmt.Fprintf(w, "%s: error: %s\n", programName, strings.Join(strings.Fields(err.Error()), " "))
}
