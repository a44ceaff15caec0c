package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// base is what an embedded instance is before the properties that are given.
func (v *hostView) base(p *plan, class string, text json.RawMessage) (wmiquery.Instance, error) {
	switch class {
	case "Msvm_ReplicationSettingData":
		return v.settings(p)
	case "Msvm_ReplicationServiceSettingData":
		if len(p.server) != 1 {
			return nil, errors.New("the host shows no settings to change")
		}
		return new(p.server[0]), nil
	case "Msvm_FailoverNetworkAdapterSettingData":
		return &msvm.FailoverNetworkAdapterSettingData{}, nil
	case "Msvm_ReplicationAuthorizationSettingData":
		return p.entry(text)
	case "Msvm_ReplicationRelationship":
		return v.relationship(p, text)
	}
	return nil, fmt.Errorf("instances of %s cannot be given", class)
}

// settings are those of the relationship that the method is about. The way back
// goes to where the VM came from.
func (v *hostView) settings(p *plan) (*msvm.ReplicationSettingData, error) {
	if p.target == nil || p.target.settings == nil {
		return nil, fmt.Errorf("the host shows no settings of this relationship")
	}
	s := *p.target.settings
	if p.method.Name == "ReverseReplicationRelationship" {
		s.RecoveryConnectionPoint = s.PrimaryConnectionPoint
	}
	return &s, nil
}

// entry is the authorization entry of the name that is given; a new one is empty.
func (p *plan) entry(text json.RawMessage) (*msvm.ReplicationAuthorizationSettingData, error) {
	var given msvm.ReplicationAuthorizationSettingData
	if err := merge(&given, text); err != nil {
		return nil, err
	}
	name := msvm.StringOrEmpty(given.AllowedPrimaryHostSystem)
	if name == "" {
		return nil, fmt.Errorf("AllowedPrimaryHostSystem is missing")
	}
	i := slices.IndexFunc(p.entries, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
	switch adds := p.method.Name == "AddAuthorizationEntry"; {
	case adds && i >= 0:
		return nil, &problemError{refuse(kindState, "there is an entry for %q already", name)}
	case adds:
		return &msvm.ReplicationAuthorizationSettingData{}, nil
	case i < 0:
		return nil, &problemError{refuse(kindNotFound, "there is no entry for %q", name)}
	}
	return new(p.entries[i]), nil
}

// relationship is the one that the plan is about: nothing of it can be given but
// its InstanceID.
func (v *hostView) relationship(p *plan, text json.RawMessage) (*msvm.ReplicationRelationship, error) {
	properties, err := object(text)
	if err != nil {
		return nil, err
	}
	if len(properties) != 1 || properties["InstanceID"] == nil {
		return nil, fmt.Errorf(`a relationship is given as {"InstanceID": "…"}`)
	}
	r, err := v.named(p.vm, properties["InstanceID"])
	if err != nil {
		return nil, err
	}
	return new(r.row), nil
}

// named is the relationship of the VM with an InstanceID.
func (v *hostView) named(vm string, text json.RawMessage) (*replica, error) {
	var id string
	if err := json.Unmarshal(text, &id); err != nil {
		return nil, fmt.Errorf("InstanceID: %.40s is no string", text)
	}
	key, err := msvm.ParseKey(id)
	if err != nil {
		return nil, err
	}
	if r := v.replicas[key]; r != nil && key.VM == vm {
		return r, nil
	}
	return nil, &problemError{refuse(kindNotFound, "the VM %s has no relationship %.80q", vm, id)}
}
