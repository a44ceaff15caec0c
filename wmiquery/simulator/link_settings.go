package simulator

import (
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Configuration that is not a default of Windows.
const (
	kerberosPort    = 80
	certificatePort = 443
	broker          = "replica-broker" + domain // connection point of a cluster
)

// diskPath is the path of a virtual disk on the first SCSI controller.
func diskPath(vm *hostVM, n int) string {
	return vm.host.path(wmiquery.Ref(fmt.Sprintf(
		`Msvm_StorageAllocationSettingData.InstanceID="Microsoft:%s\\%s\\0\\%d\\L"`, vm.id, scsiController, n)))
}

const scsiController = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4"

// unsetSettings are the settings of a relationship that does not replicate. Windows reports a row with
// the defaults of the schema.
func unsetSettings() msvm.ReplicationSettingData {
	return msvm.ReplicationSettingData{
		AuthenticationType:                    new(msvm.AuthenticationNotDefined),
		CompressionEnabled:                    new(false),
		BypassProxyServer:                     new(false),
		RecoveryServerPortNumber:              new(uint16(0)),
		ReplicateHostKvpItems:                 new(true),
		ApplicationConsistentSnapshotInterval: new(uint16(0)),
		RecoveryHistory:                       new(uint16(0)),
		AutoResynchronizeEnabled:              new(false),
		AutoResynchronizeIntervalStart:        new(18*time.Hour + 30*time.Minute),
		AutoResynchronizeIntervalEnd:          new(6 * time.Hour),
		ReplicationInterval:                   new(uint16(300)),

		EnableWriteOrderPreservationAcrossDisks: new(true),
	}
}

// external reports whether the relationship has a replication provider that is not the one of Hyper-V.
func (s linkSettings) external() bool {
	id := s.ProviderID()
	return id != "" && id != msvm.BuiltinProvider
}

// applySettings changes the settings of the link.
func (l *link) applySettings(s linkSettings) {
	l.settings = s
	l.traffic.interval = time.Duration(*s.ReplicationInterval) * time.Second
	l.traffic.snapshotInterval = time.Duration(*s.ApplicationConsistentSnapshotInterval) * time.Hour
	l.receiver.mergePoints(int(*s.RecoveryHistory))
}
