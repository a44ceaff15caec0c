package hostsource

import (
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"hyperv_replica_exporter/wmiquery/simulator"
)

// AddSimulatorFlags adds the flags of the simulated host.
func (c *Config) AddSimulatorFlags(app *kingpin.Application) {
	c.simulated.MonitoringStart = new(time.Duration)
	app.Flag("simulator.vms", "Number of VMs of the simulated host, 0 for the number that the scenario needs.").
		Default("0").IntVar(&c.simulated.VMs)
	app.Flag("simulator.seed", "Seed of the simulated host. The same seed gives the same host.").
		Default("1").Uint64Var(&c.simulated.Seed)
	app.Flag("simulator.host", "Simulated host to read: HV01, its replica server HV02, or HV03, "+
		"to which replication is extended.").
		Default("HV01").StringVar(&c.simulated.Host)
	app.Flag("simulator.scenario", "Scenario of the simulated host. "+describeScenarios()).
		Default("mixed").StringVar(&c.simulated.Scenario)
	app.Flag("simulator.monitoring-start", "Time of day, in UTC, at which the twelve-hour monitoring windows "+
		"of the simulated host start.").
		Default("09:00").SetValue((*timeOfDay)(c.simulated.MonitoringStart))
	app.Flag("simulator.fault", "Fault of the simulated host. Repeatable. "+describeFaults()).
		PlaceHolder("FAULT[=VALUE]").StringsVar(&c.faults)
}

// timeOfDay is the value of a flag: a time since midnight.
type timeOfDay time.Duration

// Set implements kingpin.Value.
func (d *timeOfDay) Set(text string) error {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return fmt.Errorf("%q is not a time of day such as 09:00", text)
	}
	*d = timeOfDay(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	return nil
}

func (d *timeOfDay) String() string { return time.Time{}.Add(time.Duration(*d)).Format("15:04") }

func describeScenarios() string {
	var b strings.Builder
	help := simulator.ScenarioHelp()
	for i, name := range simulator.Scenarios() {
		fmt.Fprintf(&b, "%s: %s. ", name, help[i])
	}
	return strings.TrimSpace(b.String())
}

func describeFaults() string {
	var b strings.Builder
	for _, f := range simulator.FaultNames() {
		fmt.Fprintf(&b, "%s: %s ", f.Name, f.Help)
	}
	return strings.TrimSpace(b.String())
}
