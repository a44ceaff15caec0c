package collector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	operationRunning = gauge("operation_running",
		"Running replication operations of the VM by type (Msvm_ConcreteJob); vm and vm_id are empty for operations "+
			"that concern no VM; absent if there are none.",
		perVM("operation")...)
	operationProgress = gauge("operation_progress_ratio",
		"Progress of the operation from 0 to 1 (PercentComplete); the lowest if several of the same type are running; "+
			"absent if the host does not report it.",
		perVM("operation")...)
	operationStart = gauge("operation_start_timestamp_seconds",
		"Time when the operation started; the earliest if several of the same type are running; absent if the host does "+
			"not report it or if the time is in the future.",
		perVM("operation")...)
	operationFailures = counter("operation_failures_total",
		"Replication operations that ended in an error since the exporter started, by type; cancelled operations do not "+
			"count.",
		"operation")
)

// jobCollector exposes the replication operations that are running, and counts
// those that fail. If the VMs or the jobs' relation to them cannot be read, it
// exposes the counters only.
func jobCollector() Collector {
	failures := newJobFailures()
	return Collector{
		Name: "job",
		Help: "Running replication operations, such as initial replication, resynchronization and failover, and " +
			"failed ones.",
		Default: true,
		Reads:   instancesOf(msvm.ConcreteJob{}, msvm.AffectedJobElement{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{operationRunning, operationProgress, operationStart, operationFailures},
		collect: func(ctx context.Context, v *view, out *output) error {
			jobs, jobErr := read[msvm.ConcreteJob](ctx, v)
			if jobErr != nil {
				return jobErr
			}
			for i, n := range failures.add(jobs) {
				out.add(operationFailures, n, labels{operationValues[i]})
			}
			elements, elementErr := read[msvm.AffectedJobElement](ctx, v)
			vms, vmErr := readVMs(ctx, v)
			errs := []error{
				elementErr, vmErr,
				checkShown(v, every[msvm.ConcreteJob], "JobType"),
				checkShown(v, isReplicationJob, "InstanceID", "JobState"),
				checkShown(v, isRunning, "StartTime", "PercentComplete"),
				checkShown(v, func(e msvm.AffectedJobElement) bool {
					job := msvm.JobID(e.AffectingElement)
					return job == "" || slices.ContainsFunc(jobs.rows, func(j msvm.ConcreteJob) bool {
						return isRunning(j) && strings.EqualFold(j.InstanceID, job)
					})
				}),
			}
			if elementErr == nil && vmErr == nil {
				shown := collectRunning(jobs, affectedVMs(elements.rows, vms), elements.at, vms, out)
				errs = append(errs, checkShown(v, vmIn(shown), "Name", "ElementName"))
			}
			return errors.Join(errs...)
		},
	}
}

// operationValues are the values of the label operation: the types of replication
// jobs from JobModifyServerSettings on.
var operationValues = newStateSet("operation", msvm.JobTypes())

// operation identifies the jobs that share a series.
type operation struct {
	vm      string // GUID; empty if the job concerns no VM
	jobType msvm.JobType
}

// runningJobs summarizes the running jobs of one operation.
type runningJobs struct {
	count      float64
	minPercent *uint16    // nil if not known
	start      *time.Time // of the first job; nil if not known
}

// add adds a job. A percentage above 100 says nothing about the progress.
func (r *runningJobs) add(percent *uint16, start time.Time, hasStart bool) {
	r.count++
	if percent != nil && *percent <= 100 && (r.minPercent == nil || *percent < *r.minPercent) {
		r.minPercent = percent
	}
	if hasStart && (r.start == nil || start.Before(*r.start)) {
		r.start = &start
	}
}

// collectRunning adds the series of each operation with running jobs. A job may
// concern two VMs, such as a test failover, and then belongs to an operation of
// each. A job that concerns no VM and started after readAt, the time when the
// affected VMs were read, is ignored, since its VM is not known yet. The result
// reports whether a VM has such a job.
func collectRunning(
	jobs table[msvm.ConcreteJob], affected map[string][]string, readAt time.Time, vms vmsByID, out *output,
) (hasJob func(vm string) bool) {
	running := map[operation]*runningJobs{}
	var order []operation
	for _, j := range jobs.rows {
		if !isRunning(j) {
			continue
		}
		times := recordedTimes{readAt: jobs.at}
		start, hasStart := times.past("StartTime", j.StartTime)
		times.warn(out, j.InstanceID)
		ids := affected[msvm.JobID(j.Ref())]
		if len(ids) == 0 {
			if hasStart && start.After(readAt) {
				continue
			}
			ids = []string{""}
		}
		for _, id := range ids {
			o := operation{id, *j.JobType}
			if running[o] == nil {
				running[o] = &runningJobs{}
				order = append(order, o)
			}
			running[o].add(j.PercentComplete, start, hasStart)
		}
	}
	for _, o := range order {
		r, l := running[o], vms.labels(o.vm).with(operationValues[o.jobType-msvm.JobModifyServerSettings])
		out.add(operationRunning, r.count, l)
		if r.minPercent != nil {
			out.add(operationProgress, float64(*r.minPercent)/100, l)
		}
		if r.start != nil {
			out.add(operationStart, unixSeconds(*r.start), l)
		}
	}
	return func(vm string) bool { return slices.ContainsFunc(order, func(o operation) bool { return o.vm == vm }) }
}

// isRunning reports whether the job is a replication job that is running.
func isRunning(j msvm.ConcreteJob) bool { return isReplicationJob(j) && isRunningState(j.JobState) }

func isReplicationJob(j msvm.ConcreteJob) bool { return j.JobType != nil && j.JobType.IsReplication() }

// isRunningState reports whether a job has started and not ended. A job in the
// state JobNew has not started: it may be scheduled for a time days ahead.
func isRunningState(s *msvm.JobState) bool { return s != nil && *s != msvm.JobNew && !s.Done() }

// affectedVMs returns the GUIDs of the VMs that each job concerns, by job ID. It
// ignores the other elements that a job may affect: disks, the host, and settings,
// whose InstanceID may look like that of a VM.
func affectedVMs(elements []msvm.AffectedJobElement, vms vmsByID) map[string][]string {
	type pair struct{ job, vm string }
	seen := map[pair]bool{}
	affected := map[string][]string{}
	for _, e := range elements {
		p := pair{msvm.JobID(e.AffectingElement), msvm.VMOf(e.AffectedElement)}
		if _, ok := vms[p.vm]; ok && !seen[p] {
			seen[p] = true
			affected[p.job] = append(affected[p.job], p.vm)
		}
	}
	return affected
}
