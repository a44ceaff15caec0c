package admin

import (
	"context"
	"errors"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// material is what plans need beside the view of the host, for some methods only.
type material struct {
	points  []msvm.VirtualSystemSettingData // recovery points of the VM
	server  []msvm.ReplicationServiceSettingData
	entries []msvm.ReplicationAuthorizationSettingData
}

// gather reads what a plan for the method needs.
func gather(ctx context.Context, r wmiquery.Reader, m msvm.Method, vm string) (got material, err error) {
	for _, p := range m.In {
		switch p.Class {
		case "Msvm_VirtualSystemSettingData":
			var rows []msvm.VirtualSystemSettingData
			rows, err = wmiquery.All[msvm.VirtualSystemSettingData](ctx, r)
			for _, s := range rows {
				if _, ok := s.RecoveryPoint(); ok && strings.EqualFold(msvm.StringOrEmpty(s.VirtualSystemIdentifier), vm) {
					got.points = append(got.points, s)
				}
			}
		case "Msvm_ReplicationServiceSettingData":
			got.server, err = wmiquery.All[msvm.ReplicationServiceSettingData](ctx, r)
		case "Msvm_ReplicationAuthorizationSettingData":
			got.entries, err = wmiquery.All[msvm.ReplicationAuthorizationSettingData](ctx, r)
		}
		if err != nil {
			return got, err
		}
	}
	return got, nil
}

// follows is a parameter that is not given: of a verb it follows from the
// relationship; of a method it is missing.
func (v *hostView) follows(p *plan, parameter msvm.Parameter) (value, shown any, err error) {
	if p.raw {
		return nil, nil, nil
	}
	switch parameter.Name {
	case "ComputerSystem":
		return msvm.VMRef(p.vm), p.vm, nil
	case "AffectedSystem":
		test, problem := v.testVM(p.target)
		if problem != nil {
			return nil, nil, &problemError{problem}
		}
		p.tested = true
		return msvm.VMRef(test), test, nil
	case "RequestedState":
		return uint16(p.request), uint16(p.request), nil
	case "InitialReplicationType":
		return uint16(1), uint16(1), nil
	case "ReplicationRelationship":
		row := p.target.row
		if p.method.Name == becomePrimary {
			e := v.replicas[msvm.Key{VM: p.vm, Link: msvm.Extended}]
			if e == nil {
				return nil, nil, &problemError{refuse(kindState, "the replica is not replicated on")}
			}
			row = e.row
		}
		text, _, err := embed(&row)
		return text, map[string]any{"InstanceID": row.InstanceID}, err
	case "ReplicationSettingData":
		s, err := v.settings(p)
		if err != nil {
			return nil, nil, &problemError{refuse(kindState, "%v", err)}
		}
		return wire(s)
	}
	if p.method.Name == "TestReplicationConnection" {
		return p.connection(parameter.Name)
	}
	return nil, nil, nil
}

const becomePrimary = "ChangeReplicationModeToPrimary"

// connection is how the relationship connects to its replica server.
func (p *plan) connection(name string) (value, shown any, err error) {
	s := p.target.settings
	if s == nil {
		return nil, nil, errors.New("the host shows no settings of this relationship")
	}
	switch name {
	case "RecoveryConnectionPoint":
		value = given(s.RecoveryConnectionPoint)
	case "RecoveryServerPortNumber":
		value = given(s.RecoveryServerPortNumber)
	case "AuthenticationType":
		if s.AuthenticationType != nil {
			value = uint16(*s.AuthenticationType)
		}
	case "CertificateThumbPrint":
		value = given(s.CertificateThumbPrint)
	case "BypassProxyServer":
		value = given(s.BypassProxyServer)
	}
	return value, value, nil
}

// given is *p, and nil for null.
func given[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
