package msvm

import (
	"encoding/base64"
	"fmt"

	"hyperv_replica_exporter/wmiquery"
)

// GetSystemCertificates asks service for the certificates in LocalMachine\My of
// the host.
func GetSystemCertificates(service ReplicationService) wmiquery.Call {
	return wmiquery.Call{Namespace: wmiquery.Virtualization, Object: service.Ref(), Method: MethodGetSystemCertificates}
}

// Certificates reads the answer to GetSystemCertificates: certificates in DER. Its
// errors are a refusal (*wmiquery.CodeError), ErrJobStarted, and text that is no
// base64. A store that is empty gives none.
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
