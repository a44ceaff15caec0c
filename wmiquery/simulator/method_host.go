package simulator

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// What is set on a host counts at once: everything is brought up to now before,
// and who may replicate is found out anew after.
func (r *request) changeHost(change func()) {
	r.world.advanceAll(r.at)
	change()
	r.host.reauthorize()
}

// modifyService is Msvm_ReplicationService.ModifyServiceSettings. It counts at
// once, and its job tells so a little later: that is a simplification.
func modifyService(r *request) wmiquery.Reply {
	var given msvm.ReplicationServiceSettingData
	if !r.args.unmarshal("SettingData", &given) {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	s := overlay(r.host.settings, given)
	s.InstanceID = r.host.settings.InstanceID
	switch length := *s.MonitoringInterval; {
	case length < 3600, length > 7*86400, *s.MonitoringStartTime < 0, *s.MonitoringStartTime >= 24*time.Hour,
		*s.HttpPort == 0, *s.HttpsPort == 0, *s.AllowedAuthenticationType > msvm.AuthenticationBoth,
		*s.RecoveryServerEnabled && *s.AllowedAuthenticationType == msvm.AuthenticationNotDefined,
		*s.AllowedAuthenticationType&msvm.AuthenticationCertificate != 0 && msvm.StringOrEmpty(s.CertificateThumbPrint) == "":
		return errorReply(wmiquery.CodeInvalidParam)
	}
	if f := r.faults.jobFailure(); f != nil {
		return r.startHostJob(msvm.JobModifyServerSettings, f)
	}
	r.changeHost(func() {
		was, wasStart := r.host.monitoring()
		r.host.settings = s
		length, start := r.host.monitoring()
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

// startOnHost starts a job about the host itself, which takes two seconds.
func (r *request) startHostJob(kind msvm.JobType, f *failure) wmiquery.Reply {
	j := &job{kind: kind, host: r.host, duration: 2 * time.Second, failure: f}
	r.world.submitJob(j, r.at)
	return jobReply(j)
}

// entry is the authorization entry that is given, and where the host has one of
// that name: -1 if it has not. It is false if what is given is none.
func (r *request) givenEntry() (e msvm.ReplicationAuthorizationSettingData, at int, ok bool) {
	ok = r.args.unmarshal("AuthorizationEntry", &e) && msvm.StringOrEmpty(e.AllowedPrimaryHostSystem) != ""
	return e, r.host.findEntry(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem)), ok
}

// entryAt is where the host has the entry of that name, -1 if it has none. Case
// does not matter.
func (h *host) findEntry(name string) int {
	return slices.IndexFunc(h.authorizations, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
}

// addEntry is AddAuthorizationEntry. An entry of that name must not be there yet,
// and needs a folder: both inferred.
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

// removeEntry is RemoveAuthorizationEntry, by name. VMs that it let in are not let
// in any more.
func removeEntry(r *request) wmiquery.Reply {
	i := r.host.findEntry(r.args.text("AllowedPrimaryHostSystem"))
	if i < 0 {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() { r.host.authorizations = slices.Delete(slices.Clone(r.host.authorizations), i, i+1) })
	return completedReply()
}

// bindEntry is SetAuthorizationEntry: from then on only that entry counts for the
// VM.
func bindEntry(r *request) wmiquery.Reply {
	e, i, ok := r.givenEntry()
	if !ok || i < 0 {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	r.changeHost(func() { r.vm.authorization = *e.AllowedPrimaryHostSystem })
	return completedReply()
}

// testConnection is TestReplicationConnection: a job that fails where
// CreateReplicationRelationship would.
func testConnection(r *request) wmiquery.Reply {
	auth, port := msvm.Authentication(r.args.number("AuthenticationType")), r.args.number("RecoveryServerPortNumber")
	if auth != msvm.AuthenticationKerberos && auth != msvm.AuthenticationCertificate || port == 0 ||
		auth == msvm.AuthenticationCertificate && r.args.text("CertificateThumbPrint") == "" {
		return errorReply(wmiquery.CodeInvalidParam)
	}
	f := r.faults.jobFailure()
	if f == nil {
		f = r.checkConnection(r.args.text("RecoveryConnectionPoint"), port, auth)
	}
	return r.startHostJob(msvm.JobTestConnection, f)
}

func (r *request) checkConnection(point string, port uint16, auth msvm.Authentication) *failure {
	h := r.world.serverAt(point)
	if h == nil || h == r.host {
		return errServerNotFound
	}
	listener := *h.settings.HttpPort
	if auth == msvm.AuthenticationCertificate {
		listener = *h.settings.HttpsPort
	}
	if port != listener {
		return errServerNotFound
	}
	return h.authorize(&hostVM{host: r.host}, msvm.ReplicationSettingData{AuthenticationType: &auth})
}

// setFailoverNetwork is SetFailoverNetworkAdapterSettings. IPAddresses and
// DHCPEnabled must be there in each element.
func setFailoverNetwork(r *request) wmiquery.Reply {
	var all []msvm.FailoverNetworkAdapterSettingData
	for _, text := range r.args.texts("NetworkSettings") {
		var s msvm.FailoverNetworkAdapterSettingData
		if _, err := cimxml.Unmarshal(text, &s); err != nil || s.DHCPEnabled == nil || s.IPAddresses == nil || len(s.DefaultGateways) > 5 {
			return errorReply(wmiquery.CodeInvalidParam)
		}
		s.InstanceID = nil // the rows have one of their own
		all = append(all, s)
	}
	r.host.failoverNetworks[r.vm.id] = all
	return completedReply()
}

// unsupported are RequestStateChange, StartService and StopService, which answer
// 1, not supported.
func unsupported(*request) wmiquery.Reply { return errorReply(1) }

// systemCertificates is Msvm_ReplicationService.GetSystemCertificates.
func systemCertificates(r *request) wmiquery.Reply {
	texts := make([]string, 0, len(r.world.certificates))
	for _, c := range r.world.certificates {
		texts = append(texts, base64.StdEncoding.EncodeToString(c.der))
	}
	reply := completedReply()
	reply.Out["EncodedCertificates"] = texts
	return reply
}
