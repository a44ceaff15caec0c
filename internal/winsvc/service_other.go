//go:build !windows

// Package winsvc runs the program as a Windows service.
package winsvc

// Run reports that the program is not a Windows service.
func Run([]string) (code int, isService bool) { return 0, false }
