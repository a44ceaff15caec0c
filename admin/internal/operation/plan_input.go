package operation

import (
	"context"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// planInput is what the parameters of some methods need from the host in addition to the snapshot.
type planInput struct {
	recoveryPoints []msvm.VirtualSystemSettingData // of the VM
	settings       rows[msvm.ReplicationSettingData]
	service        rows[msvm.ReplicationServiceSettingData]
	entries        rows[msvm.ReplicationAuthorizationSettingData]
	shutdown       wmiquery.Ref // the shutdown service of the VM
}

// loadPlanInput reads what the parameters of a method need. The recovery points are only read if the request gives one:
// a host has thousands.
func loadPlanInput(
	ctx context.Context, r wmiquery.Reader, m msvm.Method, vm string, given Parameters,
) (in planInput, err error) {
	if m.Class == msvm.ClassShutdownComponent {
		in.shutdown, err = findShutdownService(ctx, r, vm)
		return in, err
	}
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

// findShutdownService returns the object path of the shutdown service of a VM, or a problem if it cannot be used.
func findShutdownService(ctx context.Context, r wmiquery.Reader, vm string) (wmiquery.Ref, error) {
	components, err := readRows[msvm.ShutdownComponent](ctx, r)
	if err != nil {
		return "", err
	}
	of := slices.DeleteFunc(components.all, func(c msvm.ShutdownComponent) bool { return !c.IsOf(vm) })
	const instead = "; shut it down in the guest operating system, or use turn-off-vm"
	switch {
	case len(of) != 1:
		return "", problem.AsError(problem.New(problem.InvalidState,
			"the VM has no shutdown service: it does not run, or this integration service is disabled"+instead))
	case of[0].Unreachable():
		return "", problem.AsError(problem.New(problem.InvalidState,
			"the shutdown service of the guest operating system does not respond"+instead))
	}
	return of[0].Ref(), nil
}

// RecoveryPoints reads the recovery points of a VM.
func RecoveryPoints(ctx context.Context, r wmiquery.Reader, vm string) ([]msvm.VirtualSystemSettingData, error) {
	rows, err := readRows[msvm.VirtualSystemSettingData](ctx, r)
	return slices.DeleteFunc(rows.all, func(row msvm.VirtualSystemSettingData) bool {
		_, ok := row.RecoveryPoint()
		return !ok || !strings.EqualFold(msvm.StringOrEmpty(row.VirtualSystemIdentifier), vm)
	}), err
}
