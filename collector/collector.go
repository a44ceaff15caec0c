// Package collector turns what a Hyper-V host knows about replication into
// Prometheus metrics. It reads, through wmiquery.Reader, and cannot do anything
// else to the host.
package collector

import (
	"context"
	"slices"
	"strings"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// A Collector is one group of metrics that come from the same classes and can be
// switched on and off together.
type Collector struct {
	Name    string
	Help    string // one sentence for the flag and the documentation
	Default bool   // whether it is on if nothing is said
	Reads   []Source
	Metrics []*Metric

	// collect reads through v and adds to out. What it added counts even if it
	// returns an error; what it could not read it leaves out.
	collect func(ctx context.Context, v *view, out *output) error
}

// All makes every collector there is, in the order of the documentation. They
// keep state between scrapes: one set belongs to one Scraper.
func All(o Options) []Collector {
	return []Collector{
		relationshipCollector(),
		settingsCollector(o.Objectives),
		statisticsCollector(o.Concurrency),
		serviceCollector(),
		authorizationCollector(),
		providerCollector(),
		testReplicaCollector(),
		failoverNetworkCollector(),
		jobCollector(),
		recoveryPointCollector(),
		certificateCollector(),
		perfCollector(),
	}
}

// Labels of every series about one relationship, and of every series about a VM.
var (
	relationshipLabels = []string{"vm", "vm_id", "relationship"}
	vmLabels           = []string{"vm", "vm_id"}
)

func labelsOf(vm string, k msvm.Key) labels {
	return newLabels("relationship", string(k.Link), "vm", displayName(vm, k.VM), "vm_id", k.VM)
}

func labelsOfVM(vm, id string) labels {
	return newLabels("vm", displayName(vm, id), "vm_id", id)
}

// displayName is the VM's name, and its GUID where it has none.
func displayName(name, id string) string {
	if strings.TrimSpace(name) == "" {
		return id
	}
	return name
}

// perRelationship and perVM are the labels of a metric with more than those of
// the relationship or of the VM.
func perRelationship(more ...string) []string { return slices.Concat(relationshipLabels, more) }

func perVM(more ...string) []string { return slices.Concat(vmLabels, more) }
