package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationSettingData is Msvm_ReplicationSettingData: how one relationship
// is set up. Instances exist for VMs that do not replicate, too.
type ReplicationSettingData struct {
	InstanceID            string  // see ParseKey
	ElementName           *string // the VM's name
	AuthenticationType    *Authentication
	CertificateThumbPrint *string // hex; null unless certificates are used
	CompressionEnabled    *bool
	BypassProxyServer     *bool
	// RecoveryConnectionPoint is the replica server as the administrator named
	// it: a host or a cluster's broker. RecoveryHostSystem is the node that holds
	// the replica now. Null when not replicated.
	RecoveryConnectionPoint  *string
	RecoveryHostSystem       *string
	PrimaryConnectionPoint   *string
	PrimaryHostSystem        *string
	RecoveryServerPortNumber *uint16 // TCP; 0 when not replicated
	ReplicateHostKvpItems    *bool
	// ApplicationConsistentSnapshotInterval is in hours, 1 to 12; 0 is off.
	ApplicationConsistentSnapshotInterval *uint16
	// RecoveryHistory is the number of recovery points kept beside the latest,
	// 0 to 24 (to 16 on Windows Server 2012).
	RecoveryHistory *uint16
	// IncludedDisks are the replicated disks, as object paths or as InstanceIDs:
	// the reference and Microsoft's own clients disagree.
	IncludedDisks            []string
	AutoResynchronizeEnabled *bool
	// AutoResynchronizeIntervalStart and End are times of day after local
	// midnight; a start after the end means across midnight.
	AutoResynchronizeIntervalStart *time.Duration
	AutoResynchronizeIntervalEnd   *time.Duration
	// ReplicationProvider is the object path of the provider. Windows Server
	// 2012 lacks the property.
	ReplicationProvider *string
	// ReplicationInterval is in seconds: 30, 300 or 900. Windows Server 2012
	// lacks the property and replicates every 300.
	ReplicationInterval *uint16
}

// WMIClass is Msvm_ReplicationSettingData.
func (ReplicationSettingData) WMIClass() wmiquery.Class { return class(ClassReplicationSettingData) }

// BuiltinProvider is the GUID of Hyper-V's own replication provider; any other
// is external, such as Azure Site Recovery.
const BuiltinProvider = "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"

// ProviderRef is the object path of the provider with that GUID.
func ProviderRef(guid string) wmiquery.Ref { return ref("Msvm_ReplicationProvider", "Name", guid) }

// ProviderID is the GUID at the end of ReplicationProvider in upper case, ""
// when there is none.
func (s ReplicationSettingData) ProviderID() string {
	if s.ReplicationProvider == nil {
		return ""
	}
	_, after, _ := strings.Cut(*s.ReplicationProvider, `Name="`)
	id, _, _ := strings.Cut(after, `"`)
	return strings.ToUpper(id)
}

// Interval is the time between two replication cycles, false if the host does
// not tell.
func (s ReplicationSettingData) Interval() (time.Duration, bool) {
	if s.ReplicationInterval == nil {
		return 0, false
	}
	return time.Duration(*s.ReplicationInterval) * time.Second, true
}

// PrimaryServer is PrimaryHostSystem, or the connection point when that is
// empty, as PowerShell shows it.
func (s ReplicationSettingData) PrimaryServer() string {
	if v := StringOrEmpty(s.PrimaryHostSystem); v != "" {
		return v
	}
	return StringOrEmpty(s.PrimaryConnectionPoint)
}

// StringOrEmpty is *s, and "" for null.
func StringOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
