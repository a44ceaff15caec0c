package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ComputerSystem is Msvm_ComputerSystem, the replication part: a VM, or the
// host itself, whose row is among them. Its ReplicationState, ReplicationHealth
// and times are deprecated and show the primary relationship only, so they are
// not here.
type ComputerSystem struct {
	Name            string // a VM's GUID; the host's computer name
	ElementName     *string
	EnabledState    *EnabledState
	ReplicationMode *ReplicationMode
	InstallDate     *time.Time // null in the host's own row
}

// WMIClass is Msvm_ComputerSystem.
func (ComputerSystem) WMIClass() wmiquery.Class { return class("Msvm_ComputerSystem") }

// IsVM tells a VM's row from the host's. Caption would too, but it is localized.
func (c ComputerSystem) IsVM() bool { return IsGUID(c.Name) }

// VMRef is the object path of the VM with that GUID.
func VMRef(guid string) wmiquery.Ref {
	return ref("Msvm_ComputerSystem", "CreationClassName", "Msvm_ComputerSystem", "Name", guid)
}

// ref writes an object path: class, then names and values of its keys.
func ref(class string, keys ...string) wmiquery.Ref {
	var b strings.Builder
	b.WriteString(class)
	for i := 0; i < len(keys); i += 2 {
		b.WriteByte(".,"[min(i, 1)])
		b.WriteString(keys[i])
		b.WriteString(`="`)
		b.WriteString(escaper.Replace(keys[i+1]))
		b.WriteByte('"')
	}
	return wmiquery.Ref(b.String())
}

// escaper escapes a key's value: in a path, as in WQL, a backslash and a quote
// have a backslash before them.
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
