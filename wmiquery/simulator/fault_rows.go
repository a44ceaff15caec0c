package simulator

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// hostileNames are unusual VM names that Hyper-V accepts.
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

// displayName is the ElementName of the VM.
func (f Faults) displayName(vm *hostVM) string {
	switch {
	case f.DuplicateNames:
		return "web01"
	case f.HostileNames:
		return hostileNames[vm.logical.index%len(hostileNames)]
	}
	return vm.name
}

// savedStates are the numbers for saved VMs.
var savedStates = []msvm.EnabledState{msvm.EnabledSaved, msvm.SavedV1, msvm.FastSaved}

// enabledState is the power state of the VM.
func (f Faults) enabledState(vm *hostVM) msvm.EnabledState {
	if f.Saved {
		return savedStates[vm.logical.index%len(savedStates)]
	}
	return vm.enabledState()
}

// unknownNumber stands for an enum value of a future version of Windows.
const unknownNumber = 99

// enumTypes are the types that the fault unknown-enum affects.
var enumTypes = []reflect.Type{
	reflect.TypeFor[*msvm.ReplicationState](),
	reflect.TypeFor[*msvm.ReplicationHealth](),
	reflect.TypeFor[*msvm.ReplicationMode](),
	reflect.TypeFor[*msvm.ReplicationType](),
	reflect.TypeFor[*msvm.Severity](),
}

// applyToRow changes instance, a pointer to a struct, according to the faults. It replaces pointers and
// never writes to what they point to, because rows share it.
func (f Faults) applyToRow(instance any) {
	if !f.Nulls && !f.UnknownEnum && f.ClockBack == 0 {
		return
	}
	v := reflect.ValueOf(instance).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i); {
		case f.Nulls:
			setNull(field)
		case f.UnknownEnum && isEnumField(v.Type().Field(i)):
			field.Set(unknownValue(field.Type()))
		case f.ClockBack != 0:
			f.setLater(field)
		}
	}
}

func setNull(field reflect.Value) {
	if k := field.Kind(); k == reflect.Pointer || k == reflect.Slice {
		field.SetZero()
	}
}

// setLater moves the time of an event by ClockBack.
func (f Faults) setLater(field reflect.Value) {
	if at, ok := reflect.TypeAssert[*time.Time](field); ok {
		if t, known := msvm.Known(at); known {
			field.Set(reflect.ValueOf(new(t.Add(f.ClockBack))))
		}
	}
}

// isEnumField reports whether the fault unknown-enum affects the field. OperationalStatus, and
// ReplicationHealth of Msvm_ReplicationStatistics, have no type of their own and are recognized by name.
func isEnumField(f reflect.StructField) bool {
	if slices.Contains(enumTypes, f.Type) {
		return true
	}
	return f.Name == "OperationalStatus" || f.Name == "ReplicationHealth"
}

// unknownValue is a pointer to unknownNumber or a slice that contains it.
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
