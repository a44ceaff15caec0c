package msvm

import (
	"encoding/base64"
	"slices"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
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
// *wmiquery.CodeError or with ErrJobStarted. If a certificate is not valid base64, it returns the others and a
// *wmiquery.InvalidValuesError. An empty store is not an error.
func Certificates(reply wmiquery.Reply) ([][]byte, error) {
	if err := reply.Err(); err != nil {
		return nil, err
	}
	if reply.Code == wmiquery.CodeJobStarted {
		return nil, ErrJobStarted
	}
	var all [][]byte
	invalid := slices.Clone(reply.Invalid)
	for _, text := range embedded(reply.Out[outCertificates]) {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			invalid = append(invalid, wmiquery.InvalidValue{
				Class: ClassReplicationService, Row: -1, Instance: MethodGetSystemCertificates, Property: outCertificates,
				Text: cimxml.Shorten(text), Err: err,
			})
			continue
		}
		all = append(all, der)
	}
	return all, wmiquery.NewInvalidValuesError(invalid)
}
