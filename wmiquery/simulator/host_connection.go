package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// connectionFailure returns the reason why a VM cannot be replicated to another host with the settings, or nil if it
// can. It is the only place that decides this: whatever sends data to another host or asks it calls this function.
func (w *World) connectionFailure(
	at time.Time, from *hostVM, to *host, s msvm.ReplicationSettingData,
) *failure {
	if to == nil || to == from.host {
		return errServerNotFound
	}
	listener := *to.settings.HttpPort
	if *s.AuthenticationType == msvm.AuthenticationCertificate {
		listener = *to.settings.HttpsPort
	}
	switch {
	case w.networkDown(at):
		return errServerUnreachable
	case !*to.settings.RecoveryServerEnabled:
		return errServerDisabled
	case *s.RecoveryServerPortNumber != listener:
		return errServerUnreachable
	case *s.AuthenticationType&*to.settings.AllowedAuthenticationType != *s.AuthenticationType:
		return errAuthenticationType
	case *s.AuthenticationType == msvm.AuthenticationCertificate &&
		(!w.certificates.valid(s.CertificateThumbPrint, at) ||
			!w.certificates.valid(to.settings.CertificateThumbPrint, at)):
		return errCertificate
	case !to.authorizes(from):
		return errNotAuthorized
	}
	return nil
}

// receiverFailure returns the reason why the receiver takes nothing from the sender while the sender is in the state,
// or nil if it takes what is sent then.
func (l *link) receiverFailure(at time.Time, sender msvm.ReplicationState) *failure {
	to, r := l.receiver.vm, l.receiver.state
	f := to.logical.world.connectionFailure(at, l.sender.vm, to.host, l.settings.ReplicationSettingData)
	switch {
	case f != nil:
		return f
	case receives(r, sender):
		return nil
	case r == msvm.Disabled:
		return errReplicaNotFound
	case r == msvm.Suspended, r == msvm.FailoverInProgress, r.IsDiskUpdate(), to.hasRunningJob():
		return errReplicaBusy
	}
	return errReplicaState
}

// receives reports whether a receiver in a state takes what a sender in a state sends.
func receives(receiver, sender msvm.ReplicationState) bool {
	switch sender {
	case msvm.Replicating: // that replication continues during a fire drill is inferred from the test failover of one VM
		return receiver == msvm.Replicating || receiver == msvm.FiredrillInProgress
	case msvm.SyncedReplicationComplete:
		return receiver == msvm.Replicating
	case msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication:
		return receiver == msvm.WaitingToCompleteInitialReplication
	case msvm.Resynchronizing:
		return receiver == msvm.Resynchronizing
	}
	// A resynchronization begins.
	return receiver == msvm.WaitingToCompleteInitialReplication || receiver == msvm.Replicating ||
		receiver == msvm.Resynchronizing
}

// validConnection reports whether settings name a port, an authentication, and the certificate that it needs.
func validConnection(s msvm.ReplicationSettingData) bool {
	switch *s.AuthenticationType {
	case msvm.AuthenticationKerberos:
		return *s.RecoveryServerPortNumber > 0
	case msvm.AuthenticationCertificate:
		return *s.RecoveryServerPortNumber > 0 && isThumbprint(s.CertificateThumbPrint)
	}
	return false
}

// connected reports whether the network between the hosts of the link works.
func (l *link) connected(at time.Time) bool { return !l.sender.vm.logical.world.networkDown(at) }

// networkDown reports whether the network between the hosts is down at the time.
func (w *World) networkDown(at time.Time) bool {
	return w.networkCut || w.scenario.outage.covers(at, w.created)
}

// nextNetworkCut is the first time after t at which the scenario cuts the network. It is in whole seconds, and zero if
// there is none.
func (w *World) nextNetworkCut(t time.Time) time.Time {
	cut := w.created.Add(-w.scenario.outage.before).Truncate(time.Second)
	if w.scenario.outage == (period{}) || !cut.After(t) {
		return time.Time{}
	}
	return cut
}
