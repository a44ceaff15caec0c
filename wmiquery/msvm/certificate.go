package msvm

import (
	"encoding/base64"
	"fmt"

	"hyperv_replica_exporter/wmiquery"
)

// GetSystemCertificates returns the call that gets the certificates in LocalMachine\My of the host.
func GetSystemCertificates(service ReplicationService) wmiquery.Call {
	return wmiquery.Call{
		Namespace: wmiquery.Virtualization,
		Object:    service.Ref(),
		Method:    MethodGetSystemCertificates,
	}
}

// Certificates returns the certificates in the reply to GetSystemCertificates, in DER. It fails with a
// *wmiquery.CodeError, with ErrJobStarted, or if a certificate is not valid base64. An empty store is not an error.
func Certificates(reply wmiquery.Reply) ([][]byte, error) {
	if err := reply.Err(); err != nil {
		return nil, err
	}
	if reply.Code == wmiquery.CodeJobStarted {
		return nil, ErrJobStarted
	}
	var all [][]byte
	for _, text := range embedded(reply.Out[outCertificates]) {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", outCertificates, err)
		}
		all = append(all, der)
	}
	return all, nil
}
