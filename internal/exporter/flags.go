package exporter

import (
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/collector"
	configfile "hyperv_replica_exporter/internal/config"
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

	issueText bool // whether the text of health issues is exposed

	scrapeTimeout time.Duration
	timeoutMargin time.Duration
	maxAge        time.Duration
	callTimeout   time.Duration
	workers       int
	maxStuck      int

	logFormat string

	reloadable // as given at the start
	// effective are the values that a change of the configuration file has replaced.
	effective atomic.Pointer[reloadable]

	configFile      string
	checkOnly       bool             // only show the configuration
	file            *configfile.File // nil without a configuration file
	texts           map[string]flagText
	reloadableFlags map[string]bool // flags that have their value in reloadable
}

// reloadable are the values of the flags that change while the program runs when the configuration file changes.
type reloadable struct {
	collectors map[string]*bool // whether each collector is enabled
	objectives objectives
	logLevel   string
}

// newConfig returns values to which newApplication adds the flags.
func newConfig() *config {
	return &config{reloadable: reloadable{collectors: map[string]*bool{}}, reloadableFlags: map[string]bool{}}
}

// newApplication returns the command line with all flags, which parse into c.
func newApplication(c *config) *kingpin.Application {
	app := kingpin.New(Name, "Prometheus exporter for the health and statistics of Hyper-V Replica.")
	app.Version(version.Print(Name))
	app.HelpFlag.Short('h')
	c.addFlags(app)
	return app
}

// reload marks a flag as one whose value changes when the configuration file changes.
func (c *config) reload(f *kingpin.FlagClause) *kingpin.FlagClause {
	c.reloadableFlags[f.Model().Name] = true
	return f
}

func (c *config) addFlags(app *kingpin.Application) {
	app.Flag("config.file", "Path to a configuration file in YAML, whose keys are the names of the flags. "+
		"The command line takes precedence. A Windows service uses config.yml in its folder in %ProgramData% if it exists.").
		PlaceHolder("FILE").StringVar(&c.configFile)
	app.Flag("config.check", "Check the flags and the configuration file, print the values in effect, and exit with "+
		"code 0, or 2 if something is not valid.").BoolVar(&c.checkOnly)
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
		c.collectors[col.Name] = c.reload(app.Flag("collector."+col.Name, "Enable the "+col.Name+" collector. "+col.Help).
			Default(fmt.Sprint(col.Default))).Bool()
	}
	app.Flag("collector.statistics.health-issue-text",
		"Expose the text of health issues in hyperv_replica_health_issue_info. It contains names of VMs and servers.").
		Default("true").BoolVar(&c.issueText)
	c.reload(app.Flag("rpo.objective", "Recovery point objective: the lag that you promise not to exceed. "+
		"Either DURATION, for all VMs, or VM-REGEXP=DURATION, where the expression must match the whole name or GUID "+
		"of the VM. Repeatable; the first match wins. VMs without a match have twice their replication interval.").
		PlaceHolder("15m")).SetValue(&c.objectives)
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
	c.reload(app.Flag("log.level", "Only log messages with the given severity or above. "+
		"One of: [debug, info, warn, error]")).
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
