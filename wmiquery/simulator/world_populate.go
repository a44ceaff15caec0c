package simulator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// Limits of the history that a World has when it is created.
const (
	minHistory = 2 * time.Hour
	maxHistory = 12 * time.Hour
)

// defaultExtraVMs is the default number of VMs beyond the shown situations, for scenarios that draw
// them.
const defaultExtraVMs = 12

// populate creates the VMs and advances them to the current time. The caller must hold w.mu.
func (w *World) populate() {
	shown := w.scenario.situations()
	vms := w.cfg.VMs
	if vms == 0 {
		vms = len(shown)
		if w.scenario.draw != nil {
			vms += defaultExtraVMs
		}
	}
	for i := range vms {
		r := rand.New(rand.NewPCG(w.cfg.Seed, uint64(i)))
		id := drawGUID(r)
		s := w.scenario.drawSituation(r)
		if i < len(shown) {
			s = shown[i]
		}
		v := &vmBuilder{logical: &logicalVM{world: w, index: i}, id: id, name: vmName(i), random: r, situation: s}
		v.installed = w.created.Add(-time.Duration(30*24+r.IntN(900*24)) * time.Hour).Truncate(time.Second)
		v.build()
	}
}

// vmBuilder creates a VM on all hosts.
type vmBuilder struct {
	logical   *logicalVM
	id, name  string
	installed time.Time
	random    *rand.Rand
	situation situation
}

// build adds the VM to its hosts and simulates its history.
func (v *vmBuilder) build() {
	if v.situation.neverReplicated {
		v.addVM(hostNames[0], msvm.ModeNone).on = true
		return
	}
	from, to := hostNames[0], hostNames[1]
	if v.situation.inbound {
		from, to = to, from
	}
	primary, replica := v.addVM(from, msvm.ModePrimary), v.addVM(to, msvm.ModeReplica)
	l := v.addLink(primary, msvm.Primary, replica)
	primary.on = true
	v.runHistory(l)
	if v.situation.testReplica {
		v.addTestReplica(l)
	}
	if v.situation.extended {
		v.addExtendedReplica(replica)
	}
}

func (v *vmBuilder) addVM(hostName string, mode msvm.ReplicationMode) *hostVM {
	vm := &hostVM{
		logical: v.logical, id: v.id, name: v.name, installed: v.installed,
		mode: mode, endpoints: map[msvm.Link]*endpoint{},
	}
	v.logical.world.hosts[hostName].addVM(vm)
	return vm
}

// addLink connects two VMs. linkType is the relationship of the sender.
func (v *vmBuilder) addLink(from *hostVM, linkType msvm.Link, to *hostVM) *link {
	interval := v.situation.interval
	if interval == 0 || linkType == msvm.Extended {
		interval = max(interval, 300*time.Second)
	}
	t := drawTraffic(v.random, interval)
	if v.situation.slow {
		t = t.slowDown()
	}
	l := newLink(v.random, t, from, linkType, to)
	l.settings = v.drawSettings(from, to, linkType, &l.traffic)
	if v.situation.external {
		l.settings.ReplicationProvider = new(from.host.path(msvm.ProviderRef(externalProvider)))
	}
	to.host.configureFailoverNetwork(to)
	return l
}

// runHistory advances the link from the start of the history to the time of New, and puts it into its
// situation on the way.
func (v *vmBuilder) runHistory(l *link) {
	s, start := v.situation, v.logical.world.historyStart()
	changed := v.logical.world.created.Add(-s.age).Truncate(time.Second)
	if changed.Before(start) {
		changed = start
	}
	if s.newlyEnabled {
		start = changed
	}
	l.start(start)
	if !s.newlyEnabled {
		l.setReplicating(start)
		l.receiver.addInitialPoints(start)
		l.receiver.lastTest = v.drawLastTest()
		v.logical.advance(changed)
	}
	if s.sender != msvm.Disabled {
		v.enterSituation(l, changed)
	}
	v.logical.advance(v.logical.world.created)
	for _, e := range l.endpoints() {
		e.totals = Totals{} // they count from New
	}
}

// enterSituation puts the link into the situation of the VM.
func (v *vmBuilder) enterSituation(l *link, at time.Time) {
	s, from, to := v.situation, l.sender.vm, l.receiver.vm
	from.on, to.on = from.on && !s.senderOff, s.receiverOn
	l.updateBacklog(at)
	if s.sender == msvm.WaitingToStartResynchronization { // changes are no longer tracked
		l.backlog = 0
	}
	l.sender.state, l.receiver.state = s.sender, s.receiver
	l.noAutoResync = s.sender == msvm.WaitingToStartResynchronization
	l.currentCycle, l.retry = nil, retry{}
	l.receiver.failedOver = s.failedOver
	if s.exported {
		l.exportedUntil = at
	}
	switch {
	case s.sender == msvm.DiskUpdateInProgress:
		l.startDiskUpdate(at, l.sender.vm, s.jobDuration, nil)
	case s.receiver == msvm.FailbackInProgress:
		l.startFailback(at, s.jobDuration, nil)
	case s.receiver == msvm.FailoverInProgress:
		l.startFailover(at, s.jobDuration, nil, nil)
	case s.receiver == msvm.Committed:
		l.receiver.mergeAllPoints()
	case s.jobDuration > 0:
		l.restoreTransfer(at, s.jobDuration)
	}
	if s.sender == msvm.ResynchronizationSuspended {
		l.transfer.suspend(at.Add(s.jobDuration / 4))
	}
	if s.changesSent {
		l.completePlannedSync(at)
	}
}

// drawLastTest draws the time of the last test failover. Most VMs never had one.
func (v *vmBuilder) drawLastTest() time.Time {
	days := v.random.IntN(120)
	if days > 30 {
		return msvm.Never()
	}
	return v.logical.world.created.Add(-time.Duration(1+days) * 24 * time.Hour).Truncate(time.Hour)
}

// addTestReplica adds a test replica of the receiver.
func (v *vmBuilder) addTestReplica(l *link) {
	replica := l.receiver.vm
	begun := v.logical.world.created.Add(-3 * time.Hour).Truncate(time.Second)
	l.receiver.lastTest = begun
	replica.host.addVM(replica.newTestReplica(drawGUID(v.random), begun))
}

// addExtendedReplica replicates the replica to the third host.
func (v *vmBuilder) addExtendedReplica(replica *hostVM) {
	third := v.addVM(hostNames[2], msvm.ModeExtendedReplica)
	// Each link has its own random source.
	v.random = rand.New(rand.NewPCG(v.logical.world.cfg.Seed, 1<<32|uint64(v.logical.index)))
	v.runHistory(v.addLink(replica, msvm.Extended, third))
}

const hexDigits = "0123456789ABCDEF"

// drawGUID draws a GUID in the format of Hyper-V.
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

// vmName is the name of the VM with index i: web01, sql01 ... web02 ...
func vmName(i int) string {
	roles := []string{
		"web", "sql", "dc", "file-server-", "app", "mail", "print", "erp-db-", "build", "backup-proxy-", "sharepoint",
		"rds", "wsus", "monitoring", "intranet", "vpn", "crm-app-", "dev-linux-", "pki", "radius",
	}
	return fmt.Sprintf("%s%02d", roles[i%len(roles)], i/len(roles)+1)
}

// drawSettings draws the settings of a link. The rows of both endpoints share them, so they must not be
// written to.
func (v *vmBuilder) drawSettings(from, to *hostVM, linkType msvm.Link, t *traffic) linkSettings {
	s := linkSettings{unsetSettings(), laterBuild{new("of the VM <" + from.id + ">")}}
	s.AuthenticationType = new(msvm.AuthenticationKerberos)
	s.RecoveryServerPortNumber = new(uint16(kerberosPort))
	if v.logical.index%5 == 4 || v.logical.index%5 == 2 && linkType == msvm.Extended {
		s.AuthenticationType = new(msvm.AuthenticationCertificate)
		s.RecoveryServerPortNumber = new(uint16(certificatePort))
		s.CertificateThumbPrint = new(v.logical.world.certificates.current.thumbprint)
	}
	s.CompressionEnabled = new(v.logical.index%7 != 6)
	s.PrimaryConnectionPoint, s.PrimaryHostSystem = &from.host.fqdn, &from.host.fqdn
	s.RecoveryConnectionPoint, s.RecoveryHostSystem = &to.host.fqdn, &to.host.fqdn
	if v.logical.index == 3 {
		s.RecoveryConnectionPoint = new(broker)
	}
	s.ReplicationInterval = new(uint16(t.interval / time.Second))
	history := pick(v.random, 0, 4, 24)
	s.RecoveryHistory = &history
	if history > 0 && linkType == msvm.Primary {
		hours := pick(v.random, 0, 1, 4)
		s.ApplicationConsistentSnapshotInterval = &hours
		t.snapshotInterval = time.Duration(hours) * time.Hour
	}
	s.AutoResynchronizeEnabled = new(v.logical.index%6 != 5)
	for disk := range 1 + v.random.IntN(3) {
		s.IncludedDisks = append(s.IncludedDisks, diskPath(from, disk))
	}
	return s
}

func pick(r *rand.Rand, of ...uint16) uint16 { return of[r.IntN(len(of))] }
