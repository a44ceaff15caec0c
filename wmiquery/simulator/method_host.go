package simulator

import (
	"encoding/base64"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// changeHost changes the configuration of the host with immediate effect. All VMs are advanced before.
func (r *request) changeHost(change func()) {
	r.world.advanceAll(r.at)
	change()
}

// modifyService is Msvm_ReplicationService.ModifyServiceSettings. As a simplification, the settings take
// effect at once and not when the job completes.
func modifyService(r *request) wmiquery.Reply {
	var given msvm.ReplicationServiceSettingData
	if !r.args.unmarshal("SettingData", &given) {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	s := serverSettings{
		overlay(r.host.settings.ReplicationServiceSettingData, given), r.args.laterBuild("SettingData"),
	}
	s.InstanceID = r.host.settings.InstanceID
	switch length := *s.MonitoringInterval; {
	case !validMonitoringInterval(length), *s.MonitoringStartTime < 0, *s.MonitoringStartTime >= 24*time.Hour,
		*s.HttpPort == 0, *s.HttpsPort == 0, *s.AllowedAuthenticationType > msvm.AuthenticationBoth,
		*s.RecoveryServerEnabled && *s.AllowedAuthenticationType == msvm.AuthenticationNotDefined,
		*s.AllowedAuthenticationType&msvm.AuthenticationCertificate != 0 && !isThumbprint(s.CertificateThumbPrint):
		return errorReply(wmiquery.CodeInvalidParam)
	}
	f := r.faults.jobFailure()
	if f == nil && *s.RecoveryServerEnabled && *s.AllowedAuthenticationType&msvm.AuthenticationCertificate != 0 &&
		!r.world.certificates.valid(s.CertificateThumbPrint, r.at) {
		f = errCertificate
	}
	if f != nil {
		return r.startHostJob(msvm.JobModifyServerSettings, f)
	}
	r.changeHost(func() {
		was, wasStart := r.host.monitoringWindow()
		r.host.settings = s
		length, start := r.host.monitoringWindow()
		if length == was && start == wasStart {
			return
		}
		for _, e := range r.host.relationships() {
			if e != nil {
				e.windowEnd = windowAfter(r.at, length, start)
			}
		}
	})
	return r.startHostJob(msvm.JobModifyServerSettings, nil)
}

// validMonitoringInterval reports whether the host accepts a length of the monitoring window, in seconds: 1, 2, 3, 4,
// 6, 8 or 12 hours, or 1 to 7 days. Source: Set-VMReplicationServer in MicrosoftDocs/windows-powershell-docs; the
// schema, too, wants values that are aligned to 24 hours. The reference has only the limits.
func validMonitoringInterval(seconds uint32) bool {
	const hour, day = 3600, 86400
	if seconds < day {
		return seconds >= hour && seconds%hour == 0 && day%seconds == 0
	}
	return seconds%day == 0 && seconds <= 7*day
}

// startHostJob starts a job about the host itself, which takes two seconds.
func (r *request) startHostJob(kind msvm.JobType, f *failure) wmiquery.Reply {
	j := &job{kind: kind, host: r.host, duration: 2 * time.Second, failure: f}
	r.world.submitJob(j, r.at)
	return jobReply(j)
}

// givenEntry is the given authorization entry and the index of the entry with the same name on the host,
// or -1. It returns false if the argument is not valid.
func (r *request) givenEntry() (e msvm.ReplicationAuthorizationSettingData, at int, ok bool) {
	ok = r.args.unmarshal("AuthorizationEntry", &e) && msvm.StringOrEmpty(e.AllowedPrimaryHostSystem) != ""
	return e, r.host.findEntry(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem)), ok
}

// addEntry is AddAuthorizationEntry. That the name must be new and that a storage location is required
// is inferred.
func addEntry(r *request) wmiquery.Reply {
	e, i, ok := r.givenEntry()
	if !ok || i >= 0 || msvm.StringOrEmpty(e.ReplicaStorageLocation) == "" {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() { r.host.authorizations = append(slices.Clone(r.host.authorizations), e) })
	return completedReply()
}

// modifyEntry is ModifyAuthorizationEntry.
func modifyEntry(r *request) wmiquery.Reply {
	e, i, ok := r.givenEntry()
	if !ok || i < 0 {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() {
		r.host.authorizations = slices.Clone(r.host.authorizations)
		r.host.authorizations[i] = overlay(r.host.authorizations[i], e)
	})
	return completedReply()
}

// removeEntry is RemoveAuthorizationEntry. The host then rejects the VMs that only this entry
// authorized.
func removeEntry(r *request) wmiquery.Reply {
	i := r.host.findEntry(r.args.text("AllowedPrimaryHostSystem"))
	if i < 0 {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() { r.host.authorizations = slices.Delete(slices.Clone(r.host.authorizations), i, i+1) })
	return completedReply()
}

// bindEntry is SetAuthorizationEntry. From then on only this entry counts for the VM.
func bindEntry(r *request) wmiquery.Reply {
	e, i, ok := r.givenEntry()
	if !ok || i < 0 {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() { r.vm.authorization = *e.AllowedPrimaryHostSystem })
	return completedReply()
}

// testConnection is TestReplicationConnection. It starts a job, which fails for the same reasons as that
// of CreateReplicationRelationship.
func testConnection(r *request) wmiquery.Reply {
	s := msvm.ReplicationSettingData{
		AuthenticationType:       new(msvm.Authentication(r.args.number("AuthenticationType"))),
		RecoveryServerPortNumber: new(r.args.number("RecoveryServerPortNumber")),
		CertificateThumbPrint:    new(r.args.text("CertificateThumbPrint")),
	}
	if !validConnection(s) {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	f := r.faults.jobFailure()
	if f == nil {
		to := r.world.serverAt(r.args.text("RecoveryConnectionPoint"))
		f = r.world.connectionFailure(r.at, &hostVM{host: r.host}, to, s)
	}
	return r.startHostJob(msvm.JobTestConnection, f)
}

// setFailoverNetwork is SetFailoverNetworkAdapterSettings. IPAddresses and DHCPEnabled are required in
// each element. External providers are not supported.
func setFailoverNetwork(r *request) wmiquery.Reply {
	if r.endpoint.link.settings.external() {
		return errorReply(wmiquery.CodeNotSupported)
	}
	var all []msvm.FailoverNetworkAdapterSettingData
	for _, text := range r.args.texts("NetworkSettings") {
		var s msvm.FailoverNetworkAdapterSettingData
		_, err := cimxml.Unmarshal(text, &s)
		if err != nil || s.DHCPEnabled == nil || s.IPAddresses == nil || len(s.DefaultGateways) > 5 {
			return errorReply(wmiquery.CodeInvalidParam)
		}
		s.InstanceID = nil // the host generates it
		all = append(all, s)
	}
	r.host.failoverNetworks[r.vm.id] = all
	return completedReply()
}

// unsupported is RequestStateChange, StartService and StopService, which return 1, not supported.
func unsupported(*request) wmiquery.Reply { return errorReply(wmiquery.CodeCIMNotSupported) }

// systemCertificates is GetSystemCertificates.
func systemCertificates(r *request) wmiquery.Reply {
	var texts []string
	for _, c := range r.world.certificates.all() {
		texts = append(texts, base64.StdEncoding.EncodeToString(c.der))
	}
	reply := completedReply()
	reply.Out["EncodedCertificates"] = texts
	return reply
}
