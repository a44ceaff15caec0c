package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// What administrators set, beside the defaults.
const (
	kerberosPort    = 80
	certificatePort = 443
	broker          = "replica-broker" + domain // a cluster's name as connection point
)

// drawSettings is how a link is set up. It is shared by the rows of both sides
// and must not be written to.
func (v *vmBuilder) drawSettings(from, to *hostVM, as msvm.Link, t *traffic) msvm.ReplicationSettingData {
	s := unsetSettings()
	s.AuthenticationType = new(msvm.AuthenticationKerberos)
	s.RecoveryServerPortNumber = new(uint16(kerberosPort))
	if v.index%5 == 4 || v.index%5 == 2 && as == msvm.Extended {
		s.AuthenticationType = new(msvm.AuthenticationCertificate)
		s.RecoveryServerPortNumber = new(uint16(certificatePort))
		s.CertificateThumbPrint = new(v.world.certificates[0].thumbprint)
	}
	s.CompressionEnabled = new(v.index%7 != 6)
	s.PrimaryConnectionPoint, s.PrimaryHostSystem = &from.host.fqdn, &from.host.fqdn
	s.RecoveryConnectionPoint, s.RecoveryHostSystem = &to.host.fqdn, &to.host.fqdn
	if v.index == 3 {
		s.RecoveryConnectionPoint = new(broker)
	}
	s.ReplicationInterval = new(uint16(t.interval / time.Second))
	history := pick(v.random, 0, 4, 24)
	s.RecoveryHistory = &history
	if history > 0 && as == msvm.Primary {
		hours := pick(v.random, 0, 1, 4)
		s.ApplicationConsistentSnapshotInterval = &hours
		t.snapshotInterval = time.Duration(hours) * time.Hour
	}
	s.AutoResynchronizeEnabled = new(v.index%6 != 5)
	for disk := range 1 + v.random.IntN(3) {
		s.IncludedDisks = append(s.IncludedDisks, diskPath(from, disk))
	}
	return s
}

func pick(r *rand.Rand, of ...uint16) uint16 { return of[r.IntN(len(of))] }

// diskPath is the path of a virtual disk on the first SCSI controller.
func diskPath(vm *hostVM, n int) string {
	return vm.host.path(wmiquery.Ref(fmt.Sprintf(
		`Msvm_StorageAllocationSettingData.InstanceID="Microsoft:%s\\%s\\0\\%d\\L"`, vm.id, scsiController, n)))
}

const scsiController = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4"

// unsetSettings are those of a relationship that does not replicate: a row that
// is there all the same, with the defaults of the schema.
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
	}
}
