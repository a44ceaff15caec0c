package msvm

import "hyperv_replica_exporter/wmiquery"

// Error is Msvm_Error: why a relationship is not healthy, or why a job failed.
type Error struct {
	MessageID         *string // the values for health issues are not documented
	Message           *string // localized
	MessageArguments  []string
	PerceivedSeverity *Severity
	ErrorSource       *string
}

// WMIClass is Msvm_Error.
func (Error) WMIClass() wmiquery.Class { return class(ClassError) }
