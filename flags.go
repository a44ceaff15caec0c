package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"

	"hyperv_replica_exporter/collector"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// config is what the command line says.
type config struct {
	source    string // wmi, simulator or replay
	capture   string // the folder that replay reads
	simulated simulator.Config

	listenAddresses []string
	telemetryPath   string
	webConfigFile   string
	maxRequests     int
	admin           adminConfig

	collectors map[string]*bool // by name, whether it is on
	objectives []collector.Objective

	scrapeTimeout time.Duration
	timeoutMargin time.Duration
	maxAge        time.Duration
	callTimeout   time.Duration
	workers       int
	maxStuck      int

	logLevel, logFormat string
}

// errDone: the command line asked for help or for the version, which has been
// written.
var errDone = errors.New("nothing more to do")

// parseFlags reads the command line. Help and version go to stdout.
func parseFlags(args []string, stdout io.Writer) (*config, error) {
	c := &config{collectors: map[string]*bool{}}
	app := kingpin.New(programName, "Prometheus exporter for the health and the statistics of Hyper-V Replica.")
	done := false
	app.Terminate(func(int) { done = true }).UsageWriter(stdout).ErrorWriter(stdout)
	app.Version(version.Print(programName))
	app.HelpFlag.Short('h')
	var objectives, faults []string
	c.addFlags(app, &objectives, &faults)
	if _, err := app.Parse(args); done {
		return nil, errDone
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
	var err error
	if c.simulated.Faults, err = simulator.ParseFaults(faults); err != nil {
		return nil, fmt.Errorf("--simulator.fault: %w", err)
	}
	return c, c.check()
}

func (c *config) addFlags(app *kingpin.Application, objectives, faults *[]string) {
	app.Flag("source", "Where to read: wmi is this host's Hyper-V, simulator is a simulated host, replay:DIR is a host that docs/capture.ps1 wrote into a folder, auto is wmi on Windows and simulator elsewhere.").
		Default("auto").SetValue(&sourceValue{c})
	app.Flag("web.listen-address", "Address to serve metrics on; repeat for more.").
		Default(":10483").StringsVar(&c.listenAddresses)
	app.Flag("web.telemetry-path", "Path of the metrics.").
		Default("/metrics").StringVar(&c.telemetryPath)
	app.Flag("web.config.file", "File that switches on TLS or authentication, in the format of the Prometheus exporter toolkit.").
		Default("").StringVar(&c.webConfigFile)
	app.Flag("web.max-requests", "Scrapes served at once; more are refused with 503.").
		Default("40").IntVar(&c.maxRequests)
	for _, col := range collector.All(collector.Options{}) {
		c.collectors[col.Name] = app.Flag("collector."+col.Name, "Collector "+col.Name+": "+col.Help).
			Default(fmt.Sprint(col.Default)).Bool()
	}
	app.Flag("rpo.objective", "Lag that is promised not to be exceeded, as DURATION for all VMs or as VM-REGEXP=DURATION, matched against name and GUID; repeat for more, the first match counts. Without a match it is twice the replication interval.").
		PlaceHolder("15m").StringsVar(objectives)
	app.Flag("scrape.timeout", "Time for a scrape when Prometheus does not say how long it waits.").
		Default("10s").DurationVar(&c.scrapeTimeout)
	app.Flag("scrape.timeout-margin", "Time to answer before Prometheus gives up.").
		Default("500ms").DurationVar(&c.timeoutMargin)
	app.Flag("scrape.max-age", "When the host does not answer in time the last good answer is shown, but none older than this.").
		Default("5m").DurationVar(&c.maxAge)
	app.Flag("wmi.call-timeout", "Time for one answer of the host. A call that takes longer keeps no scrape waiting and its worker is replaced.").
		Default("5s").DurationVar(&c.callTimeout)
	app.Flag("wmi.workers", "How many classes are read at once; as many calls of methods may run beside them.").
		Default("4").IntVar(&c.workers)
	app.Flag("wmi.max-stuck-workers", "How many workers for reads are replaced while the host does not answer them; as many are for calls of methods.").
		Default("8").IntVar(&c.maxStuck)
	c.addSimulatorFlags(app, faults)
	c.admin.addFlags(app)
	app.Flag("log.level", "Least severe messages to log: debug, info, warn or error.").
		Default("info").EnumVar(&c.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Format of the log: logfmt or json.").
		Default("logfmt").EnumVar(&c.logFormat, "logfmt", "json")
}

// sourceValue is the flag --source.
type sourceValue struct{ c *config }

// Set takes a source, with the folder that replay has behind a colon.
func (v *sourceValue) Set(text string) error {
	name, dir, replay := strings.Cut(text, ":")
	switch {
	case replay && name == "replay" && dir != "":
		v.c.source, v.c.capture = name, dir
		return nil
	case name == "replay":
		return fmt.Errorf("%s lacks the folder of a capture: it is written replay:DIR", text)
	case replay || !slices.Contains([]string{"auto", "wmi", "simulator"}, name):
		return fmt.Errorf("enum value must be one of auto,wmi,simulator,replay:DIR, got '%s'", text)
	}
	v.c.source, v.c.capture = name, ""
	return nil
}

func (v *sourceValue) String() string { return v.c.source }

func (c *config) addSimulatorFlags(app *kingpin.Application, faults *[]string) {
	c.simulated.MonitoringStart = new(time.Duration)
	app.Flag("simulator.vms", "VMs of the simulated host, 0 for as many as show what the scenario is about.").
		Default("0").IntVar(&c.simulated.VMs)
	app.Flag("simulator.seed", "Seed of the simulated host: the same seed gives the same host.").
		Default("1").Uint64Var(&c.simulated.Seed)
	app.Flag("simulator.host", "Which of the simulated hosts to read: HV01, its replica server HV02 or the third site HV03.").
		Default("HV01").StringVar(&c.simulated.Host)
	app.Flag("simulator.scenario", "What the simulated host shows: "+strings.Join(simulator.Scenarios(), ", ")+".").
		Default("mixed").StringVar(&c.simulated.Scenario)
	app.Flag("simulator.monitoring-start", "Time of day, UTC, from which the simulated host counts its monitoring windows of twelve hours.").
		Default("09:00").SetValue((*timeOfDay)(c.simulated.MonitoringStart))
	app.Flag("simulator.fault", "What is wrong with the simulated host; repeat for more. "+describeFaults()).
		PlaceHolder("FAULT[=VALUE]").StringsVar(faults)
}

// timeOfDay is a flag's time since midnight.
type timeOfDay time.Duration

// Set is kingpin.Value.
func (d *timeOfDay) Set(text string) error {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return fmt.Errorf("%q is no time of day such as 09:00", text)
	}
	*d = timeOfDay(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	return nil
}

func (d *timeOfDay) String() string { return time.Time{}.Add(time.Duration(*d)).Format("15:04") }

func describeFaults() string {
	var b strings.Builder
	for _, f := range simulator.FaultNames() {
		fmt.Fprintf(&b, "%s: %s ", f.Name, f.Help)
	}
	return strings.TrimSpace(b.String())
}

// check refuses what parses and makes no sense, and settles the source.
func (c *config) check() error {
	if c.source == "auto" {
		c.source = "simulator"
		if runtime.GOOS == "windows" {
			c.source = "wmi"
		}
	}
	if c.source == "wmi" && runtime.GOOS != "windows" {
		return fmt.Errorf("--source=wmi needs Windows, this is %s; --source=simulator runs here", runtime.GOOS)
	}
	for _, f := range []struct {
		name string
		bad  bool
		want string
	}{
		{"web.max-requests", c.maxRequests < 1, "at least 1"},
		{"scrape.timeout", c.scrapeTimeout <= 0, "above zero"},
		{"scrape.timeout-margin", c.timeoutMargin < 0, "zero or more"},
		{"scrape.max-age", c.maxAge < 0, "zero or more"},
		{"wmi.call-timeout", c.callTimeout <= 0, "above zero"},
		{"wmi.workers", c.workers < 1 || c.workers > 64, "1 to 64"},
		{"wmi.max-stuck-workers", c.maxStuck < 0 || c.maxStuck > 1000, "0 to 1000"},
	} {
		if f.bad {
			return fmt.Errorf("--%s must be %s", f.name, f.want)
		}
	}
	p := c.telemetryPath
	if path.Clean(p) != p || !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "{} ?#%") || strings.HasPrefix(p, "/-/") {
		return fmt.Errorf("--web.telemetry-path %q must start with /, not end with it, have no //, . or .., be not under /-/ and hold neither a blank nor one of {}?#%%", p)
	}
	if err := web.Validate(c.webConfigFile); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	return c.admin.check()
}
