//go:build !windows

package main

// runAsService finds no service manager here.
func runAsService([]string) (code int, service bool) { return 0, false }
