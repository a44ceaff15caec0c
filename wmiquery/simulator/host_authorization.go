package simulator

import (
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// authorizes reports whether an authorization entry allows replication from the VM. If the VM here is bound to an
// entry, only that one and the others with its TrustGroup count.
func (h *host) authorizes(from *hostVM) bool {
	var bound *msvm.ReplicationAuthorizationSettingData
	if existing := h.byID[from.id]; existing != nil && existing.authorization != "" {
		i := h.findEntry(existing.authorization)
		if i < 0 {
			return false
		}
		bound = &h.authorizations[i]
	}
	for i := range h.authorizations {
		e := &h.authorizations[i]
		if matchesHost(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), from.host.fqdn) &&
			(bound == nil || e == bound || sameTrustGroup(e, bound)) {
			return true
		}
	}
	return false
}

// sameTrustGroup reports whether two entries belong to one trust group. Source: Set-VMReplication,
// AllowedPrimaryServer: a replica accepts the server of its entry and all servers of the same trust group. That an
// empty group is none, and that the names are not case-sensitive, is inferred.
func sameTrustGroup(a, b *msvm.ReplicationAuthorizationSettingData) bool {
	group := msvm.StringOrEmpty(a.TrustGroup)
	return group != "" && strings.EqualFold(group, msvm.StringOrEmpty(b.TrustGroup))
}

// matchesHost reports whether a value of AllowedPrimaryHostSystem matches a host. It is a host name, a
// wildcard for a domain, or * for all hosts.
func matchesHost(allowed, fqdn string) bool {
	if domain, ok := strings.CutPrefix(allowed, "*"); ok {
		fqdn, allowed = fqdn[max(0, len(fqdn)-len(domain)):], domain
	}
	return strings.EqualFold(allowed, fqdn)
}

// findEntry is the index of the authorization entry with the name, or -1. Names are not case-sensitive.
func (h *host) findEntry(name string) int {
	return slices.IndexFunc(h.authorizations, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
}
