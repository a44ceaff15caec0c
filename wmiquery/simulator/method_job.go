package simulator

import (
	"fmt"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// onJob is how a method of the table runs for a job, which must still be there.
func onJob(run func(*request, *job) (wmiquery.Reply, error)) func(*session, wmiquery.Call, Faults) (wmiquery.Reply, error) {
	return func(s *session, c wmiquery.Call, faults Faults) (reply wmiquery.Reply, err error) {
		withView(s.world, s.host, faults, func(v view) bool {
			r := &request{view: v}
			r.method, _ = msvm.FindMethod("Msvm_ConcreteJob", c.Method)
			j := v.jobAt(relativePath(c.Object))
			if j == nil {
				err = fmt.Errorf("%s: %w", c.Object, wmiquery.ErrNotFound)
				return false
			}
			var code uint32
			if r.args, code = parseArguments(r.method, c.In); code != wmiquery.CodeCompleted {
				reply = errorReply(wmiquery.CodeCIMInvalidParam)
				return false
			}
			reply, err = run(r, j)
			return true
		})
		return reply, err
	}
}

// errors are why the job failed, as embedded instances; none if it did not.
func (r *request) jobErrorTexts(j *job) ([]string, error) {
	if j.failure == nil || !j.state(r.at).Done() {
		return nil, nil
	}
	return marshalInstances(r.faults, "Msvm_Error", errorInstance{
		ErrorType:         new(uint16(4)), // software error
		MessageID:         new(fmt.Sprint(j.failure.code)),
		Message:           new(r.errorDescription(j)),
		PerceivedSeverity: new(severities[msvm.HealthCritical]),
		ErrorSource:       new(string(msvm.JobRef(j.id))),
	})
}

// jobErrors is GetErrorEx.
func jobErrors(r *request, j *job) (wmiquery.Reply, error) {
	texts, err := r.jobErrorTexts(j)
	reply := completedReply()
	reply.Out["Errors"] = nil
	if len(texts) > 0 {
		reply.Out["Errors"] = texts
	}
	return reply, err
}

// jobError is GetError.
func jobError(r *request, j *job) (wmiquery.Reply, error) {
	texts, err := r.jobErrorTexts(j)
	reply := completedReply()
	reply.Out["Error"] = nil
	if len(texts) > 0 {
		reply.Out["Error"] = texts[len(texts)-1]
	}
	return reply, err
}

// Values of a job's RequestedState.
const (
	requestStart     = 2
	requestTerminate = 4
	requestService   = 6
)

// changeJob is RequestStateChange. Of the documented states only 4, terminate, has
// been seen in use.
func changeJob(r *request, j *job) (wmiquery.Reply, error) {
	switch n := r.args.number("RequestedState"); {
	case n < requestStart || n > requestService:
		return errorReply(wmiquery.CodeCIMInvalidParam), nil
	case n != requestTerminate || !j.cancellable(r.at):
		return errorReply(wmiquery.CodeCIMTransition), nil
	}
	j.cancel(r.at)
	return completedReply(), nil
}

// killJob is KillJob, which Hyper-V does not support.
func killJob(*request, *job) (wmiquery.Reply, error) {
	return errorReply(wmiquery.CodeCIMNotSupported), nil
}
