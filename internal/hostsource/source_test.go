package hostsource

import (
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
