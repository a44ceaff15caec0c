package msvm

import "hyperv_replica_exporter/wmiquery"

// Error is Msvm_Error: a health issue of a relationship, or an error of a failed job.
type Error struct {
	MessageID         *string // not documented for health issues
	Message           *string // localized
	MessageArguments  []string
	PerceivedSeverity *Severity
	// ProbableCause is a number of the enumeration in the schema of CIM_Error, 0 to 130; 0 is unknown.
	ProbableCause            *uint16
	ProbableCauseDescription *string
	RecommendedActions       []string // localized
	ErrorSource              *string
}

// WMIClass returns Msvm_Error.
func (Error) WMIClass() wmiquery.Class { return class(ClassError) }

// Errors returns the errors of a job in the reply to GetErrorEx. It leaves out those that cannot be read. Invalid
// values are null.
func Errors(reply wmiquery.Reply) []Error {
	errs, _ := unmarshalAll[Error]("Errors", embedded(reply.Out["Errors"]), nil)
	return errs
}
