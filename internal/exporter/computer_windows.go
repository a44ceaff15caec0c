package exporter

import "golang.org/x/sys/windows"

// ComputerNames returns the names of this computer: that of NetBIOS, and the fully qualified one of DNS.
func ComputerNames() []string {
	var names []string
	for _, kind := range []uint32{windows.ComputerNameNetBIOS, windows.ComputerNamePhysicalDnsFullyQualified} {
		var buffer [256]uint16
		size := uint32(len(buffer))
		if err := windows.GetComputerNameEx(kind, &buffer[0], &size); err == nil {
			names = append(names, windows.UTF16ToString(buffer[:size]))
		}
	}
	return names
}
