package exporter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	"hyperv_replica_exporter/admin"
	configfile "hyperv_replica_exporter/internal/config"
)

// errHelpShown reports that the command line asked for help or for the version, which has been printed.
var errHelpShown = errors.New("help or version shown")

// commandLine is a command line, and what else decides the values of the flags.
type commandLine struct {
	args        []string
	stdout      io.Writer // of help and version
	moreHelp    string    // a part of the help
	defaultFile string    // configuration file to use if it exists and the command line has none; "" for no such file
	mustExist   bool      // whether the default file must exist
}

// flagText is the value of a flag as it was written: one text, or any number for a flag that can be repeated.
type flagText struct {
	texts  []string
	origin string // "default", "command line", or the line of the configuration file
}

// parseFlags parses and checks a command line without a default configuration file.
func parseFlags(args []string, stdout io.Writer, moreHelp string) (*config, error) {
	return commandLine{args: args, stdout: stdout, moreHelp: moreHelp}.parse()
}

// parse parses and checks the command line and the configuration file.
func (l commandLine) parse() (*config, error) {
	c := newConfig()
	app := newApplication(c)
	app.Help += "\n\n" + l.moreHelp
	done := false
	app.Terminate(func(int) { done = true }).UsageWriter(l.stdout).ErrorWriter(l.stdout)
	context, err := app.ParseContext(l.args)
	if err == nil && !asksForHelp(context) {
		err = l.readFile(c, app, context)
	}
	if err != nil {
		return nil, err
	}
	if _, err := app.Parse(l.args); done {
		return nil, errHelpShown
	} else if err != nil {
		return nil, err
	}
	c.effective.Store(&c.reloadable)
	if err := c.check(); err != nil {
		if c.file != nil {
			err = c.file.Locate(err)
		}
		return nil, err
	}
	return c, l.checkAccess(c)
}

// flagsOf calls f for each flag of a command line.
func flagsOf(context *kingpin.ParseContext, f func(name, text string)) {
	for _, e := range context.Elements {
		if flag, ok := e.Clause.(*kingpin.FlagClause); ok && e.Value != nil {
			f(flag.Model().Name, *e.Value)
		}
	}
}

func asksForHelp(context *kingpin.ParseContext) bool {
	asks := false
	flagsOf(context, func(name, _ string) { asks = asks || name == "help" || name == "version" })
	return asks
}

// readFile reads the configuration file, if there is one, makes its values those of app, and notes the texts of all
// flags. It also checks the values of the command line, because the errors of kingpin do not name the flag.
func (l commandLine) readFile(c *config, app *kingpin.Application, context *kingpin.ParseContext) error {
	given := map[string][]string{}
	var errs []error
	scratch := newApplication(newConfig())
	flagsOf(context, func(name, text string) {
		given[name] = append(given[name], text)
		if err := configfile.Check(scratch.GetFlag(name).Model().Value, text); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", name, err))
		}
	})
	if len(errs) > 0 {
		return errs[0]
	}
	path := l.defaultFile
	if files, ok := given["config.file"]; ok {
		path = files[0]
	}
	if path != "" {
		if err := l.parseFile(c, path); err != nil {
			return err
		}
	}
	c.texts = map[string]flagText{}
	for _, f := range configfile.Flags(app) {
		text := flagText{f.Default, "default"}
		if len(f.Default) == 0 && !configfile.IsRepeatable(f.Value) {
			text.texts = []string{""}
		}
		if c.file != nil && len(c.file.Values(f.Name)) > 0 {
			text = flagText{c.file.Values(f.Name), fmt.Sprintf("line %d", c.file.Line(f.Name))}
		}
		if texts, ok := given[f.Name]; ok {
			text = flagText{texts, "command line"}
		}
		c.texts[f.Name] = text
	}
	if c.file != nil {
		c.file.Apply(app)
	}
	return nil
}

// parseFile reads a configuration file. The default file need not exist.
func (l commandLine) parseFile(c *config, path string) error {
	content, err := configfile.ReadText(path)
	if errors.Is(err, fs.ErrNotExist) && path == l.defaultFile && !l.mustExist {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--config.file: %w", err)
	}
	c.file, err = configfile.Parse(path, content, newApplication(newConfig()))
	return err
}

// checkAccess returns an error if others can change the configuration file and it decides who may control the host. The
// default file is checked always: on Windows every user can create files in %ProgramData%.
func (l commandLine) checkAccess(c *config) error {
	if c.file == nil || !c.admin.enabled && c.file.Path != l.defaultFile {
		return nil
	}
	if err := admin.CheckFile(c.file.Path); err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	return nil
}

// DefaultConfigFile returns the configuration file of a service, "" if there is no %ProgramData%.
func DefaultConfigFile() string {
	if dir := os.Getenv("ProgramData"); dir != "" {
		return filepath.Join(dir, Name, "config.yml")
	}
	return ""
}
