//go:build !windows

package service

import "errors"

// Open returns an error: there are services on Windows only.
func Open() (Host, func(), error) {
	return nil, nil, errors.New("this system is not Windows; --dry-run prints what would be done there")
}
