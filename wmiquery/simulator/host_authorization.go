package simulator

import (
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// admits tells why the host does not let a VM replicate to it by such settings,
// nil if it does.
func (h *host) authorize(from *hostVM, s msvm.ReplicationSettingData) *failure {
	bound := ""
	if there := h.byID[from.id]; there != nil {
		bound = there.authorization
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

// authorizes tells whether an entry, the bound one if there is one, is for the
// other host.
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

// covers tells whether AllowedPrimaryHostSystem is for a host: its name, a
// wildcard for its domain, or * for any.
func matchesHost(allowed, fqdn string) bool {
	if wildcard, ok := strings.CutPrefix(allowed, "*"); ok {
		return strings.HasSuffix(strings.ToLower(fqdn), strings.ToLower(wildcard))
	}
	return strings.EqualFold(allowed, fqdn)
}

// reauthorize finds out anew who may send to the host, after what that depends on
// has changed.
func (h *host) reauthorize() {
	for _, vm := range h.vms {
		if e := vm.endpoints[msvm.Primary]; e != nil && !e.sends() {
			e.link.rejection = h.authorize(e.link.sender.vm, e.link.settings)
		}
	}
}
