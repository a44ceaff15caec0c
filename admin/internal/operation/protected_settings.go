package operation

import (
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// protectedSettings are settings whose change can destroy something, or can send data to another place.
type protectedSettings struct {
	replicaServer bool   // the host accepts replication
	history       uint16 // number of recovery points
	disks         []string
	destination   destination
	listener      listener
}

// destination is where the data of a VM is sent, and how it is protected on the way.
type destination struct {
	server, host, provider, thumbprint string // in upper case
	port                               uint16
	authentication                     msvm.Authentication // also decides on encryption: Kerberos uses HTTP
	bypassProxy                        bool
}

// listener is how other servers can replicate to this host.
type listener struct {
	authentication      msvm.Authentication
	thumbprint          string // in upper case
	httpPort, httpsPort uint16
}

func protectedSettingsOf(instance wmiquery.Instance) protectedSettings {
	switch i := instance.(type) {
	case *msvm.ReplicationServiceSettingData:
		return protectedSettings{
			replicaServer: valueOrZero(i.RecoveryServerEnabled),
			listener: listener{
				valueOrZero(i.AllowedAuthenticationType), upper(i.CertificateThumbPrint),
				valueOrZero(i.HttpPort), valueOrZero(i.HttpsPort),
			},
		}
	case *msvm.ReplicationSettingData:
		return protectedSettings{
			history: valueOrZero(i.RecoveryHistory), disks: i.IncludedDisks,
			destination: destination{
				upper(i.RecoveryConnectionPoint), upper(i.RecoveryHostSystem), upper(i.ReplicationProvider),
				upper(i.CertificateThumbPrint), valueOrZero(i.RecoveryServerPortNumber),
				valueOrZero(i.AuthenticationType), valueOrZero(i.BypassProxyServer),
			},
		}
	}
	return protectedSettings{}
}

// destroyedBy returns what a change to other settings destroys, "" for nothing.
func (s protectedSettings) destroyedBy(to protectedSettings) string {
	var lost []string
	if s.replicaServer && !to.replicaServer {
		lost = append(lost, "the inbound replication of all VMs that replicate to this host")
	}
	if to.history < s.history {
		lost = append(lost, "the recovery points that exceed the new history")
	}
	if slices.ContainsFunc(s.disks, func(d string) bool { return !slices.Contains(to.disks, d) }) {
		lost = append(lost, "the replica of the disks that are removed")
	}
	if s.destination != to.destination {
		lost = append(lost, "the confidentiality of the data, which is sent to another server or in another way")
	}
	if to.replicaServer && (!s.replicaServer || s.listener != to.listener) {
		lost = append(lost, "the present limits on how other servers replicate to this host")
	}
	return strings.Join(lost, ", and ")
}

// valueOrZero returns *p, and the zero value for a nil pointer.
func valueOrZero[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}

func upper(p *string) string { return strings.ToUpper(msvm.StringOrEmpty(p)) }
