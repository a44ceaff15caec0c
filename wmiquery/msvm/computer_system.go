package msvm

import (
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// ComputerSystem is Msvm_ComputerSystem: a VM or the host itself, which has a row, too. The struct has the properties
// that matter for replication, without the deprecated ReplicationState, ReplicationHealth and times, which are those of
// the primary relationship only.
type ComputerSystem struct {
	Name            string // the GUID of the VM, or the computer name of the host
	ElementName     *string
	EnabledState    *EnabledState
	ReplicationMode *ReplicationMode
	InstallDate     *time.Time // null in the row of the host
}

// WMIClass returns Msvm_ComputerSystem.
func (ComputerSystem) WMIClass() wmiquery.Class { return class(ClassComputerSystem) }

// IsVM reports whether the row is that of a VM, not of the host. Caption would tell the same, but it is localized.
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

// VMRef returns the object path of the VM with a GUID.
func VMRef(guid string) wmiquery.Ref {
	return ref(ClassComputerSystem, "CreationClassName", ClassComputerSystem, "Name", guid)
}

// ref returns an object path. keys are the names and values of the key properties.
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

// escaper escapes the value of a key: object paths, like WQL, escape backslashes and quotes with a backslash.
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
