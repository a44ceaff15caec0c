package simulator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// History that a world has when it is made: that of the running monitoring
// window, but at least and at most this.
const (
	minHistory = 2 * time.Hour
	maxHistory = 12 * time.Hour
)

// historyStart is when the world begins: where the running window did, if that
// is not too recent for figures or too long ago. In the latter case the window's
// statistics look as if reset then.
func (w *World) historyStart() time.Time {
	length := w.cfg.MonitoringInterval
	start := windowAfter(w.born, length, *w.cfg.MonitoringStart).Add(-length)
	if earliest := w.born.Add(-maxHistory); start.Before(earliest) {
		start = earliest
	}
	if latest := w.born.Add(-minHistory); start.After(latest) {
		start = latest
	}
	return start.Truncate(time.Second)
}

// drawn is how many VMs show what a scenario is about beyond its situations, if
// nobody says how many.
const drawn = 12

// populate makes the VMs and brings them up to now; w.mu is held.
func (w *World) populate() {
	shown := w.scenario.situations()
	vms := w.cfg.VMs
	if vms == 0 {
		vms = len(shown)
		if w.scenario.draw != nil {
			vms += drawn
		}
	}
	for i := range vms {
		r := rand.New(rand.NewPCG(w.cfg.Seed, uint64(i)))
		id := drawGUID(r)
		s := w.scenario.drawSituation(r)
		if i < len(shown) {
			s = shown[i]
		}
		v := &vm{guest: &guest{world: w, index: i}, world: w, index: i, id: id, name: vmName(i), random: r, situation: s}
		v.installed = w.born.Add(-time.Duration(30*24+r.IntN(900*24)) * time.Hour).Truncate(time.Second)
		v.place()
	}
}

// vm is a VM that is being made, on all hosts.
type vm struct {
	guest     *guest
	world     *World
	index     int
	id, name  string
	installed time.Time
	random    *rand.Rand
	situation situation
}

// place puts the VM on its hosts and gives it its past.
func (v *vm) place() {
	if v.situation.alone {
		v.machine(hostNames[0], msvm.ModeNone).on = true
		return
	}
	from, to := hostNames[0], hostNames[1]
	if v.situation.inbound {
		from, to = to, from
	}
	primary, replica := v.machine(from, msvm.ModePrimary), v.machine(to, msvm.ModeReplica)
	l := v.link(primary, msvm.Primary, replica)
	primary.on = true
	v.live(l)
	if v.situation.tested {
		v.addTest(l)
	}
	if v.situation.extended {
		v.extend(replica)
	}
}

func (v *vm) machine(hostName string, mode msvm.ReplicationMode) *machine {
	m := &machine{
		guest: v.guest, index: v.index, id: v.id, name: v.name, installed: v.installed,
		mode: mode, sides: map[msvm.Link]*side{},
	}
	v.world.hosts[hostName].add(m)
	return m
}

// link joins two machines, as the sender's relationship of that name. For the
// receiver it is always the primary one.
func (v *vm) link(from *machine, as msvm.Link, to *machine) *link {
	interval := v.situation.interval
	if interval == 0 || as == msvm.Extended {
		interval = max(interval, 300*time.Second)
	}
	t := drawTraffic(v.random, interval)
	if v.situation.slow {
		t = t.slow()
	}
	l := newLink(v.random, t, from, as, to)
	l.settings = v.drawSettings(from, to, as, &l.traffic)
	to.host.configureFailover(to)
	return l
}

// live brings the link to now, through what its situation says.
func (v *vm) live(l *link) {
	s, start := v.situation, v.world.historyStart()
	changed := v.world.born.Add(-s.ago).Truncate(time.Second)
	if changed.Before(start) {
		changed = start
	}
	if s.fresh {
		start = changed
	}
	l.start(start)
	if !s.fresh {
		l.replicatedAt(start)
		l.receiver.stock(start)
		l.receiver.lastTest = v.drawTest()
		v.guest.advance(changed)
	}
	if s.sender != msvm.Disabled {
		v.enter(l, changed)
	}
	v.guest.advance(v.world.born)
	for _, side := range l.sides() {
		side.totals = Totals{} // they count from now
	}
}

// enter puts the link into the VM's situation at a time.
func (v *vm) enter(l *link, at time.Time) {
	s, from, to := v.situation, l.sender.machine, l.receiver.machine
	from.on, to.on = from.on && !s.sourceOff, s.replicaOn
	l.track(at)
	l.sender.state, l.receiver.state = s.sender, s.receiver
	l.stays = s.sender == msvm.WaitingToStartResynchronization
	l.sending = nil
	l.receiver.failedOver = s.failedOver
	switch {
	case s.receiver == msvm.FailoverInProgress:
		l.failOver(at, s.lasts, nil, nil)
	case s.receiver == msvm.Committed:
		l.receiver.mergeAll()
	case s.lasts > 0:
		l.resumeTransfer(at, s.lasts)
	}
	if s.sender == msvm.ResynchronizationSuspended {
		l.transfer.pause(at.Add(s.lasts / 4))
	}
	if s.shipped {
		l.backlog = 0
		l.shipped(at)
	}
}

// drawTest is when the last test failover was: never for most.
func (v *vm) drawTest() time.Time {
	days := v.random.IntN(120)
	if days > 30 {
		return msvm.Never()
	}
	return v.world.born.Add(-time.Duration(1+days) * 24 * time.Hour).Truncate(time.Hour)
}

// addTest puts a test replica VM beside the replica.
func (v *vm) addTest(l *link) {
	replica := l.receiver.machine
	begun := v.world.born.Add(-3 * time.Hour).Truncate(time.Second)
	l.receiver.lastTest = begun
	replica.host.add(replica.newTest(drawGUID(v.random), begun))
}

// extend has the replica replicated on to the third site.
func (v *vm) extend(replica *machine) {
	third := v.machine(hostNames[2], msvm.ModeExtendedReplica)
	v.random = rand.New(rand.NewPCG(v.world.cfg.Seed, 1<<32|uint64(v.index))) // one source a link
	v.live(v.link(replica, msvm.Extended, third))
}

const hexDigits = "0123456789ABCDEF"

// drawGUID is a random GUID as Hyper-V writes it.
func drawGUID(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	a = a&^0xF000 | 0x4000 // version 4
	b = b&^(3<<62) | 2<<62
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], a)
	binary.BigEndian.PutUint64(raw[8:], b)
	text := make([]byte, 0, 36)
	for i, c := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(text)
}

// vmName is the name of the i-th VM: web01, sql01 … web02 …
func vmName(i int) string {
	roles := []string{
		"web", "sql", "dc", "file-server-", "app", "mail", "print", "erp-db-", "build", "backup-proxy-", "sharepoint",
		"rds", "wsus", "monitoring", "intranet", "vpn", "crm-app-", "dev-linux-", "pki", "radius",
	}
	return fmt.Sprintf("%s%02d", roles[i%len(roles)], i/len(roles)+1)
}
