package operation

import (
	"context"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// planInput is what the parameters of some methods need from the host in addition to the snapshot.
type planInput struct {
	recoveryPoints []msvm.VirtualSystemSettingData // of the VM
	settings       rows[msvm.ReplicationSettingData]
	service        rows[msvm.ReplicationServiceSettingData]
	entries        rows[msvm.ReplicationAuthorizationSettingData]
}

// loadPlanInput reads what the parameters of a method need. The recovery points are only read if the request gives one:
// a host has thousands.
func loadPlanInput(
	ctx context.Context, r wmiquery.Reader, m msvm.Method, vm string, given Parameters,
) (in planInput, err error) {
	for _, p := range m.In {
		switch p.Class {
		case msvm.ClassVirtualSystemSettingData:
			if given[p.Name] != nil {
				in.recoveryPoints, err = RecoveryPoints(ctx, r, vm)
			}
		case msvm.ClassReplicationSettingData:
			in.settings, err = readTexts[msvm.ReplicationSettingData](ctx, r)
		case msvm.ClassReplicationServiceSettingData:
			in.service, err = readTexts[msvm.ReplicationServiceSettingData](ctx, r)
		case msvm.ClassReplicationAuthorizationSettingData:
			in.entries, err = readTexts[msvm.ReplicationAuthorizationSettingData](ctx, r)
		}
		if err != nil {
			return in, err
		}
	}
	return in, nil
}

// RecoveryPoints reads the recovery points of a VM.
func RecoveryPoints(ctx context.Context, r wmiquery.Reader, vm string) ([]msvm.VirtualSystemSettingData, error) {
	rows, err := readRows[msvm.VirtualSystemSettingData](ctx, r)
	return slices.DeleteFunc(rows.all, func(row msvm.VirtualSystemSettingData) bool {
		_, ok := row.RecoveryPoint()
		return !ok || !strings.EqualFold(msvm.StringOrEmpty(row.VirtualSystemIdentifier), vm)
	}), err
}
