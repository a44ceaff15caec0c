package simulator

import (
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// situation is what a VM shows: where it replicates to, how that stands and
// since when. It stays until the clock or somebody changes it.
type situation struct {
	name    string
	alone   bool // no replication, ever; only on HV01
	inbound bool // HV02 sends to HV01; otherwise HV01 to HV02

	interval time.Duration // 0 is 300 s, which is the default
	slow     bool          // a cycle takes longer than the interval

	// States of the sending and the receiving side, for as long as ago; before
	// that both replicated, or, if fresh, replication was not enabled. Zero is
	// both replicating.
	sender, receiver msvm.ReplicationState
	ago              time.Duration
	fresh            bool
	lasts            time.Duration        // of the operation that runs since ago; 0 for none
	failedOver       msvm.ReplicationType // kind of the failover on the receiving side
	shipped          bool                 // the last changes were sent, and the VM is off

	extended bool // HV01 sends on to HV03
	tested   bool // a test replica VM stands beside the replica
}

// situations is every situation once, common ones first: a world of few VMs has
// those of the front.
//
// Sender states that go with a failover are inferred: a primary whose replica
// has failed over can no longer send and is critical.
var situations = []situation{
	{name: "replicating"},
	{name: "replicating inbound", inbound: true},
	{name: "replicating every 30 s", interval: 30 * time.Second},
	{name: "replicating every 900 s", interval: 900 * time.Second},
	{name: "never replicated", alone: true},
	{name: "slow link", slow: true},
	{
		name:   "paused on the primary",
		sender: msvm.Suspended, receiver: msvm.Replicating, ago: 40 * time.Minute,
	},
	{
		name:   "initial replication",
		sender: msvm.WaitingToCompleteInitialReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		ago: 74 * time.Minute, fresh: true, lasts: 200 * time.Minute,
	},
	{
		name:   "resynchronization required",
		sender: msvm.WaitingToStartResynchronization, receiver: msvm.Replicating, ago: 90 * time.Minute,
	},
	{
		name:   "critical",
		sender: msvm.Critical, receiver: msvm.Critical, ago: 80 * time.Minute,
	},
	{
		name:   "freshly enabled",
		sender: msvm.ReadyForReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		ago: 10 * time.Minute, fresh: true,
	},
	{
		name: "paused on the replica", inbound: true,
		sender: msvm.Replicating, receiver: msvm.Suspended, ago: 25 * time.Minute,
	},
	{
		name:   "resynchronizing",
		sender: msvm.Resynchronizing, receiver: msvm.Resynchronizing, ago: 20 * time.Minute, lasts: 70 * time.Minute,
	},
	{
		name:   "resynchronization suspended",
		sender: msvm.ResynchronizationSuspended, receiver: msvm.Resynchronizing, ago: 50 * time.Minute,
	},
	{
		name:   "prepared for planned failover",
		sender: msvm.SyncedReplicationComplete, receiver: msvm.Replicating, ago: 5 * time.Minute, shipped: true,
	},
	{
		name: "failover in progress", inbound: true,
		sender: msvm.Critical, receiver: msvm.FailoverInProgress, ago: 2 * time.Minute,
	},
	{
		name: "failed over", inbound: true,
		sender: msvm.Critical, receiver: msvm.Recovered, ago: 30 * time.Minute, failedOver: msvm.TypeRegular,
	},
	{
		name: "failover committed", inbound: true,
		sender: msvm.Critical, receiver: msvm.Committed, ago: 100 * time.Minute, failedOver: msvm.TypeRegular,
	},
	{name: "extended", inbound: true, extended: true},
	{name: "test failover", inbound: true, tested: true},
	{
		name: "initial replication inbound", inbound: true,
		sender: msvm.WaitingToCompleteInitialReplication, receiver: msvm.WaitingToCompleteInitialReplication,
		ago: 15 * time.Minute, fresh: true, lasts: 150 * time.Minute,
	},
}

// replicates tells whether all is well and stays so.
func (s situation) replicates() bool {
	return !s.alone && !s.slow && s.sender == msvm.Disabled
}

// scenario is a kind of world.
type scenario struct {
	name  string
	shows func(situation) bool // nil shows all
	alone int                  // percent of the VMs beyond the situations that never replicated
	texts texts
}

var scenarios = []scenario{
	{name: "mixed", alone: 10, texts: english},                     // every situation
	{name: "healthy", shows: situation.replicates, texts: english}, // only VMs that replicate
	{name: "german", alone: 10, texts: german},                     // as mixed, on a German Windows
	{name: "chinese", alone: 10, texts: chinese},                   // as mixed, on a Chinese Windows
}

// texts are those of Msvm_ReplicationService.StatusDescriptions, which Windows
// translates. Those for a listener that is down are invented.
type texts struct{ working, noListener string }

var (
	english = texts{"Operating normally", "A network listener is not running"}
	german  = texts{"Normaler Betrieb", "Ein Netzwerklistener wird nicht ausgeführt"}
	chinese = texts{"正常运行", "网络侦听器未运行"}
)

// Scenarios has the names for Config.Scenario, the default first.
func Scenarios() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}

// situations are the situations that the scenario shows.
func (s scenario) situations() []situation {
	var shown []situation
	for _, x := range situations {
		if s.shows == nil || s.shows(x) {
			shown = append(shown, x)
		}
	}
	return shown
}
