// Package exporter is the program: it reads the command line, opens the host, and serves metrics and, if enabled,
// the admin endpoint until it is stopped.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/internal/logging"
)

// Name is the name of the binary, of the Windows service and of the source in the Windows event log.
const Name = "hyperv_replica_exporter"

// Exit codes of the program.
const (
	ExitOK      = 0 // stopped on request
	ExitRuntime = 1 // failed to start or to keep running
	ExitUsage   = 2 // invalid flags or configuration
)

// Environment is what the program uses of the process it runs in, so that tests and the Windows service can
// provide their own.
type Environment struct {
	// Stdout receives the output of --help and --version.
	Stdout io.Writer
	// MoreHelp is a part of the output of --help.
	MoreHelp string
	// DefaultConfigFile is the configuration file to use if it exists and the command line has none, "" for none.
	DefaultConfigFile string
	// Output receives the log, fatal errors and, for a service, the audit log.
	Output logging.Output
	// Ready, if not nil, is called once requests are served.
	Ready func()
}

// Run runs the program with the given command line, without the program name, until ctx is done. It returns an exit
// code and can run several times in one process.
func Run(ctx context.Context, args []string, env Environment) int {
	line := commandLine{
		args: args, stdout: env.Stdout, moreHelp: env.MoreHelp, defaultFile: env.DefaultConfigFile,
	}
	c, err := line.parse()
	if errors.Is(err, errHelpShown) {
		return ExitOK
	}
	if err != nil {
		env.Output.Fatal(fmt.Errorf("%w, try --help", err))
		return ExitUsage
	}
	if c.checkOnly {
		c.show(env.Stdout)
		return ExitOK
	}
	logger := logging.NewReloadable(env.Output.Logger(c.logFormat), func() string { return c.effective.Load().logLevel })
	level.Info(logger).Log("msg", "starting "+Name, "version", version.Info(), "build", version.BuildContext())

	host, err := openSource(ctx, c, logger)
	if err != nil && ctx.Err() != nil {
		level.Info(logger).Log("msg", "stopped while opening the source")
		return ExitOK
	}
	if err != nil {
		env.Output.Fatal(err)
		return ExitUsage
	}
	code := run(ctx, c, host, newReloader(line, c, logger), env, logger)
	if code == ExitOK {
		level.Info(logger).Log("msg", "stopped")
	}
	return code
}

// run serves a source until ctx is done, and then stops everything. It returns an exit code.
func run(
	ctx context.Context, c *config, host *source, reloads *reloader, env Environment, logger log.Logger,
) int {
	stopDeadline := newStopDeadline()
	defer func() { host.close(stopDeadline()) }()
	endpoint, err := openAdmin(c, host, logger, env.Output.AuditSink())
	if err != nil {
		env.Output.Fatal(err)
		return ExitRuntime
	}
	defer func() { closeAdmin(endpoint, stopDeadline(), logger) }()
	if err := serve(ctx, c, host, endpoint, reloads, logger, env.Ready, stopDeadline); err != nil {
		level.Error(logger).Log("msg", "cannot serve", "err", err)
		return ExitRuntime
	}
	return ExitOK
}
