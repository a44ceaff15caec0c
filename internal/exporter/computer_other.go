//go:build !windows

package exporter

import "os"

// ComputerNames returns the name of this computer.
func ComputerNames() []string {
	name, err := os.Hostname()
	if err != nil {
		return nil
	}
	return []string{name}
}
