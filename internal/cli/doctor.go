package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/internal/doctor"
	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/hostsource"
)

// doctorCommand checks what makes the exporter fail on a host.
func doctorCommand() command {
	return command{
		name: "doctor",
		help: "Check what makes the exporter fail on the host, and print a list for a bug report. " +
			"The exit code is 1 if a check failed.",
		setup: func(app *kingpin.Application) func(context.Context, Environment) error {
			var c doctorConfig
			app.Flag("keep-names", "Do not replace names, addresses and GUIDs of the host.").BoolVar(&c.KeepNames)
			app.Flag("wmi.call-timeout", "Timeout of one call to the host, as for the exporter.").
				Default("5s").DurationVar(&c.CallTimeout)
			app.Flag("scrape.timeout", "Timeout of a scrape with which to compare the duration of all reads.").
				Default("10s").DurationVar(&c.ScrapeTimeout)
			c.source.AddFlag(app)
			c.source.AddSimulatorFlags(app)
			return c.run
		},
	}
}

// doctorConfig has the values of the flags.
type doctorConfig struct {
	doctor.Options
	source hostsource.Config
}

// errChecksFailed reports that a check failed. The report says which.
var errChecksFailed = errors.New("a check failed")

func (c *doctorConfig) run(ctx context.Context, env Environment) error {
	if err := c.source.Resolve(); err != nil {
		return usageError{err}
	}
	if c.CallTimeout <= 0 || c.ScrapeTimeout <= 0 {
		return usageError{fmt.Errorf("--wmi.call-timeout and --scrape.timeout must be above zero")}
	}
	pool, host, err := openPool(ctx, env, &c.source, doctor.Workers, c.CallTimeout)
	if err != nil {
		return err
	}
	defer func() { go pool.Close() }() // a call that hangs must not keep the program from ending
	c.Reader, c.Build = pool, host.Build
	if c.source.Name == hostsource.WMI {
		c.Build, _, c.HostNames = describeComputer()
		c.Account = describeAccount()
		c.Service = describeService
	}
	if env.Terminal {
		c.Progress = showProgress(env.Stderr)
	}
	report, err := doctor.Run(ctx, c.Options)
	if env.Terminal {
		showLine(env.Stderr, "")
	}
	if err != nil {
		return err
	}
	names := "Names, addresses and GUIDs of the host are replaced. Read the list before you share it."
	if c.KeepNames {
		names = "The list has names of the host."
	}
	fmt.Fprintf(env.Stdout, "%s doctor, version %s, %s/%s, source %s, call timeout %v\n%s\n\n", exporter.Name,
		cmp.Or(version.Version, "unknown"), runtime.GOOS, runtime.GOARCH, c.source.Name, c.CallTimeout, names)
	if err := report.Write(env.Stdout); err != nil {
		return err
	}
	if report.Failed() {
		return errChecksFailed
	}
	return nil
}
