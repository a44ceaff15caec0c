package msvm

import (
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ReplicationService is Msvm_ReplicationService: the replication service of the host. A host has exactly one.
type ReplicationService struct {
	Name                    string // "replicasvc"
	CreationClassName       string
	SystemName              string // the NetBIOS name of the host
	SystemCreationClassName string
	// OperationalStatus starts with StatusOK or StatusError. The properties Started and EnabledState never change, so
	// the struct does not have them.
	OperationalStatus  []uint16
	StatusDescriptions []string // localized
}

// Values of OperationalStatus.
const (
	StatusOK    = 2
	StatusError = 6 // a listener is not running
)

// WMIClass returns Msvm_ReplicationService.
func (ReplicationService) WMIClass() wmiquery.Class { return class(ClassReplicationService) }

// Ref returns the object path of the service.
func (s ReplicationService) Ref() wmiquery.Ref {
	return ref(ClassReplicationService,
		"CreationClassName", s.CreationClassName, "Name", s.Name,
		"SystemCreationClassName", s.SystemCreationClassName, "SystemName", s.SystemName)
}

// ReplicationServiceSettingData is Msvm_ReplicationServiceSettingData: the settings of the host as a replica server.
type ReplicationServiceSettingData struct {
	InstanceID                string // opaque
	RecoveryServerEnabled     *bool
	AllowedAuthenticationType *Authentication
	CertificateThumbPrint     *string
	HttpPort                  *uint16 // TCP, for Kerberos
	HttpsPort                 *uint16 // TCP, for certificates
	MonitoringInterval        *uint32 // seconds, 3600 to 604800
	// MonitoringStartTime is the start of the first monitoring window of a day, as the time since midnight UTC.
	MonitoringStartTime *time.Duration
}

// WMIClass returns Msvm_ReplicationServiceSettingData.
func (ReplicationServiceSettingData) WMIClass() wmiquery.Class {
	return class(ClassReplicationServiceSettingData)
}

// ManagementServiceRef returns the object path of Msvm_VirtualSystemManagementService, which has DestroySystem, on the
// host with a NetBIOS name.
func ManagementServiceRef(host string) wmiquery.Ref {
	return ref(ClassVirtualSystemManagementService,
		"CreationClassName", ClassVirtualSystemManagementService, "Name", "vmms",
		"SystemCreationClassName", ClassComputerSystem, "SystemName", host)
}
