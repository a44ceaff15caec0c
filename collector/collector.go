// Package collector converts the replication data of a Hyper-V host into
// Prometheus metrics. It reads the host through wmiquery.Reader and cannot
// change it.
package collector

import "context"

// Collector is a group of metrics that are read from the same classes and are
// enabled or disabled together.
type Collector struct {
	Name    string
	Help    string   // one sentence, for the flag and the documentation
	Default bool     // whether the collector is enabled by default
	Reads   []Source // in the order in which the host is queried
	Metrics []*Metric

	// collect reads the host through v and adds samples to out. Samples that it
	// added are exposed even if it returns an error.
	collect func(ctx context.Context, v *view, out *output) error
}

// All returns a new set of all collectors, in the order of the documentation.
// Collectors keep state between scrapes, so each Scraper needs its own set.
func All(o Options) []Collector {
	return []Collector{
		relationshipCollector(),
		settingsCollector(o.Objectives),
		statisticsCollector(o.OmitIssueText),
		serviceCollector(),
		authorizationCollector(),
		providerCollector(),
		testReplicaCollector(),
		consistencyCollector(),
		failoverNetworkCollector(),
		jobCollector(),
		recoveryPointCollector(),
		certificateCollector(),
		perfCollector(),
	}
}
