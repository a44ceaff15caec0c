package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Why the roles cannot be swapped. The texts are invented.
var (
	errNoPrimary = &failure{wmiquery.CodeFailed, "The virtual machine on the primary server is not enabled for replication any more."}
	errReplica   = &failure{wmiquery.CodeInvalidState, "The virtual machine on the other server is a Replica itself."}
	errInUse     = &failure{wmiquery.CodeInUse, "Another replication operation is in progress for the virtual machine."}
	errSource    = &failure{wmiquery.CodeInvalidState, "The virtual machine on the primary server is running."}
)

// reverse is Msvm_ReplicationService.ReverseReplicationRelationship. The old
// primary's host must be a replica server that lets this one in. That the old
// primary must be off, and that an extended replication cannot be reversed nor a
// replica that has one, is inferred: one VM would run twice, or have three
// relationships.
func reverse(r *request) wmiquery.Reply {
	l, m := r.side.link, r.machine
	if m.sides[msvm.Extended] != nil {
		return refuse(wmiquery.CodeInvalidState)
	}
	settings, ok := r.settings(l.settings)
	if !ok {
		return refuse(wmiquery.CodeInvalidParam)
	}
	return started(r.post(&job{
		kind: msvm.JobReverseReplication, length: r.between(10, 30),
		onEnd: func(at time.Time) *failure {
			old := l.sender.machine
			h := r.world.serverAt(*settings.RecoveryConnectionPoint)
			switch {
			case h == nil:
				return errNoServer
			case l.sender.state == msvm.Disabled || h != old.host:
				return errNoPrimary
			case l.as == msvm.Extended:
				return errReplica
			case old.on:
				return errSource
			case old.busy():
				return errInUse
			}
			if f := h.admits(m, settings); f != nil {
				return f
			}
			l.swap(at, settings)
			return nil
		},
	}))
}

// swap replaces the link by one that goes the other way. After a planned failover
// the disks are alike and it replicates. Otherwise nobody knows what the old
// primary has, so it waits for an initial replication: that is inferred, from the
// cmdlets that Microsoft tells to use then.
func (l *link) swap(at time.Time, settings msvm.ReplicationSettingData) {
	from, to := l.receiver.machine, l.sender.machine
	inSync := l.receiver.failedOver == msvm.TypePlanned && l.sender.state == msvm.SyncedReplicationComplete
	was, wasSender := l.receiver, l.sender
	var disks []string
	l.drop(at)
	from.guest.unlink(l)
	from.mode, to.mode = msvm.ModePrimary, msvm.ModeReplica
	for i := range settings.IncludedDisks {
		disks = append(disks, diskPath(from, i))
	}
	settings.IncludedDisks = disks
	n := from.guest.connect(from, msvm.Primary, to, settings)
	n.traffic = l.traffic
	n.apply(n.settings)
	n.start(at)
	n.sender.keepFigures(was)
	n.receiver.keepFigures(wasSender)
	if inSync {
		n.replicatedAt(at)
		return
	}
	n.sender.state, n.receiver.state = msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication
}

// keepFigures has the side go on with what was counted for its machine.
func (s *side) keepFigures(was side) {
	s.window, s.windowEnd, s.totals, s.lastTest = was.window, was.windowEnd, was.totals, was.lastTest
}

// changeToPrimary is Msvm_ReplicationService.ChangeReplicationModeToPrimary: a
// replica that has failed over for good becomes the primary of what was its
// extended replication. If it went back to an earlier point the third host must be
// resynchronized, which is inferred.
func changeToPrimary(r *request) wmiquery.Reply {
	m := r.machine
	inbound, extended := m.sides[msvm.Primary], m.sides[msvm.Extended]
	if named(r) != msvm.Extended {
		return refuse(wmiquery.CodeInvalidParam)
	}
	if extended == nil || extended.state == msvm.Disabled {
		return refuse(wmiquery.CodeInvalidState)
	}
	return started(r.post(&job{
		kind: msvm.JobChangeModeToPrimary, length: r.between(5, 15),
		onEnd: func(at time.Time) *failure {
			rewound := inbound.rewound
			m.part(msvm.Primary, at)
			delete(m.sides, msvm.Extended)
			m.sides[msvm.Primary] = extended
			m.mode = msvm.ModePrimary
			if extended.link.receiver.state != msvm.Disabled {
				extended.link.receiver.machine.mode = msvm.ModeReplica
			}
			extended.link.as = msvm.Primary
			if rewound {
				extended.link.loseTrack(at)
			}
			extended.link.track(at)
			return nil
		},
	}))
}
