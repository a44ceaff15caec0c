package exporter

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/internal/hostsource"
)

// config holds the values of the flags.
type config struct {
	source hostsource.Config

	listenAddresses []string
	telemetryPath   string
	webConfigFile   string
	grafanaURL      string
	maxRequests     int
	admin           adminConfig

	collectors map[string]*bool // whether each collector is enabled
	objectives []collector.Objective
	issueText  bool // whether the text of health issues is exposed

	scrapeTimeout time.Duration
	timeoutMargin time.Duration
	maxAge        time.Duration
	callTimeout   time.Duration
	workers       int
	maxStuck      int

	logLevel, logFormat string
}

// errHelpShown reports that the command line asked for help or for the version, which has been printed.
var errHelpShown = errors.New("help or version shown")

// parseFlags parses and checks the command line. Help and version go to stdout; moreHelp is a part of the help.
func parseFlags(args []string, stdout io.Writer, moreHelp string) (*config, error) {
	c := &config{collectors: map[string]*bool{}}
	var objectives []string
	app := newApplication(c, &objectives)
	app.Help += "\n\n" + moreHelp
	done := false
	app.Terminate(func(int) { done = true }).UsageWriter(stdout).ErrorWriter(stdout)
	if _, err := app.Parse(args); done {
		return nil, errHelpShown
	} else if err != nil {
		return nil, err
	}
	for _, s := range objectives {
		o, err := collector.ParseObjective(s)
		if err != nil {
			return nil, fmt.Errorf("--rpo.objective: %w", err)
		}
		c.objectives = append(c.objectives, o)
	}
	return c, c.check()
}

// newApplication returns the command line with all flags, which parse into c and objectives.
func newApplication(c *config, objectives *[]string) *kingpin.Application {
	app := kingpin.New(Name, "Prometheus exporter for the health and statistics of Hyper-V Replica.")
	app.Version(version.Print(Name))
	app.HelpFlag.Short('h')
	c.addFlags(app, objectives)
	return app
}

func (c *config) addFlags(app *kingpin.Application, objectives *[]string) {
	c.source.AddFlag(app)
	app.Flag("web.listen-address", "Address on which to serve metrics. Repeatable.").
		Default(":10483").StringsVar(&c.listenAddresses)
	app.Flag("web.telemetry-path", "Path under which to serve metrics.").
		Default("/metrics").StringVar(&c.telemetryPath)
	app.Flag("web.config.file", "Path to a file that enables TLS or authentication, "+
		"in the web configuration format of the Prometheus exporter toolkit.").
		Default("").StringVar(&c.webConfigFile)
	app.Flag("web.grafana-url", "URL of the Grafana that has the dashboards, for links on the pages.").
		PlaceHolder("https://grafana.example.com").StringVar(&c.grafanaURL)
	app.Flag("web.max-requests", "Maximum number of concurrent scrapes. Further scrapes are refused with status 503.").
		Default("40").IntVar(&c.maxRequests)
	for _, col := range collector.All(collector.Options{}) {
		c.collectors[col.Name] = app.Flag("collector."+col.Name, "Enable the "+col.Name+" collector. "+col.Help).
			Default(fmt.Sprint(col.Default)).Bool()
	}
	app.Flag("collector.statistics.health-issue-text",
		"Expose the text of health issues in hyperv_replica_health_issue_info. It contains names of VMs and servers.").
		Default("true").BoolVar(&c.issueText)
	app.Flag("rpo.objective", "Recovery point objective: the lag that you promise not to exceed. "+
		"Either DURATION, for all VMs, or VM-REGEXP=DURATION, where the expression must match the whole name or GUID "+
		"of the VM. Repeatable; the first match wins. VMs without a match have twice their replication interval.").
		PlaceHolder("15m").StringsVar(objectives)
	app.Flag("scrape.timeout", "Timeout of a scrape for which Prometheus sends no timeout.").
		Default("10s").DurationVar(&c.scrapeTimeout)
	app.Flag("scrape.timeout-margin", "Time to subtract from the scrape timeout, so that the response arrives in time.").
		Default("500ms").DurationVar(&c.timeoutMargin)
	app.Flag("scrape.max-age", "Maximum age of the values to return when the host does not answer in time.").
		Default("5m").DurationVar(&c.maxAge)
	app.Flag("wmi.call-timeout", "Timeout of one call to the host. A worker whose call takes longer is considered stuck "+
		"and is replaced; scrapes do not wait for it.").
		Default("5s").DurationVar(&c.callTimeout)
	app.Flag("wmi.workers", "Number of workers that read classes, and of workers that call methods.").
		Default("4").IntVar(&c.workers)
	app.Flag("wmi.max-stuck-workers", "Maximum number of stuck workers that are replaced at a time, "+
		"for reads and for method calls separately. One class or method cannot have the last replacement.").
		Default("8").IntVar(&c.maxStuck)
	c.source.AddSimulatorFlags(app)
	c.admin.addFlags(app)
	app.Flag("log.level", "Only log messages with the given severity or above. One of: [debug, info, warn, error]").
		Default("info").EnumVar(&c.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Output format of log messages. One of: [logfmt, json]").
		Default("logfmt").EnumVar(&c.logFormat, "logfmt", "json")
}

// check refuses values that parse but make no sense, and resolves --source=auto.
func (c *config) check() error {
	if err := c.source.Resolve(); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		valid bool
		want  string
	}{
		{"web.max-requests", c.maxRequests >= 1, "at least 1"},
		{"scrape.timeout", c.scrapeTimeout > 0, "above zero"},
		{"scrape.timeout-margin", c.timeoutMargin >= 0, "zero or more"},
		{"scrape.max-age", c.maxAge >= 0, "zero or more"},
		{"wmi.call-timeout", c.callTimeout > 0, "above zero"},
		{"wmi.workers", c.workers >= 1 && c.workers <= 64, "1 to 64"},
		{"wmi.max-stuck-workers", c.maxStuck >= 0 && c.maxStuck <= 1000, "0 to 1000"},
	} {
		if !f.valid {
			return fmt.Errorf("--%s must be %s", f.name, f.want)
		}
	}
	p := c.telemetryPath
	clean := path.Clean(p) == p && strings.HasPrefix(p, "/") && !strings.ContainsAny(p, "{} ?#%")
	if !clean || strings.HasPrefix(p, "/-/") {
		return fmt.Errorf("--web.telemetry-path %q must start with /, must not end with / or start with /-/, "+
			"and must not contain //, ., .., spaces or any of {}?#%%", p)
	}
	if u, err := url.Parse(c.grafanaURL); err != nil || c.grafanaURL != "" && u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--web.grafana-url %q must be a URL that begins with http:// or https://", c.grafanaURL)
	}
	if err := web.Validate(c.webConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	return c.admin.check()
}
