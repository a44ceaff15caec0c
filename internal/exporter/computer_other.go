//go:build !windows

package exporter

import "os"

// computerNames returns the name of this computer.
func computerNames() []string {
	name, err := os.Hostname()
	if err != nil {
		return nil
	}
	return []string{name}
}
