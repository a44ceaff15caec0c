package doctor

import (
	"errors"
	"fmt"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// noStatistics returns why there are no calls of GetReplicationStatisticsEx.
func (h *host) noStatistics() string {
	if len(rowsOf[msvm.ReplicationService](h)) == 0 {
		return "without the replication service there are no calls"
	}
	return "no relationship replicates"
}

func checkStatistics(h *host) Row {
	if len(h.statistics) == 0 {
		return seen(NotChecked, "%s", h.noStatistics())
	}
	for _, c := range h.statistics {
		switch {
		case errors.Is(c.failure, msvm.ErrJobStarted), errors.Is(c.failure, msvm.ErrNoStatistics):
			return seen(Failed, "%s", h.outcomes()).
				advise("The collector statistics fails: report it to the project with this list")
		case c.failure != nil:
			return seen(Failed, "%s", h.outcomes()).advise(adviceFor(c.failure))
		case len(c.invalid) > 0:
			return seen(Failed, "%s; %s: %s", h.outcomes(), plural(len(c.invalid), "invalid value"),
				h.describeInvalid(c.invalid, false)).
				advise("Report it to the project with this list")
		}
	}
	return seen(OK, "%s", h.outcomes())
}

// outcomes describes the outcome of each call of GetReplicationStatisticsEx.
func (h *host) outcomes() string {
	var all []string
	for _, c := range h.statistics {
		all = append(all, c.about+": "+h.outcome(c))
	}
	return list(all)
}

// outcome describes the outcome of a call of GetReplicationStatisticsEx.
func (h *host) outcome(c statisticsCall) string {
	text := fmt.Sprintf("code %d", c.reply.Code)
	if c.failure != nil {
		text = h.describe(c.failure)
	}
	return fmt.Sprintf("%s after %v", text, rounded(c.took))
}

func checkCertificates(h *host) Row {
	if h.certificates == nil {
		return seen(NotChecked, "without the replication service there are no calls")
	}
	err := h.certificates.err
	var certificates [][]byte
	if err == nil {
		certificates, err = msvm.Certificates(h.certificates.reply)
	}
	if invalid, ok := wmiquery.InvalidValues(err); !ok {
		return seen(Failed, "%s after %v", h.describe(err), rounded(h.certificates.took)).advise(adviceFor(err))
	} else if len(invalid) > 0 {
		return seen(Failed, "%d certificates and %d that cannot be read", len(certificates), len(invalid)).
			advise("Report it to the project with this list")
	}
	return seen(OK, "%s in %v", plural(len(certificates), "certificate"), rounded(h.certificates.took))
}

// scrapeMargin is the default of --scrape.timeout-margin of the exporter.
const scrapeMargin = 500 * time.Millisecond

// checkDuration compares the duration of reads and calls with the timeouts.
func checkDuration(h *host) Row {
	var slowest, late result
	slowestName, lateName := "", ""
	add := func(name string, r result) {
		if slowestName == "" || r.took > slowest.took {
			slowest, slowestName = r, name
		}
		if late.err == nil && isLate(r.err) {
			late, lateName = r, name
		}
	}
	var classes, statistics time.Duration
	for _, t := range h.tables {
		classes += t.took
		add(t.Class.Name, t.result)
	}
	for _, c := range h.statistics {
		statistics = max(statistics, c.took)
		add(msvm.MethodGetReplicationStatisticsEx, c.result)
	}
	var adapters time.Duration
	for _, q := range h.failoverNetworks.queried {
		adapters = max(adapters, q.took)
		add("settings of an adapter", q.result)
	}
	if h.certificates != nil {
		add(msvm.MethodGetSystemCertificates, h.certificates.result)
	}
	if late.err != nil {
		return seen(Failed, "%s: %s", lateName, h.describe(late.err)).advise(adviceFor(late.err))
	}
	replicating := 0
	for _, r := range rowsOf[msvm.ReplicationRelationship](h) {
		if r.Replicates() {
			replicating++
		}
	}
	// Workers for reads and for method calls are separate.
	reads := classes + adapters*time.Duration(len(h.failoverNetworks.adapters))
	scrape := max(slowest.took, reads/Workers, statistics*time.Duration(replicating)/Workers)
	text := fmt.Sprintf("%v for all classes one after another; at most %v for a call (%s); with %d workers "+
		"about %v for a scrape of %d relationships and %d adapters, of %v",
		rounded(classes), rounded(slowest.took), slowestName, Workers, rounded(scrape), replicating,
		len(h.failoverNetworks.adapters),
		h.ScrapeTimeout)
	switch {
	case scrape > h.ScrapeTimeout-scrapeMargin:
		return seen(Warning, "%s", text).
			advise("Increase the scrape timeout of Prometheus, or --wmi.workers: the exporter shows values that are late")
	case slowest.took > h.CallTimeout/2:
		return seen(Warning, "%s", text).advise("Increase --wmi.call-timeout, which is " + h.CallTimeout.String())
	}
	return seen(OK, "%s", text)
}
