package collector

import (
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// jobCounts is a number for each kind of job, from the first of replication on.
type jobCounts [msvm.JobUpdateDiskSet - msvm.JobModifyServerSettings + 1]float64

// jobFailures counts the jobs that fail. A job is there for five minutes after
// its end, for many scrapes to see: it counts once. Those that have failed before
// the first answer do not count, so that a new exporter's first scrape is no jump.
type jobFailures struct {
	mu    sync.Mutex
	begun bool
	seen  map[string]time.Time // failed job -> the last answer that had it
	count jobCounts
}

func newJobFailures() *jobFailures { return &jobFailures{seen: map[string]time.Time{}} }

// forgetJobs is how long a job that is gone is remembered. It is longer than any
// answer is kept for: scrapes that overlap may come with an older one, in which a
// job is that a newer one did not have any more.
const forgetJobs = time.Hour

// add counts what is new in an answer, and returns the totals.
func (f *jobFailures) add(jobs table[msvm.ConcreteJob]) jobCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range jobs.rows {
		if !isReplication(j) || j.JobState == nil || *j.JobState != msvm.JobException {
			continue
		}
		id := strings.ToUpper(j.InstanceID)
		last, seen := f.seen[id]
		if !seen && f.begun {
			f.count[*j.JobType-msvm.JobModifyServerSettings]++
		}
		if jobs.at.After(last) {
			f.seen[id] = jobs.at
		}
	}
	f.begun = true
	for id, last := range f.seen {
		if jobs.at.Sub(last) > forgetJobs {
			delete(f.seen, id)
		}
	}
	return f.count
}
