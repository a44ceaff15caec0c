// Package simulator is a simulated pair of Hyper-V Replica hosts, and a third
// site, behind the same seam as a real host: [World.Open] gives sessions on one
// of them.
//
// It is a model, not a stub. A VM is one machine on each host that has it, and a
// link joins two of them: cycles run at its interval, take time, are missed and
// fail; recovery points accumulate and merge; monitoring windows end; health
// follows from what happened. Every method of package msvm can be called, is
// checked against that package's tables, and starts a job that changes the world
// when it ends.
//
// All of it follows the clock, lazily: what is read is first brought up to now,
// event by event, so that a world depends on its Config, the time, and what was
// called when; never on when or how often it was read.
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

// Config says which world to simulate. The zero value is a good one.
type Config struct {
	// VMs is how many VMs replicate between the hosts, or could: 1 to 10,000, or 0
	// for as many as show every situation once, and what the scenario is about. A
	// test replica comes on top.
	VMs int
	// Seed makes the world: same seed and same time of New, same world.
	Seed uint64
	// Now is the clock; nil is time.Now. The hosts' clock stands still while it
	// shows less than it did before. It must not call the World.
	Now func() time.Time
	// Host is the host that Open connects to: HV01, which is the default, its
	// replica server HV02, or the third site HV03.
	Host string
	// Scenario is what the world shows, see Scenarios; "" is the first of them.
	Scenario string
	// MonitoringInterval is the length of a monitoring window, in whole seconds
	// from an hour to seven days: Msvm_ReplicationServiceSettingData's
	// MonitoringInterval. 0 is its default of 12 hours.
	MonitoringInterval time.Duration
	// MonitoringStart is the time of day, UTC, from which monitoring windows are
	// counted: Msvm_ReplicationServiceSettingData's MonitoringStartTime. Nil is its
	// default of 9:00.
	MonitoringStart *time.Duration
	// Faults are those that are on from the start.
	Faults Faults
}

// maxVMs is many times what one Hyper-V host runs, and keeps a typing error from
// eating the machine.
const maxVMs = 10_000

// World is the hosts and all that replicates between them. Its methods can be
// called by many goroutines at once.
type World struct {
	cfg      Config
	scenario scenario
	created  time.Time // when New ran; totals count from here
	// certificates are those in the store of every host; the first is the one that
	// replication uses.
	certificates []certificate
	faults       *faultGate

	mu      sync.Mutex // guards all below and the links behind the hosts
	lastNow time.Time  // the last reading of the clock
	hosts   map[string]*host
	// working are guests with jobs, and maybe some without.
	vmsWithJobs []*logicalVM
	random      *rand.Rand // of what hosts draw; see guest.rand
}

// New makes a world in the middle of its life: with some hours of history.
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

// check finds everything that is wrong, and the scenario.
func (c Config) check() (scenario, error) {
	var errs []error
	if c.VMs < 0 || c.VMs > maxVMs {
		errs = append(errs, fmt.Errorf("VMs is %d, allowed is 0 to %d; for more, simulate several hosts", c.VMs, maxVMs))
	}
	if !slices.Contains(hostNames, c.Host) {
		errs = append(errs, fmt.Errorf("Host is %q, allowed is %s", c.Host, strings.Join(hostNames, ", ")))
	}
	if s := *c.MonitoringStart; s < 0 || s >= 24*time.Hour || s%time.Second != 0 {
		errs = append(errs, fmt.Errorf("MonitoringStart is %v, allowed is a time of day in whole seconds", s))
	}
	if m := c.MonitoringInterval; m < time.Hour || m > 7*24*time.Hour || m%time.Second != 0 {
		errs = append(errs, fmt.Errorf("MonitoringInterval is %v, allowed is 1h to 168h in whole seconds", m))
	}
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == c.Scenario })
	if i < 0 {
		errs = append(errs, fmt.Errorf("Scenario is %q, allowed is %s", c.Scenario, strings.Join(Scenarios(), ", ")))
		return scenario{}, errors.Join(errs...)
	}
	return scenarios[i], errors.Join(errs...)
}

// Open connects to Config.Host.
func (w *World) Open() (wmiquery.Session, error) { return w.OpenHost(w.cfg.Host)() }

// OpenHost is an Open for the host of that name.
func (w *World) OpenHost(name string) func() (wmiquery.Session, error) {
	return func() (wmiquery.Session, error) {
		h, ok := w.hosts[name]
		if !ok {
			return nil, fmt.Errorf("no host %q, there are %s: %w", name, strings.Join(hostNames, ", "), wmiquery.ErrNotFound)
		}
		if w.faults.current().Disconnected {
			return nil, fmt.Errorf("connect to %s: %w", name, wmiquery.ErrUnavailable)
		}
		return &session{world: w, host: h}, nil
	}
}

// Now is the hosts' clock, in UTC. It does not go back even if Config.Now does.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now()
}

// now reads the clock; w.mu is held.
func (w *World) now() time.Time {
	// Round drops the monotonic reading, which would make equal times differ.
	if t := w.cfg.Now().Round(0).UTC(); t.After(w.lastNow) {
		w.lastNow = t
	}
	return w.lastNow
}

// SetFaults replaces the faults that are on. Calls that hang because of one that
// is gone go on.
func (w *World) SetFaults(f Faults) { w.faults.replace(f) }

// Totals is what really happened to a relationship of Config.Host since New,
// however many monitoring windows have ended since. It is false when the host
// has no such relationship, or only the empty row of a VM that never replicated.
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

// settle brings the guests that have jobs up to a time: only jobs change which
// machines a host has, and what they are.
func (w *World) advanceVMsWithJobs(at time.Time) {
	w.vmsWithJobs = slices.DeleteFunc(w.vmsWithJobs, func(lv *logicalVM) bool {
		lv.advance(at)
		return len(lv.jobs) == 0
	})
}

// settleAll brings everything up to a time: what is then set on a host counts
// from there on.
func (w *World) advanceAll(at time.Time) {
	w.advanceVMsWithJobs(at)
	for _, h := range w.hosts {
		h.advance(at)
	}
}

// out tells whether the network between the hosts is out at a time.
func (w *World) networkDown(at time.Time) bool {
	o := w.scenario.outage
	return o.before > 0 && !at.Before(w.created.Add(-o.before)) && at.Before(w.created.Add(o.after))
}

// post puts a job on its host, and begins it if it is not for later.
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
	lv := j.vm.logical
	j.id = drawGUID(lv.rand())
	lv.jobs = append(lv.jobs, j)
	if !slices.Contains(w.vmsWithJobs, lv) {
		w.vmsWithJobs = append(w.vmsWithJobs, lv)
	}
	if !j.begin.After(at) {
		j.advance(at)
	}
}

// serverAt is the host that replicas are sent to under a name: its own, or that
// of the broker.
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

// historyStart is when the world begins: where the running window did, if that
// is not too recent for figures or too long ago. In the latter case the window's
// statistics look as if reset then.
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
