package hostsource

import (
	"runtime"
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
