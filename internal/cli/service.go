package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	"hyperv_replica_exporter/internal/access"
	"hyperv_replica_exporter/internal/service"
)

// serviceCommand installs, removes and controls the Windows service.
func serviceCommand() command {
	return command{
		name: "service",
		help: "Install, remove, start or stop the Windows service, or show its state.",
		setup: func(app *kingpin.Application) func(context.Context, Environment) error {
			var c serviceConfig
			c.addCommands(app)
			return func(_ context.Context, env Environment) error { return c.run(env.Stdout) }
		},
	}
}

// serviceConfig has the values of the flags, and the function of the command.
type serviceConfig struct {
	service.Config
	configFile string
	dryRun     bool
	run        func(io.Writer) error
}

// addCommands adds the commands of the service to the command line.
func (c *serviceConfig) addCommands(app *kingpin.Application) {
	add := func(name, help string, run func(io.Writer) error) *kingpin.CmdClause {
		return app.Command(name, help).Action(func(*kingpin.ParseContext) error {
			c.run = run
			return nil
		})
	}
	install := add("install", "Install the service, or change what differs from the flags: a flag that is left out is "+
		"removed. The service runs this file, so copy it to its folder first.", c.install)
	install.Flag("config.file", "Configuration file of the service. Without it, the service reads config.yml in its data "+
		"folder, if there is one.").PlaceHolder("PATH").StringVar(&c.configFile)
	install.Flag("firewall.allow", "Address or subnet of a Prometheus server, which the firewall lets in. Repeatable. "+
		"Without it, there is no rule.").PlaceHolder("ADDRESS").StringsVar(&c.Addresses)
	install.Arg("exporter-flags", "Flags of the exporter, after --. Everybody on the host can read them.").StringsVar(&c.Args)
	uninstall := add("uninstall", "Stop and remove the service and all that install has created. The audit log is kept.",
		c.uninstall)
	for _, cmd := range []*kingpin.CmdClause{install, uninstall} {
		cmd.Flag("dry-run", "Print the steps and the commands that do the same, and change nothing.").BoolVar(&c.dryRun)
	}
	add("start", "Start the service and wait until it runs.", func(w io.Writer) error {
		return onHost(func(h service.Host) error { return said(w, "The service runs.", h.Start()) })
	})
	add("stop", "Stop the service and wait until it has stopped.", func(w io.Writer) error {
		return onHost(func(h service.Host) error { return said(w, "The service has stopped.", h.Stop()) })
	})
	add("status", "Show whether the service runs, and its settings.", func(w io.Writer) error {
		return onHost(func(h service.Host) error { return service.WriteStatus(w, h, c.steps()) })
	})
}

// onHost calls f with this computer.
func onHost(f func(service.Host) error) error {
	host, closeHost, err := service.Open()
	if err != nil {
		return err
	}
	defer closeHost()
	return f(host)
}

// said writes a sentence unless there is an error.
func said(w io.Writer, sentence string, err error) error {
	if err == nil {
		fmt.Fprintln(w, sentence)
	}
	return err
}

// steps returns the steps of the installation on this computer.
func (c *serviceConfig) steps() []service.Step {
	c.Program, c.DataDir = programPath(), dataDir()
	return service.Steps(c.Config)
}

func (c *serviceConfig) install(w io.Writer) error {
	if c.configFile != "" {
		c.Args = append([]string{"--config.file=" + c.configFile}, c.Args...)
	}
	if err := c.Check(); err != nil {
		return usageError{err}
	}
	steps := c.steps()
	if c.dryRun {
		service.Write(w, steps)
		return nil
	}
	err := onHost(func(h service.Host) error {
		// Who can replace the program has the rights of the service.
		if err := access.CheckFile(c.Program, false); err != nil {
			return err
		}
		return service.Install(w, h, steps)
	})
	return said(w, "The service is installed. Start it with: hyperv_replica_exporter service start\n"+
		"Restart it if it runs and its settings have changed.", err)
}

func (c *serviceConfig) uninstall(w io.Writer) error {
	steps := c.steps()
	if c.dryRun {
		service.WriteUninstall(w, steps)
		return nil
	}
	err := onHost(func(h service.Host) error { return service.Uninstall(w, h, steps) })
	return said(w, "The service is removed. Delete the program yourself: "+c.Program, err)
}

// programPath returns the path of this program, or where it is on Windows if this is not Windows.
func programPath() string {
	if filepath.Separator != '\\' {
		return `C:\Program Files\` + service.Name + `\` + service.Name + ".exe"
	}
	path, err := os.Executable()
	if err != nil {
		return service.Name + ".exe"
	}
	return path
}

// dataDir returns the default of --admin.data-dir.
func dataDir() string {
	if dir := os.Getenv("ProgramData"); dir != "" {
		return dir + `\` + service.Name
	}
	return `C:\ProgramData\` + service.Name
}

// describeService returns what differs from the settings of an installation. An error says why that is not known.
func describeService() (differences []string, err error) {
	host, closeHost, err := service.Open()
	if err != nil {
		return nil, err
	}
	defer closeHost()
	return service.Audit(host, service.Steps(service.Config{DataDir: dataDir()}))
}
