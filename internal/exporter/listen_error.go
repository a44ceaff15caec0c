package exporter

import (
	"errors"
	"fmt"
	"syscall"
)

// Error codes of Windows Sockets, from winsock2.h. Package syscall has other numbers for their names.
const (
	wsaEACCES        = syscall.Errno(10013)
	wsaEADDRINUSE    = syscall.Errno(10048)
	wsaEADDRNOTAVAIL = syscall.Errno(10049)
)

// listenError adds what to do about an error of a listener whose address is the value of a flag.
func listenError(flag string, err error) error {
	var advice string
	switch {
	case isOneOf(err, syscall.EADDRINUSE, wsaEADDRINUSE):
		advice = "another program uses the port: stop it, or use another port"
	case isOneOf(err, syscall.EACCES, wsaEACCES):
		advice = "the port is reserved, see `netsh interface ipv4 show excludedportrange tcp`: use another port"
	case isOneOf(err, syscall.EADDRNOTAVAIL, wsaEADDRNOTAVAIL):
		advice = "this computer does not have the address: use one that it has"
	default:
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return fmt.Errorf("--%s: %s (%w)", flag, advice, err)
}

func isOneOf(err error, codes ...error) bool {
	for _, code := range codes {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
