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
func (ComputerSystem) WMIClass() wmiquery.Class { return class(ClassComputerSystem) }

// IsVM tells a VM's row from the host's. Caption would too, but it is localized.
func (c ComputerSystem) IsVM() bool { return IsGUID(c.Name) }

// Mode returns the replication mode of the VM. It returns false if the host does not report it.
func (c ComputerSystem) Mode() (ReplicationMode, bool) {
	if c.ReplicationMode == nil {
		return 0, false
	}
	return *c.ReplicationMode, true
}

// Sends reports whether this host is the sending side of the VM's relationship: the primary server sends on the
// primary relationship, the replica server on the extended one. It is false if the mode of the VM is not known.
func (c ComputerSystem) Sends(link Link) bool {
	mode, known := c.Mode()
	return known && (link == Primary && mode == ModePrimary || link == Extended && mode == ModeReplica)
}

// PowerState summarizes EnabledState.
type PowerState string

// The power states. PowerOther stands for a VM that is saved, paused, starting or shutting down.
const (
	PowerOn      PowerState = "on"
	PowerOff     PowerState = "off"
	PowerOther   PowerState = "other"
	PowerUnknown PowerState = "unknown" // null, or EnabledUnknown
)

// Power returns the power state of the VM.
func (c ComputerSystem) Power() PowerState {
	switch s := c.EnabledState; {
	case s == nil || *s == EnabledUnknown:
		return PowerUnknown
	case *s == EnabledOn:
		return PowerOn
	case *s == EnabledOff:
		return PowerOff
	}
	return PowerOther
}

// VMRef is the object path of the VM with that GUID.
func VMRef(guid string) wmiquery.Ref {
	return ref(ClassComputerSystem, "CreationClassName", ClassComputerSystem, "Name", guid)
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
