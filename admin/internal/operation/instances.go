package operation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// EmbeddedClasses returns the classes of which a request can give instances, besides relationships.
func EmbeddedClasses() []wmiquery.Instance {
	return []wmiquery.Instance{
		msvm.ReplicationSettingData{},
		msvm.ReplicationServiceSettingData{},
		msvm.FailoverNetworkAdapterSettingData{},
		msvm.ReplicationAuthorizationSettingData{},
	}
}

// parseInstance reads an embedded instance. The properties that the JSON does not have are those of the current
// instance on the host, because Hyper-V expects complete instances.
func parseInstance(s *Snapshot, p *Plan, class string, text json.RawMessage) (value, shown any, err error) {
	instance, err := currentInstance(s, p, class, text)
	if err != nil {
		return nil, nil, err
	}
	key, before := instanceID(instance.row), protectedSettingsOf(instance.row)
	given, err := merge(instance.row, text)
	if err != nil {
		return nil, nil, err
	}
	if err := checkAddresses(instance.row); err != nil {
		return nil, nil, err
	}
	instance.changed = append(instance.changed, given...)
	p.given = append(p.given, given...)
	if instanceID(instance.row) != key {
		return nil, nil, errors.New("InstanceID cannot be changed")
	}
	if lost := before.destroyedBy(protectedSettingsOf(instance.row)); lost != "" && p.Destroys == "" {
		p.Destroys = lost
	}
	return instance.encode()
}

func parseInstances(s *Snapshot, p *Plan, class string, text json.RawMessage) (value, shown any, err error) {
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return nil, nil, fmt.Errorf("%.40q is not an array", text)
	}
	values, shownAll := []string{}, []any{}
	for i, one := range all {
		value, shown, err := parseInstance(s, p, class, one)
		if err != nil {
			return nil, nil, fmt.Errorf("element %d: %w", i, err)
		}
		values = append(values, string(value.(wmiquery.Embedded)))
		shownAll = append(shownAll, shown)
	}
	return values, shownAll, nil
}

// currentInstance returns the instance on the host that a request changes. The instance is empty if the request
// creates a new one.
func currentInstance(s *Snapshot, p *Plan, class string, text json.RawMessage) (i hostInstance, err error) {
	switch class {
	case msvm.ClassReplicationSettingData:
		return settingsOfTarget(p)
	case msvm.ClassReplicationServiceSettingData:
		if err := p.input.service.checkUnreadable(); err != nil {
			return i, err
		}
		if len(p.input.service.all) != 1 {
			return i, errors.New("the host shows no settings to change")
		}
		return hostInstance{row: &p.input.service.all[0], text: p.input.service.texts[0]}, p.input.service.check(0)
	case msvm.ClassFailoverNetworkAdapterSettingData:
		return hostInstance{row: &msvm.FailoverNetworkAdapterSettingData{}}, nil
	case msvm.ClassReplicationAuthorizationSettingData:
		return authorizationEntry(p, text)
	case msvm.ClassReplicationRelationship:
		row, err := relationshipRow(s, p, text)
		return hostInstance{row: row}, err
	}
	return i, fmt.Errorf("cannot give an instance of %s", class)
}

var errNoSettings = errors.New("the host shows no settings of this relationship")

// settingsOfTarget returns the settings of the relationship. A reverse replication goes to the server that sent until
// now.
func settingsOfTarget(p *Plan) (hostInstance, error) {
	if p.Target == nil {
		return hostInstance{}, errNoSettings
	}
	settings := p.input.settings
	n := slices.IndexFunc(settings.all, func(row msvm.ReplicationSettingData) bool {
		key, err := msvm.ParseKey(row.InstanceID)
		return err == nil && key == p.Target.Key
	})
	if n < 0 {
		return hostInstance{}, errNoSettings
	}
	row := &settings.all[n]
	i := hostInstance{row: row, text: settings.texts[n]}
	if p.Method.Name == msvm.MethodReverseReplicationRelationship {
		row.RecoveryConnectionPoint = row.PrimaryConnectionPoint
		i.changed = []string{"RecoveryConnectionPoint"}
	}
	return i, settings.check(n)
}

// authorizationEntry returns the authorization entry with the given name, an empty one to add a new entry.
func authorizationEntry(p *Plan, text json.RawMessage) (entry hostInstance, err error) {
	var given msvm.ReplicationAuthorizationSettingData
	if _, err := merge(&given, text); err != nil {
		return entry, err
	}
	name := msvm.StringOrEmpty(given.AllowedPrimaryHostSystem)
	if name == "" {
		return entry, errors.New("AllowedPrimaryHostSystem is missing")
	}
	i := slices.IndexFunc(p.input.entries.all, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
	switch adds := p.Method.Name == msvm.MethodAddAuthorizationEntry; {
	case adds && i >= 0:
		return entry, problem.AsError(problem.New(problem.InvalidState, "authorization entry %q: already exists", name))
	case adds:
		return hostInstance{row: &msvm.ReplicationAuthorizationSettingData{}}, nil
	case i < 0:
		return entry, problem.AsError(problem.New(problem.NotFound, "authorization entry %q: not found", name))
	}
	entries := p.input.entries
	return hostInstance{row: &entries.all[i], text: entries.texts[i]}, entries.check(i)
}

// relationshipRow returns the relationship with the given InstanceID. A request can give no other property of it.
func relationshipRow(s *Snapshot, p *Plan, text json.RawMessage) (*msvm.ReplicationRelationship, error) {
	properties, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	if len(properties) != 1 || properties["InstanceID"] == nil {
		return nil, errors.New(`must be {"InstanceID": "…"}`)
	}
	r, err := s.findByInstanceID(p.VM, properties["InstanceID"])
	if err != nil {
		return nil, err
	}
	return new(r.Row), nil
}

// instanceID returns the InstanceID of an instance whose InstanceID cannot be changed, "" for other instances.
func instanceID(instance wmiquery.Instance) string {
	switch i := instance.(type) {
	case *msvm.ReplicationSettingData:
		return i.InstanceID
	case *msvm.ReplicationServiceSettingData:
		return i.InstanceID
	case *msvm.ReplicationRelationship:
		return i.InstanceID
	}
	return ""
}
