package msvm

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationService is Msvm_ReplicationService: the host's replication
// service, of which there is one.
type ReplicationService struct {
	Name                    string // "replicasvc"
	CreationClassName       string
	SystemName              string // the host's NetBIOS name
	SystemCreationClassName string
	// OperationalStatus has 2 (OK) or 6 (error: a listener is not running) in
	// front. Started and EnabledState never change and tell nothing.
	OperationalStatus  []uint16
	StatusDescriptions []string // localized
}

// Values of OperationalStatus.
const (
	StatusOK    = 2
	StatusError = 6
)

// WMIClass is Msvm_ReplicationService.
func (ReplicationService) WMIClass() wmiquery.Class { return class(ClassReplicationService) }

// Ref is the service's object path.
func (s ReplicationService) Ref() wmiquery.Ref {
	return ref(ClassReplicationService,
		"CreationClassName", s.CreationClassName, "Name", s.Name,
		"SystemCreationClassName", s.SystemCreationClassName, "SystemName", s.SystemName)
}

// ReplicationServiceSettingData is Msvm_ReplicationServiceSettingData: the host
// as a replica server.
type ReplicationServiceSettingData struct {
	InstanceID                string // opaque
	RecoveryServerEnabled     *bool
	AllowedAuthenticationType *Authentication
	CertificateThumbPrint     *string
	HttpPort                  *uint16 // TCP, for Kerberos
	HttpsPort                 *uint16 // TCP, for certificates
	MonitoringInterval        *uint32 // seconds, 3600 to 604800
	// MonitoringStartTime is a time of day after midnight UTC: where the first
	// monitoring window of a day starts.
	MonitoringStartTime *time.Duration
}

// WMIClass is Msvm_ReplicationServiceSettingData.
func (ReplicationServiceSettingData) WMIClass() wmiquery.Class {
	return class(ClassReplicationServiceSettingData)
}

// ManagementServiceRef is the object path of Msvm_VirtualSystemManagementService,
// which has DestroySystem, on the host with that NetBIOS name.
func ManagementServiceRef(host string) wmiquery.Ref {
	return ref(ClassVirtualSystemManagementService,
		"CreationClassName", ClassVirtualSystemManagementService, "Name", "vmms",
		"SystemCreationClassName", ClassComputerSystem, "SystemName", host)
}
