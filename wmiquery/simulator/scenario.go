package simulator

import (
	"math/rand/v2"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// scenario is a set of situations for the VMs of a World.
type scenario struct {
	name     string
	help     string
	includes func(situation) bool // which situations are shown; nil means all
	more     []situation          // situations that other scenarios do not show
	// draw changes the situation of a typical VM, for the VMs beyond the shown situations. Nil changes
	// nothing.
	draw func(*rand.Rand, situation) situation
	// when the network between the hosts is down
	outage period
	// when the replicas are backed up
	backup          period
	neverReplicated int // percentage of the VMs beyond the shown situations
	texts           texts
}

// period is a time around that of New. The zero value is empty.
type period struct{ before, after time.Duration }

// covers reports whether a time belongs to the period around the time of New.
func (p period) covers(at, created time.Time) bool {
	return p != period{} && !at.Before(created.Add(-p.before).Truncate(time.Second)) && at.Before(created.Add(p.after))
}

// scenarios are all scenarios, the default first.
var scenarios = []scenario{
	{
		name: "mixed", help: "each situation once, all other VMs replicate",
		neverReplicated: 10, texts: english,
	},
	{
		name: "healthy", help: "all VMs replicate without problems",
		includes: situation.replicates, texts: english,
	},
	{
		name: "lagging", help: "two of three VMs cannot send changes as fast as they write them",
		includes: situation.replicates, draw: drawLagging, texts: english,
	},
	{
		name: "wan-outage", help: "the network between the hosts went down 45 minutes ago and comes back in an hour",
		includes: situation.replicates, outage: period{45 * time.Minute, time.Hour}, texts: english,
	},
	{
		name: "resync-storm", help: "after an outage most VMs require a resynchronization, and many are resynchronizing",
		includes: situation.replicates, draw: drawResyncStorm, texts: english,
	},
	{
		name: "failover-drill", help: "VMs are in all steps of planned, unplanned and test failovers",
		includes: situation.isFailoverStep, draw: drawFailoverStep, texts: english,
	},
	{name: "german", help: "like mixed, on a German version of Windows", neverReplicated: 10, texts: german},
	{name: "chinese", help: "like mixed, on a Chinese version of Windows", neverReplicated: 10, texts: chinese},
	{
		name: "every-state", help: "like mixed, and the states of disk updates, of external providers and of groups of VMs",
		more: rareSituations, neverReplicated: 10, texts: english,
	},
	{
		name: "replica-backup", help: "the replica servers are backed up for two hours, and apply changes only afterwards",
		includes: situation.replicates, texts: english,
		backup: period{20 * time.Minute, 100 * time.Minute},
	},
}

// drawLagging makes two of three VMs slow.
func drawLagging(r *rand.Rand, s situation) situation {
	s.slow = r.IntN(3) > 0
	return s
}

// drawResyncStorm makes most VMs require or run a resynchronization that began within the last hour.
func drawResyncStorm(r *rand.Rand, s situation) situation {
	s.age = time.Duration(5+r.IntN(50)) * time.Minute
	switch n := r.IntN(10); {
	case n < 5:
		s.sender, s.receiver = msvm.WaitingToStartResynchronization, msvm.Replicating
	case n < 8:
		s.sender, s.receiver = msvm.Resynchronizing, msvm.Resynchronizing
		s.jobDuration = s.age + time.Duration(10+r.IntN(90))*time.Minute
	}
	return s
}

// drawFailoverStep puts half of the VMs into a step of a failover. HV02 is the primary server, so that
// the steps are taken on HV01.
func drawFailoverStep(r *rand.Rand, s situation) situation {
	steps := slices.DeleteFunc(slices.Clone(situations), func(x situation) bool { return !x.isFailoverStep() })
	if n := r.IntN(2 * len(steps)); n < len(steps) {
		step := steps[n]
		step.inbound, step.interval = true, s.interval
		return step
	}
	s.inbound = true
	return s
}

// isFailoverStep reports whether the situation is a step of a failover or one from which a failover can
// begin.
func (s situation) isFailoverStep() bool {
	return s.testReplica || s.sender == msvm.SyncedReplicationComplete || s.receiver == msvm.FailoverInProgress ||
		s.receiver == msvm.Recovered || s.receiver == msvm.Committed || s.replicates() && s.inbound
}

// texts are localized texts of Windows: the values of StatusDescriptions in Msvm_ReplicationService, and
// the summary of a failed job. All are invented except "Operating normally".
type texts struct{ working, noListener, failed string }

var (
	english = texts{"Operating normally", "A network listener is not running", "Hyper-V failed to complete the operation."}
	german  = texts{
		"Normaler Betrieb", "Ein Netzwerklistener wird nicht ausgeführt",
		"Der Vorgang konnte nicht abgeschlossen werden.",
	}
	chinese = texts{"正常运行", "网络侦听器未运行", "操作失败。"}
)

// Scenarios returns the values of Config.Scenario, the default first.
func Scenarios() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}

// ScenarioHelp returns a description of each scenario, in the order of Scenarios.
func ScenarioHelp() []string {
	texts := make([]string, len(scenarios))
	for i, s := range scenarios {
		texts[i] = s.help
	}
	return texts
}

// situations are the situations that the scenario shows.
func (s scenario) situations() []situation {
	var shown []situation
	for _, x := range slices.Concat(situations, s.more) {
		if s.includes == nil || s.includes(x) {
			shown = append(shown, x)
		}
	}
	return shown
}

// drawSituation draws the situation of a VM beyond the shown situations.
func (s scenario) drawSituation(r *rand.Rand) situation {
	intervals := []time.Duration{
		30 * time.Second, 300 * time.Second, 300 * time.Second, 300 * time.Second, 900 * time.Second,
	}
	drawn := situation{
		neverReplicated: r.IntN(100) < s.neverReplicated,
		inbound:         r.IntN(100) < 20,
		interval:        intervals[r.IntN(len(intervals))],
	}
	if s.draw != nil {
		return s.draw(r, drawn)
	}
	return drawn
}
