// Package simulator simulates two Hyper-V Replica hosts and a third one for extended replication.
// [World.Open] returns sessions that behave like those of a real host.
//
// The simulator models the state of the hosts. A VM has a hostVM on each host that has a copy of it,
// and a link connects two of them. Cycles run at the replication interval, take time, are missed and
// fail. Recovery points accumulate and are merged. Monitoring windows end. Health follows from all of
// this. All methods of package msvm can be called. They are checked against the tables of that package,
// and their jobs change the state when they end.
//
// State is advanced to the current time when it is read, event by event. It therefore depends on the
// Config, on the time, and on the calls and their times, but not on when or how often it is read.
package simulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Config configures a World. The zero value is valid.
type Config struct {
	// VMs is the number of VMs, from 1 to 10,000. 0 means as many as it takes to show each situation
	// once, and some more that show the scenario. Test replicas are not counted.
	VMs int
	// Seed is the seed of the random generator. Two Worlds with the same seed, created at the same time,
	// are equal.
	Seed uint64
	// Now is the clock. Nil means time.Now. While it is behind an earlier reading, the clock of the
	// hosts stands still. It must not call methods of the World.
	Now func() time.Time
	// Host is the host that Open connects to: HV01 (the default), its replica server HV02, or the third
	// host HV03.
	Host string
	// Scenario is one of Scenarios. "" means the first one.
	Scenario string
	// MonitoringInterval is the property of that name in Msvm_ReplicationServiceSettingData: the length
	// of a monitoring window, in whole seconds from 1 hour to 7 days. 0 means the default of Windows, 12
	// hours.
	MonitoringInterval time.Duration
	// MonitoringStart is MonitoringStartTime in Msvm_ReplicationServiceSettingData: the time of day, in
	// UTC, from which monitoring windows are counted. Nil means the default of Windows, 9:00.
	MonitoringStart *time.Duration
	// Faults are the faults that are active from the start.
	Faults Faults
}

// maxVMs is far more than a Hyper-V host supports. It protects against typing errors that would use up
// the memory.
const maxVMs = 10_000

// World is the simulated hosts and the replication between them. Its methods are safe for concurrent
// use.
type World struct {
	cfg          Config
	scenario     scenario
	created      time.Time    // time of New; totals count from here
	certificates certificates // in the store of every host
	faults       *faultGate

	mu      sync.Mutex // guards the fields below and the state of the hosts
	lastNow time.Time  // latest reading of the clock
	hosts   map[string]*host
	// networkCut is set by SetNetworkDown.
	networkCut bool
	// vmsWithJobs are all VMs that have jobs. It may also contain VMs whose jobs have ended.
	vmsWithJobs []*logicalVM
	random      *rand.Rand // for jobs about hosts; see also logicalVM.rand
}

// New creates a World with a history of some hours.
func New(cfg Config) (*World, error) {
	cfg = cfg.withDefaults()
	scenario, err := cfg.check()
	if err != nil {
		return nil, err
	}
	w := &World{
		cfg:      cfg,
		scenario: scenario,
		faults:   newFaultGate(cfg.Faults),
		hosts:    make(map[string]*host, len(hostNames)),
		random:   rand.New(rand.NewPCG(cfg.Seed, 3<<32)),
	}
	for _, name := range hostNames {
		w.hosts[name] = newHost(name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.created = w.now()
	w.certificates = newCertificates(w.created)
	for _, h := range w.hosts {
		h.applyDefaults(w)
	}
	w.populate()
	return w, nil
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Host == "" {
		c.Host = hostNames[0]
	}
	if c.Scenario == "" {
		c.Scenario = scenarios[0].name
	}
	if c.MonitoringStart == nil {
		c.MonitoringStart = new(9 * time.Hour)
	}
	if c.MonitoringInterval == 0 {
		c.MonitoringInterval = 12 * time.Hour
	}
	return c
}

// check validates the configuration and finds the scenario. The error lists all problems.
func (c Config) check() (scenario, error) {
	var errs []error
	if c.VMs < 0 || c.VMs > maxVMs {
		errs = append(errs,
			fmt.Errorf("VMs is %d, must be 0 to %d; to simulate more VMs, simulate several hosts", c.VMs, maxVMs))
	}
	if !slices.Contains(hostNames, c.Host) {
		errs = append(errs, fmt.Errorf("Host is %q, must be one of %s", c.Host, strings.Join(hostNames, ", ")))
	}
	if s := *c.MonitoringStart; s < 0 || s >= 24*time.Hour || s%time.Second != 0 {
		errs = append(errs, fmt.Errorf("MonitoringStart is %v, must be a time of day in whole seconds", s))
	}
	if m := c.MonitoringInterval; m < time.Hour || m > 7*24*time.Hour || m%time.Second != 0 {
		errs = append(errs, fmt.Errorf("MonitoringInterval is %v, must be 1h to 168h in whole seconds", m))
	}
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == c.Scenario })
	if i < 0 {
		errs = append(errs, fmt.Errorf("Scenario is %q, must be one of %s", c.Scenario, strings.Join(Scenarios(), ", ")))
		return scenario{}, errors.Join(errs...)
	}
	return scenarios[i], errors.Join(errs...)
}

// Open connects to Config.Host.
func (w *World) Open() (wmiquery.Session, error) { return w.OpenHost(w.cfg.Host)() }

// OpenHost returns a function that connects to the host with that name.
func (w *World) OpenHost(name string) func() (wmiquery.Session, error) {
	return func() (wmiquery.Session, error) {
		h, ok := w.hosts[name]
		if !ok {
			return nil, fmt.Errorf("host %q: %w; the simulated hosts are %s",
				name, wmiquery.ErrNotFound, strings.Join(hostNames, ", "))
		}
		if w.faults.current().Disconnected {
			return nil, fmt.Errorf("connect to %s: %w", name, wmiquery.ErrUnavailable)
		}
		return &session{world: w, host: h}, nil
	}
}

// Now is the clock of the hosts, in UTC. It never goes back.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

// now reads the clock. The caller must hold w.mu.
func (w *World) now() time.Time {
	// Round removes the monotonic reading, which would make equal times differ.
	if t := w.cfg.Now().Round(0).UTC(); t.After(w.lastNow) {
		w.lastNow = t
	}
	return w.lastNow
}

// SetFaults replaces the active faults. Reads and calls that hang continue if their fault is no longer
// active.
func (w *World) SetFaults(f Faults) { w.faults.replace(f) }

// Totals returns the counters of a relationship of Config.Host since New, across all monitoring windows.
// It returns false if the host has no such relationship or if it does not replicate.
func (w *World) Totals(key msvm.Key) (Totals, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advanceVMsWithJobs(w.now())
	vm, ok := w.hosts[w.cfg.Host].byID[key.VM]
	if !ok || vm.endpoints[key.Link] == nil {
		return Totals{}, false
	}
	e := vm.endpoints[key.Link]
	vm.logical.advance(w.lastNow)
	return e.totals, true
}

// advanceVMsWithJobs advances all VMs with jobs to a time. Only jobs change which VMs a host has and
// what they are. The caller must hold w.mu.
func (w *World) advanceVMsWithJobs(at time.Time) {
	w.vmsWithJobs = slices.DeleteFunc(w.vmsWithJobs, func(lv *logicalVM) bool {
		lv.advance(at)
		return len(lv.jobs) == 0
	})
}

// advanceAll advances all VMs to a time. It is called before a change of the configuration of a host.
// The caller must hold w.mu.
func (w *World) advanceAll(at time.Time) {
	w.advanceVMsWithJobs(at)
	for _, h := range w.hosts {
		h.advance(at)
	}
}

// backupEnd is when the backup of the replicas ends that the scenario runs at the time. It is zero if there is none.
func (w *World) backupEnd(at time.Time) time.Time {
	b := w.scenario.backup
	if b.covers(at, w.created) {
		return w.created.Add(b.after).Truncate(time.Second)
	}
	return time.Time{}
}

// submitJob adds a job to its host. The job begins at once if it is not scheduled. The caller must hold
// w.mu.
func (w *World) submitJob(j *job, at time.Time) {
	j.submitted = at
	if j.begin.IsZero() {
		j.begin = at
	}
	j.end = j.begin.Add(j.duration)
	if j.failure != nil {
		j.end = j.begin.Add(j.duration / 2)
	}
	if j.transfer != nil {
		j.transfer.transfer = j
	}
	j.host.jobs = slices.DeleteFunc(j.host.jobs, func(old *job) bool { return old.expired(at) })
	j.host.jobs = append(j.host.jobs, j)
	if j.vm == nil {
		j.id = drawGUID(w.random)
		return
	}
	j.id = drawGUID(j.vm.logical.rand())
	j.vm.logical.addJob(j)
	if !j.begin.After(at) {
		j.advance(at)
	}
}

// serverAt is the host with the connection point, which is a host name or the name of the broker. It is
// nil if there is none.
func (w *World) serverAt(point string) *host {
	if strings.EqualFold(point, broker) {
		return w.hosts[hostNames[1]]
	}
	name, rest, _ := strings.Cut(strings.ToUpper(point), ".")
	if rest != "" && !strings.EqualFold("."+rest, domain) {
		return nil
	}
	return w.hosts[name]
}

// historyStart is when the simulation begins: at the start of the current monitoring window, but at
// least minHistory and at most maxHistory ago. With maxHistory the statistics look as if they had been
// reset at that time.
func (w *World) historyStart() time.Time {
	length := w.cfg.MonitoringInterval
	start := windowAfter(w.created, length, *w.cfg.MonitoringStart).Add(-length)
	if earliest := w.created.Add(-maxHistory); start.Before(earliest) {
		start = earliest
	}
	if latest := w.created.Add(-minHistory); start.After(latest) {
		start = latest
	}
	return start.Truncate(time.Second)
}
