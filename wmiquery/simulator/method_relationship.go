package simulator

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Why a relationship cannot be made or changed. The texts are invented.
var (
	errNoServer  = &failure{32768, "The Replica server name could not be resolved."}
	errExists    = &failure{32768, "The virtual machine exists on the Replica server and is not enabled as a Replica virtual machine."}
	errRunning   = &failure{32775, "The virtual machine is running."}
	errNotMoving = &failure{32768, "The Replica virtual machine is not on that Replica server."}
)

// create is Msvm_ReplicationService.CreateReplicationRelationship: on a plain VM
// it makes it a primary, on a replica it extends the replication to a third host.
func create(r *request) wmiquery.Reply {
	settings, ok := r.settings(unsetSettings())
	if !ok {
		return refuse(wmiquery.CodeInvalidParam)
	}
	m := r.machine
	return started(r.post(&job{
		kind: msvm.JobCreateRelationship, length: r.between(5, 15),
		onEnd: func(at time.Time) *failure {
			h := r.world.serverAt(*settings.RecoveryConnectionPoint)
			if h == nil || h == m.host {
				return errNoServer
			}
			if f := h.admits(m, settings); f != nil {
				return f
			}
			to, f := m.shell(h, at)
			if f != nil {
				return f
			}
			l := m.guest.connect(m, r.as, to, settings)
			l.start(at)
			l.sender.state, l.receiver.state = msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication
			if m.mode == msvm.ModeNone {
				m.mode = msvm.ModePrimary
			}
			return nil
		},
	}))
}

// settings are those that are given on top of others, false if they are not
// allowed.
func (r *request) settings(onto msvm.ReplicationSettingData) (msvm.ReplicationSettingData, bool) {
	var given msvm.ReplicationSettingData
	if !r.args.instance("ReplicationSettingData", &given) {
		return given, false
	}
	s := overlay(onto, given)
	history, hours := *s.RecoveryHistory, *s.ApplicationConsistentSnapshotInterval
	intervals := []uint16{30, 300, 900}
	if r.as == msvm.Extended { // and not shorter than on the primary link
		intervals = slices.DeleteFunc(intervals, func(i uint16) bool {
			inbound := r.machine.sides[msvm.Primary]
			return i < 300 || inbound != nil && i < *inbound.link.settings.ReplicationInterval
		})
	}
	switch {
	case msvm.StringOrEmpty(s.RecoveryConnectionPoint) == "", *s.RecoveryServerPortNumber == 0,
		*s.AuthenticationType != msvm.AuthenticationKerberos && *s.AuthenticationType != msvm.AuthenticationCertificate,
		*s.AuthenticationType == msvm.AuthenticationCertificate && msvm.StringOrEmpty(s.CertificateThumbPrint) == "",
		!slices.Contains(intervals, *s.ReplicationInterval),
		history > 24, hours > 12, hours > 0 && (history == 0 || r.as == msvm.Extended):
		return s, false
	}
	return s, true
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

// shell is the machine that is to receive on a host: a new one, or the VM that was
// made a replica there before.
func (m *machine) shell(h *host, at time.Time) (*machine, *failure) {
	mode := msvm.ModeReplica
	if m.mode == msvm.ModeReplica {
		mode = msvm.ModeExtendedReplica
	}
	if there := h.byID[m.id]; there != nil {
		s := there.sides[msvm.Primary]
		if s == nil || s.sends() || s.state != msvm.WaitingToCompleteInitialReplication || s.link.sender.state != msvm.Disabled || there.busy() {
			return nil, errExists
		}
		m.guest.unlink(s.link)
		there.mode = mode
		return there, nil
	}
	to := &machine{
		guest: m.guest, index: m.index, id: m.id, name: m.name, installed: at.Truncate(time.Second), came: at,
		mode: mode, sides: map[msvm.Link]*side{},
	}
	h.add(to)
	return to, nil
}

// connect joins two machines by a new link.
func (g *guest) connect(from *machine, as msvm.Link, to *machine, settings msvm.ReplicationSettingData) *link {
	random := rand.New(rand.NewPCG(g.rand().Uint64(), g.rand().Uint64()))
	l := newLink(random, drawTraffic(random, 300*time.Second), from, as, to)
	settings.PrimaryHostSystem, settings.PrimaryConnectionPoint = &from.host.fqdn, &from.host.fqdn
	settings.RecoveryHostSystem = &to.host.fqdn
	switch inbound := from.sides[msvm.Primary]; {
	case as == msvm.Extended && inbound != nil:
		settings.IncludedDisks = inbound.link.settings.IncludedDisks
	case settings.IncludedDisks == nil:
		settings.IncludedDisks = []string{diskPath(from, 0)}
	}
	l.apply(settings)
	return l
}

// apply has the link go by settings from now on.
func (l *link) apply(s msvm.ReplicationSettingData) {
	l.settings = s
	l.traffic.interval = time.Duration(*s.ReplicationInterval) * time.Second
	l.traffic.snapshots = time.Duration(*s.ApplicationConsistentSnapshotInterval) * time.Hour
	l.receiver.mergePoints(int(*s.RecoveryHistory))
	l.barred = l.receiver.machine.host.admits(l.sender.machine, s)
}

// makeReplica is request 2: a plain VM becomes a replica that nobody sends to yet.
func (r *request) makeReplica(q msvm.StateRequest) wmiquery.Reply {
	m := r.machine
	if r.side != nil || r.as != msvm.Primary {
		return refuse(wmiquery.CodeInvalidState)
	}
	nobody := &machine{guest: m.guest, host: m.host, id: m.id, index: m.index, sides: map[msvm.Link]*side{}}
	l := m.guest.connect(nobody, msvm.Primary, m, unsetSettings())
	l.settings.PrimaryHostSystem, l.settings.PrimaryConnectionPoint = nil, nil
	l.start(r.at)
	l.receiver.state, m.mode = msvm.WaitingToCompleteInitialReplication, msvm.ModeReplica
	return started(r.post(&job{
		kind: q.Job, length: r.between(1, 4),
		onEnd: func(time.Time) *failure {
			if m.on {
				return errRunning
			}
			return nil
		},
		onFail: func(at time.Time) { m.part(msvm.Primary, at) },
	}))
}

// modify is Msvm_ReplicationService.ModifyReplicationSettings. Other disks are a
// matter of their own.
func modify(r *request) wmiquery.Reply {
	l := r.side.link
	settings, ok := r.settings(l.settings)
	otherDisks := !slices.Equal(settings.IncludedDisks, l.settings.IncludedDisks)
	switch {
	case !ok || otherDisks && r.as == msvm.Extended:
		return refuse(wmiquery.CodeInvalidParam)
	case otherDisks && r.side.state != msvm.Replicating:
		return refuse(wmiquery.CodeInvalidState)
	case otherDisks:
		l.update = &settings
		return started(r.updateDisks())
	}
	return started(r.post(&job{
		kind: msvm.JobModifyRelationship, length: r.between(2, 5),
		onEnd: func(time.Time) *failure {
			if r.world.serverAt(*settings.RecoveryConnectionPoint) != l.receiver.machine.host {
				return errNotMoving
			}
			l.apply(settings)
			return nil
		},
	}))
}

// remove is Msvm_ReplicationService.RemoveReplicationRelationship(Ex): the other
// host keeps its side. A replica that is replicated on must lose that first.
func remove(r *request) wmiquery.Reply {
	if r.machine.busy() {
		return refuse(wmiquery.CodeInUse)
	}
	if other := r.machine.sides[msvm.Extended]; r.as == msvm.Primary && other != nil && other.state != msvm.Disabled {
		return refuse(wmiquery.CodeInvalidState)
	}
	if r.side.sends() {
		r.side.link.drop(r.at)
	}
	for _, j := range slices.Clone(r.machine.guest.jobs) {
		if j.machine == r.machine && startsInitial(j) && r.side.sends() {
			j.cancel(r.at)
		}
	}
	return started(r.post(&job{
		kind: msvm.JobRemoveRelationship, length: r.between(2, 6),
		onEnd: func(at time.Time) *failure { r.machine.part(r.as, at); return nil },
	}))
}

// part takes a machine off a link. The VM and its disks stay, its recovery points
// go with the link's side.
func (m *machine) part(from msvm.Link, at time.Time) {
	s := m.sides[from]
	s.link.drop(at)
	s.enter(msvm.Disabled, at)
	delete(m.sides, from)
	if from == msvm.Primary {
		m.mode = msvm.ModeNone
		delete(m.host.failoverNetworks, m.id)
	}
	if s.link.sender.state == msvm.Disabled && s.link.receiver.state == msvm.Disabled {
		m.guest.unlink(s.link)
	}
}
