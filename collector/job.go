package collector

import (
	"context"
	"errors"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

var (
	operationRunning = gauge("operation_running",
		"Replication operations of the VM that have begun and not ended (Msvm_ConcreteJob), by kind; vm and vm_id are empty if it is of no VM; absent when there is none.",
		perVM("operation")...)
	operationProgress = gauge("operation_progress_ratio",
		"Progress of the operation from 0 to 1 (PercentComplete); of several alike the least.", perVM("operation")...)
	operationStart = gauge("operation_start_timestamp_seconds",
		"When the operation began; of several alike the first.", perVM("operation")...)
	operationFailures = counter("operation_failures_total",
		"Replication operations that ended in error since the exporter started, by kind; one that was cancelled is none.", "operation")
)

// jobCollector tells which replication operations run, and counts those that
// fail. If the VMs or the jobs' relation to them cannot be read it counts only.
func jobCollector() Collector {
	failures := newJobFailures()
	return Collector{
		Name:    "job",
		Help:    "Replication operations that run, such as initial replication, resynchronization and failover, and those that failed.",
		Default: true,
		Reads:   rowsOf(msvm.ConcreteJob{}, msvm.AffectedJobElement{}, msvm.ComputerSystem{}),
		Metrics: []*Metric{operationRunning, operationProgress, operationStart, operationFailures},
		collect: func(ctx context.Context, v *view, out *output) error {
			jobs, jobErr := read[msvm.ConcreteJob](ctx, v)
			if jobErr != nil {
				return jobErr
			}
			for i, n := range failures.add(jobs) {
				out.add(operationFailures, n, labels{operationValues[i]})
			}
			elements, elemErr := read[msvm.AffectedJobElement](ctx, v)
			systems, sysErr := readMachines(ctx, v)
			if err := errors.Join(elemErr, sysErr); err != nil {
				return err
			}
			collectRunning(jobs.rows, affected(elements.rows, systems), elements.at, systems, out)
			return nil
		},
	}
}

// operationValues is the label of each kind of job, from the first of
// replication on.
var operationValues = newStateSet("operation", msvm.JobTypes())

// operation is what the series of running jobs are about.
type operation struct {
	vm   string // GUID, "" for none
	kind msvm.JobType
}

// progress is that of the jobs of one operation.
type progress struct {
	jobs    float64
	percent *uint16    // the least that is known
	start   *time.Time // the first that is known
}

// collectRunning gives one series for each operation, however many jobs it has.
// A job that is about two VMs, as a test failover is, is an operation of both. One
// that began after the VMs were read is left out: of which it is, nobody knows yet.
func collectRunning(jobs []msvm.ConcreteJob, affected map[string][]string, at time.Time, systems machines, out *output) {
	running := map[operation]*progress{}
	var order []operation
	for _, j := range jobs {
		if !isReplication(j) || !isRunning(j.JobState) {
			continue
		}
		vms := affected[msvm.JobID(j.Ref())]
		if len(vms) == 0 {
			if began, known := msvm.Known(j.StartTime); known && began.After(at) {
				continue
			}
			vms = []string{""}
		}
		for _, vm := range vms {
			o := operation{vm, *j.JobType}
			if running[o] == nil {
				running[o] = &progress{}
				order = append(order, o)
			}
			running[o].add(j)
		}
	}
	for _, o := range order {
		p, l := running[o], systems.labels(o.vm).with(operationValues[o.kind-msvm.JobModifyServerSettings])
		out.add(operationRunning, p.jobs, l)
		if p.percent != nil {
			out.add(operationProgress, min(1, float64(*p.percent)/100), l)
		}
		if p.start != nil {
			out.add(operationStart, unix(*p.start), l)
		}
	}
}

func (p *progress) add(j msvm.ConcreteJob) {
	p.jobs++
	if percent := j.PercentComplete; percent != nil && (p.percent == nil || *percent < *p.percent) {
		p.percent = percent
	}
	if t, known := msvm.Known(j.StartTime); known && (p.start == nil || t.Before(*p.start)) {
		p.start = &t
	}
}

func isReplication(j msvm.ConcreteJob) bool { return j.JobType != nil && j.JobType.IsReplication() }

// isRunning tells whether a job has begun and not ended. One that is new waits
// for the time it is scheduled for, which may be days ahead.
func isRunning(s *msvm.JobState) bool { return s != nil && *s != msvm.JobNew && !s.Done() }

// affected are the VMs of each job, by its id. A job is about other things, too:
// settings, whose InstanceID may look like that of a VM, disks and the host.
func affected(elements []msvm.AffectedJobElement, systems machines) map[string][]string {
	type pair struct{ job, vm string }
	seen := map[pair]bool{}
	vms := map[string][]string{}
	for _, e := range elements {
		p := pair{msvm.JobID(e.AffectingElement), msvm.VMOf(e.AffectedElement)}
		if _, ok := systems[p.vm]; ok && !seen[p] {
			seen[p] = true
			vms[p.job] = append(vms[p.job], p.vm)
		}
	}
	return vms
}
