package simulator

import (
	"reflect"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// hostileNames are what a VM may be called, for all that Hyper-V cares.
var hostileNames = []string{
	`web "01"`,
	`O'Brien's \\server\share\`,
	"two\nlines",
	`]]> & <b>bold</b> &amp; <!-- -->`,
	"🖥️ 数据库服务器 №1",
	"خادم الملفات \u202Eesrever",
	strings.Repeat("very-long-name-", 8),
	" blank at both ends ",
	`{{ $labels.vm }} %s \n`,
	"tab\there",
}

// nameOf is the name that the host shows for a machine.
func (f Faults) displayName(vm *hostVM) string {
	switch {
	case f.DuplicateNames:
		return "web01"
	case f.HostileNames:
		return hostileNames[vm.index%len(hostileNames)]
	}
	return vm.name
}

// unknownNumber stands for a value of a Windows to come.
const unknownNumber = 99

// enumerations are the types that the fault unknown-enum is about.
var enumTypes = []reflect.Type{
	reflect.TypeFor[*msvm.ReplicationState](),
	reflect.TypeFor[*msvm.ReplicationHealth](),
	reflect.TypeFor[*msvm.ReplicationMode](),
	reflect.TypeFor[*msvm.ReplicationType](),
	reflect.TypeFor[*msvm.Severity](),
}

// disguise changes an instance, a pointer to a struct, as the faults want it. It
// replaces what the fields point to, which may be shared, and does not write to it.
func (f Faults) applyToRow(instance any) {
	if !f.Nulls && !f.UnknownEnum {
		return
	}
	v := reflect.ValueOf(instance).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); {
		case f.Nulls:
			setNull(field)
		case isEnumField(v.Type().Field(i)):
			field.Set(unknownValue(field.Type()))
		}
	}
}

func setNull(field reflect.Value) {
	if k := field.Kind(); k == reflect.Pointer || k == reflect.Slice {
		field.SetZero()
	}
}

// isEnumeration goes by type; OperationalStatus, and ReplicationHealth of
// Msvm_ReplicationStatistics, are plain numbers and go by name.
func isEnumField(f reflect.StructField) bool {
	if slices.Contains(enumTypes, f.Type) {
		return true
	}
	return f.Name == "OperationalStatus" || f.Name == "ReplicationHealth"
}

// unknown is a pointer to the unknown number, or a slice of it.
func unknownValue(t reflect.Type) reflect.Value {
	if t.Kind() == reflect.Slice {
		s := reflect.MakeSlice(t, 1, 1)
		s.Index(0).SetUint(unknownNumber)
		return s
	}
	p := reflect.New(t.Elem())
	p.Elem().SetUint(unknownNumber)
	return p
}
