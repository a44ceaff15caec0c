package doctor

import "strings"

// checkServiceSettings checks the account, the groups, the start, the recovery and the data folder of the Windows
// service of the exporter.
func checkServiceSettings(h *host) Row {
	if h.Service == nil {
		return seen(NotChecked, "not applicable: only Windows that is read directly has the service")
	}
	differences, err := h.Service()
	text := h.message(strings.Join(differences, "; "))
	switch {
	case len(differences) > 0:
		return seen(Warning, "%s", text).advise("Run hyperv_replica_exporter service install with the flags of the service")
	case err != nil:
		return seen(NotChecked, "%s", h.message(err.Error()))
	}
	return seen(OK, "account, groups, start, recovery and data folder are as service install makes them")
}
