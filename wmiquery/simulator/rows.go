package simulator

import (
	"cmp"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// view is a host at one point in time, seen through the active faults. Its methods build the rows of
// each class. Rows may share what their fields point to; nobody writes to it.
type view struct {
	world  *World
	host   *host
	at     time.Time
	faults Faults
}

// replicates reports whether the relationship replicates. It advances the VM to the time of the view.
func (v view) replicates(e *endpoint) bool {
	if e == nil {
		return false
	}
	e.vm.logical.advance(v.at)
	return e.state != msvm.Disabled
}

// computerSystems has the row of the host itself first. That row has no InstallDate, and its name is not
// a GUID.
func (v view) computerSystems() []msvm.ComputerSystem {
	rows := make([]msvm.ComputerSystem, 0, 1+len(v.host.vms))
	rows = append(rows, msvm.ComputerSystem{
		Name:            v.host.name,
		ElementName:     new(v.host.name),
		EnabledState:    new(msvm.EnabledOn),
		ReplicationMode: new(msvm.ModeNone),
	})
	for _, vm := range v.host.vms {
		rows = append(rows, msvm.ComputerSystem{
			Name:            vm.id,
			ElementName:     new(v.faults.displayName(vm)),
			EnabledState:    new(v.faults.enabledState(vm)),
			ReplicationMode: new(vm.mode),
			InstallDate:     new(vm.installed),
		})
	}
	return rows
}

func (v view) replicationRelationships() []msvm.ReplicationRelationship {
	rows := make([]msvm.ReplicationRelationship, 0, 2*len(v.host.vms))
	for r, e := range v.host.relationships() {
		rows = append(rows, v.relationship(r, e))
	}
	return rows
}

func (v view) relationship(r relationship, e *endpoint) msvm.ReplicationRelationship {
	row := msvm.ReplicationRelationship{
		InstanceID:                               r.key().InstanceID(),
		ElementName:                              new(v.faults.displayName(r.vm)),
		ReplicationState:                         new(msvm.Disabled),
		ReplicationHealth:                        new(msvm.HealthNotApplicable),
		FailedOverReplicationType:                new(msvm.TypeNone),
		LastReplicationType:                      new(msvm.TypeNone),
		LastReplicationTime:                      new(msvm.Never()),
		LastApplicationConsistentReplicationTime: new(msvm.Never()),
		LastApplyTime:                            new(msvm.Never()),
	}
	if !v.replicates(e) {
		return row
	}
	*row.ReplicationState = e.state
	*row.ReplicationHealth = e.health(v.at)
	*row.FailedOverReplicationType = e.failedOver
	*row.LastReplicationType = e.lastType
	*row.LastReplicationTime = e.lastReplication
	*row.LastApplicationConsistentReplicationTime = e.lastConsistentReplication
	*row.LastApplyTime = e.lastApplyTime(v.at)
	return row
}

// replicationSettings has a row for each relationship, whether it replicates or not.
func (v view) replicationSettings() []msvm.ReplicationSettingData {
	rows := make([]msvm.ReplicationSettingData, 0, 2*len(v.host.vms))
	for r, e := range v.host.relationships() {
		row, provider := unsetSettings(), msvm.BuiltinProvider
		if e != nil && e.state != msvm.Disabled {
			row = e.link.settings.ReplicationSettingData
			provider = cmp.Or(row.ProviderID(), provider)
		}
		row.InstanceID = r.key().InstanceID()
		row.ElementName = new(v.faults.displayName(r.vm))
		row.ReplicationProvider = v.host.providers[provider]
		row.RootCertificateThumbPrint = v.world.certificates.rootOf(row)
		rows = append(rows, row)
	}
	return rows
}

// replicationStatistics has no rows: in Windows only methods return statistics.
func (view) replicationStatistics() []msvm.ReplicationStatistics { return nil }

func (v view) systemReplicationRelationships() []msvm.SystemReplicationRelationship {
	rows := make([]msvm.SystemReplicationRelationship, 0, 2*len(v.host.vms))
	for r := range v.host.relationships() {
		rows = append(rows, msvm.SystemReplicationRelationship{
			Antecedent: msvm.VMRef(r.vm.id),
			Dependent:  msvm.ReplicationRelationship{InstanceID: r.key().InstanceID()}.Ref(),
		})
	}
	return rows
}
