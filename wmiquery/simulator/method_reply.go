package simulator

import (
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// errorReply is the reply of a method that has failed.
func errorReply(code uint32) wmiquery.Reply { return wmiquery.Reply{Code: code} }

// completedReply is the reply of a method that has completed.
func completedReply() wmiquery.Reply { return wmiquery.Reply{Out: map[string]any{}} }

// jobReply is the reply of a method that has started a job.
func jobReply(j *job) wmiquery.Reply {
	return wmiquery.Reply{Code: wmiquery.CodeJobStarted, Job: msvm.JobRef(j.id), Out: map[string]any{}}
}

// marshalInstances writes instances of a class as CIM-XML, with the faults applied. It changes the instances.
func marshalInstances[T any](faults Faults, class string, instances ...T) ([]string, error) {
	texts := make([]string, len(instances))
	for i := range instances {
		faults.applyToRow(&instances[i])
		text, err := faults.marshal(class, instances[i], i, len(instances))
		if err != nil {
			return nil, err
		}
		texts[i] = text
	}
	return texts, nil
}

// errorInstance is Msvm_Error with the properties that the host sets.
type errorInstance struct {
	ErrorType         *uint16
	MessageID         *string
	Message           *string
	MessageArguments  []string
	PerceivedSeverity *msvm.Severity
	// The three are null for an error of a job, and ErrorSource for a health issue.
	ProbableCause            *uint16
	ProbableCauseDescription *string
	RecommendedActions       []string
	ErrorSource              *string
}

// severities are the values of PerceivedSeverity, with the numbers of the schema.
var severities = map[msvm.ReplicationHealth]msvm.Severity{
	msvm.HealthWarning:  3, // degraded
	msvm.HealthCritical: 6, // critical
}
