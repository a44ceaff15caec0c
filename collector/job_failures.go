package collector

import (
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// jobCounts contains a number for each type of replication job, from
// JobModifyServerSettings on.
type jobCounts [msvm.JobUpdateDiskSet - msvm.JobModifyServerSettings + 1]float64

// jobFailures counts the jobs that fail, each once, although a job exists for five
// minutes after its end and so appears in many scrapes. Jobs that had failed before
// the first response do not count: the restart of the exporter must not look like
// an increase.
type jobFailures struct {
	mu          sync.Mutex
	initialized bool                 // whether add has been called
	lastSeen    map[string]time.Time // time of the last response with the failed job, by job ID
	counts      jobCounts
}

func newJobFailures() *jobFailures { return &jobFailures{lastSeen: map[string]time.Time{}} }

// forgetJobsAfter is how long failed jobs are remembered after they are gone. It
// must be longer than responses are kept: an overlapping scrape may pass an older
// response, which contains a job that newer ones no longer contain.
const forgetJobsAfter = time.Hour

// add counts the jobs in a response that have failed since, and returns the totals.
func (f *jobFailures) add(jobs table[msvm.ConcreteJob]) jobCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range jobs.rows {
		if !isReplicationJob(j) || j.JobState == nil || *j.JobState != msvm.JobException {
			continue
		}
		id := strings.ToUpper(j.InstanceID)
		last, seen := f.lastSeen[id]
		if !seen && f.initialized {
			f.counts[*j.JobType-msvm.JobModifyServerSettings]++
		}
		if jobs.at.After(last) {
			f.lastSeen[id] = jobs.at
		}
	}
	f.initialized = true
	for id, last := range f.lastSeen {
		if jobs.at.Sub(last) > forgetJobsAfter {
			delete(f.lastSeen, id)
		}
	}
	return f.counts
}
