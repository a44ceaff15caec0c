// Package doctor checks what makes the exporter fail on a host, and answers the open questions of docs/fidelity.md that
// can be answered by reading. It gets a [wmiquery.Reader], which cannot change the host.
package doctor

import (
	"context"
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// Options configures the checks.
type Options struct {
	Reader wmiquery.Reader
	// CallTimeout is the timeout of one read or method call, --wmi.call-timeout of the exporter.
	CallTimeout time.Duration
	// ScrapeTimeout is the timeout of a scrape, as Prometheus sends it.
	ScrapeTimeout time.Duration
	// KeepNames means that names, addresses and GUIDs of the host are not replaced.
	KeepNames bool
	// HostNames are names of the host and of its domains that are known beforehand, to be replaced in messages.
	HostNames []string
	// Build is the build number of Windows, "" if it is not known.
	Build string
	// Account describes the rights of the account of the process, "" if they are not known.
	Account string
	// Service returns what differs from the settings that "service install" makes. It is nil if the source is not this
	// computer, or this computer has no Windows services.
	Service func() (differences []string, err error)
	// Progress, if not nil, is called before each read or call: how many there were before, how many there are as far
	// as is known, and the name of the class or the method.
	Progress func(done, total int, name string)
}

// Result is the result of a check, or whether a question is answered.
type Result string

// The results. Of a question, the result is Answered or NotChecked.
const (
	OK         Result = "ok"
	Warning    Result = "warning"
	Failed     Result = "failed"
	NotChecked Result = "not checked"
	Answered   Result = "answer"
)

// Row is a line of the report.
type Row struct {
	Result Result
	Name   string
	Seen   string // what was seen, or why nothing was checked
	Advice string // what to do, "" if nothing
}

// Report has the results.
type Report struct {
	Checks  []Row
	Classes []Row // one for each class that the exporter reads
	Answers []Row // one for each of Questions
}

// Failed reports whether a check failed.
func (r Report) Failed() bool { return r.count(Failed) > 0 }

// count returns the number of checks with a result.
func (r Report) count(result Result) int {
	n := 0
	for _, rows := range [][]Row{r.Checks, r.Classes} {
		for _, row := range rows {
			if row.Result == result {
				n++
			}
		}
	}
	return n
}

// Run reads the host and returns the report. It returns an error only if ctx ends, or because of a bug in this program.
func Run(ctx context.Context, o Options) (Report, error) {
	h, err := readHost(ctx, o)
	if err != nil {
		return Report{}, err
	}
	var report Report
	for _, c := range checks {
		row := c.run(h)
		row.Name = c.name
		report.Checks = append(report.Checks, row)
	}
	for _, t := range h.tables {
		report.Classes = append(report.Classes, h.classRow(t))
	}
	for _, q := range questions {
		row := q.answer(h)
		row.Name = q.key
		report.Answers = append(report.Answers, row)
	}
	return report, nil
}

// check is a check of the whole host. Each class has one of its own, see classRow.
type check struct {
	name string
	run  func(h *host) Row
}

// checks are all checks, in the order of the report.
var checks = []check{
	{"rights", checkRights},
	{"windows build", checkBuild},
	{"service vmms", checkService},
	{"service settings", checkServiceSettings},
	{"statistics", checkStatistics},
	{"certificates", checkCertificates},
	{"clock", checkClock},
	{"consistency", checkConsistency},
	{"failover networks", checkFailoverNetworks},
	{"duration", checkDuration},
}

// seen returns a row with a result and what was seen.
func seen(result Result, format string, args ...any) Row {
	return Row{Result: result, Seen: fmt.Sprintf(format, args...)}
}

// advise returns the row with what to do.
func (r Row) advise(advice string) Row {
	r.Advice = advice
	return r
}
