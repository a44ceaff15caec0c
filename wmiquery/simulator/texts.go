package simulator

import (
	"fmt"
	"reflect"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Texts returns the rows of [session.Read] as GetText_ returns instances: with system properties, and with properties
// that the structs of package msvm do not have.
func (s *session) Texts(class wmiquery.Class) ([]wmiquery.Embedded, error) {
	t, ok := classTypes()[class.Name]
	if !ok || !strings.EqualFold(class.Namespace, reflect.Zero(t).Interface().(wmiquery.Instance).WMIClass().Namespace) {
		return nil, fmt.Errorf("class %s: %w", class.Name, wmiquery.ErrUnsupported)
	}
	slice := reflect.New(reflect.SliceOf(t))
	err := s.Read(slice.Interface())
	if _, ok := wmiquery.InvalidValues(err); !ok {
		return nil, err
	}
	rows := slice.Elem()
	texts := make([]wmiquery.Embedded, rows.Len())
	for i := range texts {
		row := rows.Index(i).Interface()
		text, err := s.world.faults.current().marshal(class.Name, row, i, rows.Len())
		if err != nil {
			return nil, err
		}
		if texts[i], err = s.complete(class, text, row); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// systemProperties are two of the system properties, whose values are the namespace and the class.
const systemProperties = "" +
	`<PROPERTY NAME="__NAMESPACE" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE>%s</VALUE></PROPERTY>` +
	`<PROPERTY NAME="__CLASS" CLASSORIGIN="___SYSTEM" TYPE="string"><VALUE>%s</VALUE></PROPERTY>`

// complete adds to the text of a row what the row does not have.
func (s *session) complete(class wmiquery.Class, text string, row any) (wmiquery.Embedded, error) {
	text = strings.Replace(text, ">", ">"+fmt.Sprintf(systemProperties, class.Namespace, class.Name), 1)
	var later laterBuild
	switch row := row.(type) {
	case msvm.ReplicationSettingData:
		later = s.laterBuild(row.InstanceID)
	case msvm.ReplicationServiceSettingData:
		later = withView(s.world, s.host, Faults{}, func(v view) laterBuild { return v.host.settings.laterBuild })
	default:
		return wmiquery.Embedded(text), nil
	}
	instance, err := cimxml.NewInstance(class.Name, later)
	if err == nil {
		text, err = cimxml.Set(text, instance.Properties...)
	}
	return wmiquery.Embedded(text), err
}

// laterBuild returns the properties of a later build of the settings with an InstanceID.
func (s *session) laterBuild(instanceID string) laterBuild {
	return withView(s.world, s.host, Faults{}, func(v view) laterBuild {
		for r, e := range v.host.relationships() {
			if r.key().InstanceID() == instanceID && e != nil && e.state != msvm.Disabled {
				return e.link.settings.laterBuild
			}
		}
		return laterBuild{}
	})
}
