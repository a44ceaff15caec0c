package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationSettingData is Msvm_ReplicationSettingData: the settings of a relationship. VMs that do not replicate have
// an instance, too.
type ReplicationSettingData struct {
	InstanceID            string  // see ParseKey
	ElementName           *string // the name of the VM
	AuthenticationType    *Authentication
	CertificateThumbPrint *string // hexadecimal; null unless AuthenticationType is AuthenticationCertificate
	// RootCertificateThumbPrint is that of the root of the certificate in CertificateThumbPrint, in hexadecimal. It is
	// null if CertificateThumbPrint is null. The host determines it.
	RootCertificateThumbPrint *string
	CompressionEnabled        *bool
	BypassProxyServer         *bool
	// RecoveryConnectionPoint is the replica server that the administrator configured: a host or the replica broker of
	// a cluster. RecoveryHostSystem is the node that has the replica at present. They are null if the VM does not
	// replicate.
	RecoveryConnectionPoint  *string
	RecoveryHostSystem       *string
	PrimaryConnectionPoint   *string
	PrimaryHostSystem        *string
	RecoveryServerPortNumber *uint16 // TCP port; 0 if the VM does not replicate
	ReplicateHostKvpItems    *bool
	// ApplicationConsistentSnapshotInterval is in hours, 1 to 12. 0 means that there are no such snapshots.
	ApplicationConsistentSnapshotInterval *uint16
	// RecoveryHistory is the number of recovery points in addition to the latest one, 0 to 24.
	RecoveryHistory *uint16
	// IncludedDisks has the replicated disks as object paths or as InstanceIDs: Microsoft's reference and Microsoft's
	// own clients disagree.
	IncludedDisks            []string
	AutoResynchronizeEnabled *bool
	// AutoResynchronizeIntervalStart and AutoResynchronizeIntervalEnd are times since midnight, local time. If the
	// start is after the end, the interval includes midnight.
	AutoResynchronizeIntervalStart *time.Duration
	AutoResynchronizeIntervalEnd   *time.Duration
	// EnableWriteOrderPreservationAcrossDisks reports whether writes to several disks are replicated in their order. It is
	// deprecated and always true since Windows Server 2012 R2.
	EnableWriteOrderPreservationAcrossDisks *bool
	// ReplicationProvider is the object path of the provider.
	ReplicationProvider *string
	// ReplicationInterval is in seconds: 30, 300 or 900.
	ReplicationInterval *uint16
}

// WMIClass returns Msvm_ReplicationSettingData.
func (ReplicationSettingData) WMIClass() wmiquery.Class { return class(ClassReplicationSettingData) }

// BuiltinProvider is the GUID of the built-in replication provider of Hyper-V. All other providers are external, such
// as Azure Site Recovery.
const BuiltinProvider = "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"

// ProviderRef returns the object path of the provider with a GUID.
func ProviderRef(guid string) wmiquery.Ref { return ref("Msvm_ReplicationProvider", "Name", guid) }

// ProviderID returns the GUID in ReplicationProvider in upper case, "" if there is none.
func (s ReplicationSettingData) ProviderID() string {
	if s.ReplicationProvider == nil {
		return ""
	}
	return between(strings.ToUpper(*s.ReplicationProvider), `NAME="`, `"`)
}

// Interval returns the time between two replication cycles. It returns false if ReplicationInterval is null.
func (s ReplicationSettingData) Interval() (time.Duration, bool) {
	if s.ReplicationInterval == nil {
		return 0, false
	}
	return time.Duration(*s.ReplicationInterval) * time.Second, true
}

// PrimaryServer returns PrimaryHostSystem, or PrimaryConnectionPoint if it is empty. PowerShell does the same.
func (s ReplicationSettingData) PrimaryServer() string {
	if v := StringOrEmpty(s.PrimaryHostSystem); v != "" {
		return v
	}
	return StringOrEmpty(s.PrimaryConnectionPoint)
}

// StringOrEmpty returns *s, or "" if s is nil.
func StringOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
