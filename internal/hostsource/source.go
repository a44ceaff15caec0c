// Package hostsource opens the host that the program reads: Hyper-V on this host, a simulated host or a captured one.
package hostsource

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Names of the sources.
const (
	WMI       = "wmi"
	Simulator = "simulator"
	Replay    = "replay"
)

// Config has the values of the flags that choose and configure the source. Use Resolve after parsing them.
type Config struct {
	Name      string // WMI, Simulator or Replay
	folder    string // of Replay
	simulated simulator.Config
	faults    []string
}

// AddFlag adds the flag --source.
func (c *Config) AddFlag(app *kingpin.Application) {
	app.Flag("source", "Host to read: wmi (Hyper-V on this host), simulator (a simulated host), "+
		"replay:DIR (a host captured with the command capture), or auto (wmi on Windows, simulator elsewhere).").
		Default("auto").SetValue((*sourceValue)(c))
}

// sourceValue is the value of --source.
type sourceValue Config

// Set implements kingpin.Value.
func (v *sourceValue) Set(text string) error {
	name, dir, hasDir := strings.Cut(text, ":")
	switch {
	case hasDir && name == Replay && dir != "":
		v.Name, v.folder = name, dir
		return nil
	case name == Replay:
		return fmt.Errorf("%s: the directory of the capture is missing, use replay:DIR", text)
	case hasDir || !slices.Contains([]string{"auto", WMI, Simulator}, name):
		return fmt.Errorf("enum value must be one of auto,wmi,simulator,replay:DIR, got '%s'", text)
	}
	v.Name, v.folder = name, ""
	return nil
}

func (v *sourceValue) String() string { return v.Name }

// Resolve resolves --source=auto and refuses values that parse but make no sense.
func (c *Config) Resolve() error {
	if c.Name == "auto" {
		c.Name = Simulator
		if runtime.GOOS == "windows" {
			c.Name = WMI
		}
	}
	if c.Name == WMI && runtime.GOOS != "windows" {
		return fmt.Errorf("--source=wmi needs Windows, this is %s; use --source=simulator", runtime.GOOS)
	}
	var err error
	if c.simulated.Faults, err = simulator.ParseFaults(c.faults); err != nil {
		return fmt.Errorf("--simulator.fault: %w", err)
	}
	return nil
}

// Host is an opened source.
type Host struct {
	Open  func() (wmiquery.Session, error) // opens a session
	Now   func() time.Time                 // the host's clock
	Build string                           // build number of Windows on a captured host
}

// Open opens the source. It reads a capture, until ctx ends, but does not connect to a live host yet.
func (c *Config) Open(ctx context.Context, logger log.Logger) (Host, error) {
	switch c.Name {
	case Simulator:
		world, err := simulator.New(c.simulated)
		if err != nil {
			return Host{}, err
		}
		level.Warn(logger).Log("msg", "this is a simulated host, its values are not real",
			"source", c.Name, "scenario", c.simulated.Scenario, "host", c.simulated.Host)
		return Host{Open: world.Open, Now: world.Now}, nil
	case Replay:
		host, err := replay.OpenFolder(ctx, c.folder, time.Now)
		if err != nil {
			return Host{}, fmt.Errorf("--source=replay:%s: %w", c.folder, err)
		}
		level.Warn(logger).Log("msg", "this is a replayed capture, its values are not live",
			"source", c.Name, "directory", c.folder, "captured", host.Captured().Format(time.RFC3339),
			"windows_build", host.Build())
		return Host{Open: host.Open, Now: host.Now, Build: host.Build()}, nil
	}
	return Host{Open: wmiquery.OpenCOM, Now: time.Now}, nil
}
