package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/internal/hostsource"
	"hyperv_replica_exporter/wmiquery/capture"
)

// captureCommand saves what the exporter reads from a host to files.
func captureCommand() command {
	return command{
		name: "capture",
		help: "Save what the exporter reads from the host to files, with names and addresses replaced.",
		setup: func(app *kingpin.Application) func(context.Context, Environment) error {
			var c captureConfig
			app.Arg("dir", "Folder for the files. It must be empty or not exist.").Required().StringVar(&c.Folder)
			app.Flag("dry-run", "Read the host and show the number of replacements, but write nothing.").
				BoolVar(&c.DryRun)
			app.Flag("keep-guids", "Do not replace GUIDs.").BoolVar(&c.KeepGUIDs)
			app.Flag("timeout", "Timeout of one call to the host. A call that takes longer is captured as a failure.").
				Default("1m").DurationVar(&c.CallTimeout)
			c.source.AddFlag(app)
			c.source.AddSimulatorFlags(app)
			return c.run
		},
	}
}

// captureConfig has the values of the flags.
type captureConfig struct {
	capture.Options
	source hostsource.Config
}

func (c *captureConfig) run(ctx context.Context, env Environment) error {
	if err := c.source.Resolve(); err != nil {
		return usageError{err}
	}
	if c.CallTimeout <= 0 {
		return usageError{fmt.Errorf("--timeout must be above zero")}
	}
	pool, host, err := openPool(ctx, env, &c.source, 1, c.CallTimeout)
	if err != nil {
		return err
	}
	defer func() { go pool.Close() }() // a call that hangs must not keep the program from ending
	c.Reader, c.Build, c.Version = pool, host.Build, version.Version
	if c.source.Name == hostsource.WMI {
		c.Build, c.Language, c.HostNames = describeComputer()
	}
	if env.Terminal {
		c.Progress = showProgress(env.Stderr)
	}
	result, err := capture.Run(ctx, c.Options)
	if env.Terminal {
		showLine(env.Stderr, "")
	}
	if err != nil {
		return err
	}
	c.report(env, result)
	return nil
}

// showLine shows a text in place of the current line of a terminal. It uses spaces, because not every console of
// Windows understands escape sequences.
func showLine(w io.Writer, text string) { fmt.Fprintf(w, "\r%-79.79s\r", text) }

// showProgress returns a function that shows the progress on one line of a terminal.
func showProgress(w io.Writer) func(done, total int, name string) {
	var last time.Time
	return func(done, total int, name string) {
		if now := time.Now(); now.Sub(last) >= 100*time.Millisecond {
			last = now
			showLine(w, fmt.Sprintf("%d of %d: %s", done, total, name))
		}
	}
}

// report describes the capture.
func (c *captureConfig) report(env Environment, r capture.Result) {
	for _, failure := range r.Failures {
		fmt.Fprintln(env.Stderr, "captured a failure of the host:", failure)
	}
	if r.Empty {
		fmt.Fprintln(env.Stderr, "The host has returned no replication service: the capture has no data. "+
			"Run the command as an administrator of a Hyper-V host whose service vmms is running.")
	}
	fmt.Fprintln(env.Stdout, "Replaced:")
	for _, count := range r.Replaced {
		fmt.Fprintf(env.Stdout, "  %-10s %d\n", count.Kind, count.Number)
	}
	if c.DryRun {
		fmt.Fprintln(env.Stdout, "Nothing was written.")
		return
	}
	fmt.Fprintf(env.Stdout, "The capture is in %s. Read the files before you share them.\n", c.Folder)
	fmt.Fprintf(env.Stdout, "The list of replacements is in %s. Do not share it.\n", r.MappingFile)
}
