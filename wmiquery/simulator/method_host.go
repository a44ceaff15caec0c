package simulator

import (
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// What is set on a host counts at once: everything is brought up to now before,
// and who may replicate is found out anew after.
func (r *request) setOnHost(change func()) {
	r.world.settleAll(r.at)
	change()
	r.host.reauthorize()
}

// modifyService is Msvm_ReplicationService.ModifyServiceSettings. It counts at
// once, and its job tells so a little later: that is a simplification.
func modifyService(r *request) wmiquery.Reply {
	var given msvm.ReplicationServiceSettingData
	if !r.args.instance("SettingData", &given) {
		return refuse(wmiquery.CodeInvalidParam)
	}
	s := overlay(r.host.server, given)
	s.InstanceID = r.host.server.InstanceID
	switch length := *s.MonitoringInterval; {
	case length < 3600, length > 7*86400, *s.MonitoringStartTime < 0, *s.MonitoringStartTime >= 24*time.Hour,
		*s.HttpPort == 0, *s.HttpsPort == 0, *s.AllowedAuthenticationType > msvm.AuthenticationBoth,
		*s.RecoveryServerEnabled && *s.AllowedAuthenticationType == msvm.AuthenticationNotDefined,
		*s.AllowedAuthenticationType&msvm.AuthenticationCertificate != 0 && msvm.StringOrEmpty(s.CertificateThumbPrint) == "":
		return refuse(wmiquery.CodeInvalidParam)
	}
	if f := r.faults.jobFailure(); f != nil {
		return r.startOnHost(msvm.JobModifyServerSettings, f)
	}
	r.setOnHost(func() {
		was, wasStart := r.host.monitoring()
		r.host.server = s
		length, start := r.host.monitoring()
		if length == was && start == wasStart {
			return
		}
		for _, side := range r.host.relationships() {
			if side != nil {
				side.windowEnd = windowAfter(r.at, length, start)
			}
		}
	})
	return r.startOnHost(msvm.JobModifyServerSettings, nil)
}

// startOnHost starts a job about the host itself, which takes two seconds.
func (r *request) startOnHost(kind msvm.JobType, f *failure) wmiquery.Reply {
	j := &job{kind: kind, host: r.host, length: 2 * time.Second, failure: f}
	r.world.post(j, r.at)
	return started(j)
}

// entry is the authorization entry that is given, and where the host has one of
// that name: -1 if it has not. It is false if what is given is none.
func (r *request) entry() (e msvm.ReplicationAuthorizationSettingData, at int, ok bool) {
	ok = r.args.instance("AuthorizationEntry", &e) && msvm.StringOrEmpty(e.AllowedPrimaryHostSystem) != ""
	return e, r.host.entryAt(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem)), ok
}

// entryAt is where the host has the entry of that name, -1 if it has none. Case
// does not matter.
func (h *host) entryAt(name string) int {
	return slices.IndexFunc(h.authorizations, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
}

// addEntry is AddAuthorizationEntry. An entry of that name must not be there yet,
// and needs a folder: both inferred.
func addEntry(r *request) wmiquery.Reply {
	e, i, ok := r.entry()
	if !ok || i >= 0 || msvm.StringOrEmpty(e.ReplicaStorageLocation) == "" {
		return refuse(wmiquery.CodeInvalidParam)
	}
	r.setOnHost(func() { r.host.authorizations = append(slices.Clone(r.host.authorizations), e) })
	return done()
}

// modifyEntry is ModifyAuthorizationEntry.
func modifyEntry(r *request) wmiquery.Reply {
	e, i, ok := r.entry()
	if !ok || i < 0 {
		return refuse(wmiquery.CodeInvalidParam)
	}
	r.setOnHost(func() {
		r.host.authorizations = slices.Clone(r.host.authorizations)
		r.host.authorizations[i] = overlay(r.host.authorizations[i], e)
	})
	return done()
}

// removeEntry is RemoveAuthorizationEntry, by name. VMs that it let in are not let
// in any more.
func removeEntry(r *request) wmiquery.Reply {
	i := r.host.entryAt(r.args.text("AllowedPrimaryHostSystem"))
	if i < 0 {
		return refuse(wmiquery.CodeInvalidParam)
	}
	r.setOnHost(func() { r.host.authorizations = slices.Delete(slices.Clone(r.host.authorizations), i, i+1) })
	return done()
}

// bindEntry is SetAuthorizationEntry: from then on only that entry counts for the
// VM.
func bindEntry(r *request) wmiquery.Reply {
	e, i, ok := r.entry()
	if !ok || i < 0 {
		return refuse(wmiquery.CodeInvalidParam)
	}
	r.setOnHost(func() { r.machine.authorization = *e.AllowedPrimaryHostSystem })
	return done()
}

// testConnection is TestReplicationConnection: a job that fails where
// CreateReplicationRelationship would.
func testConnection(r *request) wmiquery.Reply {
	auth, port := msvm.Authentication(r.args.number("AuthenticationType")), r.args.number("RecoveryServerPortNumber")
	if auth != msvm.AuthenticationKerberos && auth != msvm.AuthenticationCertificate || port == 0 ||
		auth == msvm.AuthenticationCertificate && r.args.text("CertificateThumbPrint") == "" {
		return refuse(wmiquery.CodeInvalidParam)
	}
	f := r.faults.jobFailure()
	if f == nil {
		f = r.connects(r.args.text("RecoveryConnectionPoint"), port, auth)
	}
	return r.startOnHost(msvm.JobTestConnection, f)
}

func (r *request) connects(point string, port uint16, auth msvm.Authentication) *failure {
	h := r.world.serverAt(point)
	if h == nil || h == r.host {
		return errNoServer
	}
	listener := *h.server.HttpPort
	if auth == msvm.AuthenticationCertificate {
		listener = *h.server.HttpsPort
	}
	if port != listener {
		return errNoServer
	}
	return h.admits(&machine{host: r.host}, msvm.ReplicationSettingData{AuthenticationType: &auth})
}

// setFailoverNetwork is SetFailoverNetworkAdapterSettings. IPAddresses and
// DHCPEnabled must be there in each element.
func setFailoverNetwork(r *request) wmiquery.Reply {
	var all []msvm.FailoverNetworkAdapterSettingData
	for _, text := range r.args.texts("NetworkSettings") {
		var s msvm.FailoverNetworkAdapterSettingData
		if _, err := cimxml.Unmarshal(text, &s); err != nil || s.DHCPEnabled == nil || s.IPAddresses == nil || len(s.DefaultGateways) > 5 {
			return refuse(wmiquery.CodeInvalidParam)
		}
		s.InstanceID = nil // the rows have one of their own
		all = append(all, s)
	}
	r.host.failoverNetworks[r.machine.id] = all
	return done()
}

// unsupported are RequestStateChange, StartService and StopService, which answer
// 1, not supported.
func unsupported(*request) wmiquery.Reply { return refuse(1) }

// resetStatistics is ResetReplicationStatistics(Ex): the window starts anew. As in
// request.change, every other VM needs no job for it.
func resetStatistics(r *request) wmiquery.Reply {
	s := r.side
	reset := func(at time.Time) *failure {
		s.window = window{start: at}
		return nil
	}
	if r.machine.index%2 == 1 && !r.faults.JobFailing {
		reset(r.at)
		return done()
	}
	return started(r.post(&job{kind: msvm.JobResetStatistics, length: time.Second, onEnd: reset}))
}
