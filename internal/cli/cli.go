// Package cli runs the program on a console: the exporter, or a command that does something else and ends.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/logging"
)

// Environment is what the program uses of the console.
type Environment struct {
	Stdout io.Writer
	Stderr io.Writer
	Stdin  io.Reader
	// ReadHidden reads a line from the terminal without showing it. It is nil if Stdin is not a terminal.
	ReadHidden func(context.Context) ([]byte, error)
	// Terminal means that a person watches Stderr, so that it can show progress.
	Terminal bool
}

// command is a command of the program. The first argument of the command line is its name.
type command struct {
	name string
	help string // one sentence
	// setup adds the flags and arguments of the command to app. It returns the function that runs the command after app
	// has parsed the command line. An error is a runtime error, unless it is a usageError.
	setup func(app *kingpin.Application) func(context.Context, Environment) error
}

// commands returns all commands. Without one of their names, the command line is that of the exporter.
func commands() []command {
	return []command{captureCommand(), checkPolicyCommand(), doctorCommand(), hashPasswordCommand(), serviceCommand()}
}

// usageError is an error of the command line.
type usageError struct{ error }

// Run runs the program with the given command line, without the program name, until ctx is done or the command has
// ended. It returns an exit code, see [exporter.Run].
func Run(ctx context.Context, args []string, env Environment) int {
	output := logging.Console{Program: exporter.Name, Stderr: env.Stderr}
	for _, c := range commands() {
		if len(args) > 0 && args[0] == c.name {
			return c.run(ctx, args[1:], env, output)
		}
	}
	return exporter.Run(ctx, args, exporter.Environment{Stdout: env.Stdout, Output: output, MoreHelp: describeCommands()})
}

// describeCommands returns the list of commands for the help of the exporter.
func describeCommands() string {
	var b strings.Builder
	b.WriteString("Commands, each with its own --help:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-13s  %s\n", c.name, c.help)
	}
	return b.String()
}

// run runs a command.
func (c command) run(ctx context.Context, args []string, env Environment, output logging.Output) int {
	app := kingpin.New(exporter.Name+" "+c.name, c.help)
	app.HelpFlag.Short('h')
	done := false
	app.UsageWriter(env.Stdout).ErrorWriter(env.Stdout).Terminate(func(int) {
		done = true
		app.UsageWriter(io.Discard) // kingpin goes on and would show the help of a command with commands again
	})
	execute := c.setup(app)
	_, err := app.Parse(args)
	switch {
	case done: // help was shown
		return exporter.ExitOK
	case err != nil:
		err = usageError{fmt.Errorf("%w, try %s --help", err, c.name)}
	default:
		err = execute(ctx, env)
	}
	if err == nil {
		return exporter.ExitOK
	}
	output.Fatal(err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exporter.ExitUsage
	}
	return exporter.ExitRuntime
}

// IsTerminal reports whether a file is a terminal, so that a person may watch what is written to it.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
