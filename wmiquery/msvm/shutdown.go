package msvm

import (
	"strings"

	"hyperv_replica_exporter/wmiquery"
)

// ShutdownComponent is Msvm_ShutdownComponent: the integration service of a VM that shuts its guest operating system
// down. That a VM has an instance only while it runs, and while the service is enabled, is inferred.
type ShutdownComponent struct {
	CreationClassName       string // Msvm_ShutdownComponent
	DeviceID                string // Microsoft:, the GUID of the VM, and the GUID of the service
	SystemCreationClassName string // Msvm_ComputerSystem
	SystemName              string // the GUID of the VM
	// OperationalStatus starts with StatusOK if the guest operating system responds. The other documented values are
	// those of [ShutdownComponent.Unreachable], and 3 for an older version of the service, which works.
	OperationalStatus []uint16
}

// WMIClass returns Msvm_ShutdownComponent.
func (ShutdownComponent) WMIClass() wmiquery.Class { return class(ClassShutdownComponent) }

// Ref returns the object path of the component.
func (c ShutdownComponent) Ref() wmiquery.Ref {
	return ref(ClassShutdownComponent, "CreationClassName", c.CreationClassName, "DeviceID", c.DeviceID,
		"SystemCreationClassName", c.SystemCreationClassName, "SystemName", c.SystemName)
}

// IsOf reports whether the component is that of the VM with a GUID.
func (c ShutdownComponent) IsOf(vm string) bool { return strings.EqualFold(c.SystemName, vm) }

// Unreachable reports whether the service in the guest operating system is known not to respond: it is not supported
// (7), has never responded (12), or no longer does (13).
func (c ShutdownComponent) Unreachable() bool {
	if len(c.OperationalStatus) == 0 {
		return false
	}
	switch c.OperationalStatus[0] {
	case 7, 12, 13:
		return true
	}
	return false
}
