package simulator

import (
	"fmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// getJobErrors is Msvm_ConcreteJob.GetErrorEx.
func getJobErrors(r *request) wmiquery.Reply {
	return r.replyWithJobError("Errors", func(text string) any { return []string{text} })
}

// getJobError is Msvm_ConcreteJob.GetError.
func getJobError(r *request) wmiquery.Reply {
	return r.replyWithJobError("Error", func(text string) any { return text })
}

// replyWithJobError returns a reply with the error of the job as an out parameter. The parameter is null if the job has
// neither failed nor been terminated. Source: the pages of GetError and GetErrorEx in MicrosoftDocs/win32, HyperV_v2,
// which return errors of both.
func (r *request) replyWithJobError(param string, value func(text string) any) wmiquery.Reply {
	j := r.job
	cause := j.failure
	if j.cancelled {
		cause = errTerminated
	}
	if cause == nil || !j.state(r.at).Done() {
		return completedReply()
	}
	instance := errorInstance{
		ErrorType:         new(uint16(4)), // software error
		MessageID:         new(fmt.Sprint(cause.code)),
		Message:           new(r.errorDescription(j, cause)),
		PerceivedSeverity: new(severities[msvm.HealthCritical]),
		ErrorSource:       new(string(msvm.JobRef(j.id))),
	}
	r.encode = func(out map[string]any) error {
		texts, err := marshalInstances(r.faults, msvm.ClassError, instance)
		if err == nil {
			out[param] = value(texts[0])
		}
		return err
	}
	return completedReply()
}

// Values of RequestedState in Msvm_ConcreteJob.RequestStateChange.
const (
	requestStart     = 2
	requestTerminate = 4
	requestService   = 6
)

// changeJobState is Msvm_ConcreteJob.RequestStateChange. Of the documented states, clients are known to use only 4,
// terminate. The return codes are those of the schema, which overrides the ones that CIM defines; the reference has
// only the latter (5 and 4097).
func changeJobState(r *request) wmiquery.Reply {
	switch n := r.args.number("RequestedState"); {
	case n < requestStart || n > requestService:
		return errorReply(wmiquery.CodeInvalidParam)
	case n != requestTerminate || !r.job.cancellable(r.at):
		return errorReply(wmiquery.CodeInvalidState)
	}
	r.job.cancel(r.at)
	return completedReply()
}

// killJob is Msvm_ConcreteJob.KillJob, which Hyper-V does not support.
func killJob(*request) wmiquery.Reply { return errorReply(wmiquery.CodeCIMNotSupported) }
