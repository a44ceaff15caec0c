package hostsource

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
)

func TestMonitoringStart(t *testing.T) {
	var c Config
	app := kingpin.New("test", "")
	c.AddSimulatorFlags(app)
	if _, err := app.Parse([]string{"--simulator.monitoring-start=21:35"}); err != nil {
		t.Fatal(err)
	}
	if want := 21*time.Hour + 35*time.Minute; *c.simulated.MonitoringStart != want {
		t.Errorf("monitoring starts at %v, want %v", *c.simulated.MonitoringStart, want)
	}
}

// Without --source, the program reads Hyper-V on Windows, and a simulated host elsewhere.
func TestDefaultSource(t *testing.T) {
	want := "simulator"
	if runtime.GOOS == "windows" {
		want = "wmi"
	}
	for _, args := range [][]string{nil, {"--source=auto"}} {
		var c Config
		app := kingpin.New("test", "")
		c.AddFlag(app)
		if _, err := app.Parse(args); err != nil {
			t.Fatal(err)
		}
		if err := c.Resolve(); err != nil || c.Name != want {
			t.Errorf("%q: got the source %s, error %v; want %s", args, c.Name, err, want)
		}
	}
}

// The help lists all scenarios and faults.
func TestHelpListsScenariosAndFaults(t *testing.T) {
	var c Config
	app := kingpin.New("test", "")
	c.AddSimulatorFlags(app)
	for flag, names := range map[string][]string{
		"simulator.scenario": {
			"mixed", "healthy", "lagging", "wan-outage", "resync-storm", "failover-drill", "german", "chinese", "every-state",
		},
		"simulator.fault": {
			"denied", "class-missing=CLASS", "slow[=DURATION]", "hung[=CLASS|METHOD]", "relationship-failing",
			"relationship-hung", "nulls", "unknown-enum", "duplicate-names", "hostile-names", "disconnected", "service-error",
			"statistics-job", "statistics-empty", "method-failing[=METHOD]", "job-failing", "saved", "failover-network-ids",
			"clock-back[=DURATION]", "invalid-value[=CLASS.PROPERTY]",
		},
	} {
		help := app.GetFlag(flag).Model().Help
		for _, name := range names {
			if !strings.Contains(help, " "+name+": ") {
				t.Errorf("the help of --%s does not list %s", flag, name)
			}
		}
	}
}
