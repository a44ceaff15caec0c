package simulator

import (
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// authorize returns the reason why the host rejects replication from a VM with the settings, or nil if
// it accepts it.
func (h *host) authorize(from *hostVM, s msvm.ReplicationSettingData) *failure {
	bound := ""
	if existing := h.byID[from.id]; existing != nil {
		bound = existing.authorization
	}
	switch {
	case !*h.settings.RecoveryServerEnabled:
		return errServerDisabled
	case *s.AuthenticationType&*h.settings.AllowedAuthenticationType != *s.AuthenticationType:
		return errAuthenticationType
	case !h.hasEntryFor(from.host, bound):
		return errNotAuthorized
	}
	return nil
}

// hasEntryFor reports whether an authorization entry matches the other host. If bound is not empty, only
// the entry of that name counts.
func (h *host) hasEntryFor(other *host, bound string) bool {
	for _, e := range h.authorizations {
		allowed := msvm.StringOrEmpty(e.AllowedPrimaryHostSystem)
		if bound != "" && !strings.EqualFold(bound, allowed) {
			continue
		}
		if matchesHost(allowed, other.fqdn) {
			return true
		}
	}
	return false
}

// matchesHost reports whether a value of AllowedPrimaryHostSystem matches a host. It is a host name, a
// wildcard for a domain, or * for all hosts.
func matchesHost(allowed, fqdn string) bool {
	if wildcard, ok := strings.CutPrefix(allowed, "*"); ok {
		return strings.HasSuffix(strings.ToLower(fqdn), strings.ToLower(wildcard))
	}
	return strings.EqualFold(allowed, fqdn)
}

// reauthorize checks all senders again. It must be called after a change of the settings or the
// authorization entries.
func (h *host) reauthorize() {
	for _, vm := range h.vms {
		if e := vm.endpoints[msvm.Primary]; e != nil && !e.sends() {
			e.link.rejection = h.authorize(e.link.sender.vm, e.link.settings.ReplicationSettingData)
		}
	}
}

// findEntry is the index of the authorization entry with the name, or -1. Names are not case-sensitive.
func (h *host) findEntry(name string) int {
	return slices.IndexFunc(h.authorizations, func(e msvm.ReplicationAuthorizationSettingData) bool {
		return strings.EqualFold(msvm.StringOrEmpty(e.AllowedPrimaryHostSystem), name)
	})
}
