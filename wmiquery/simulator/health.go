package simulator

import (
	"fmt"
	"slices"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// healthInput is what determines the health of an endpoint.
type healthInput struct {
	state            msvm.ReplicationState
	sends            bool
	failure          *failure      // to send, of the last attempt; nil if it did not fail
	sinceReplication time.Duration // time since the last replication; 0 if there was none
	window           Totals
}

func (e *endpoint) healthInput(at time.Time) healthInput {
	c := healthInput{
		state:  e.state,
		sends:  e.sends(),
		window: e.window.Totals,
	}
	if c.sends {
		c.failure = e.link.retry.failure
	}
	if e.lastReplication.After(msvm.Never()) {
		c.sinceReplication = at.Sub(e.lastReplication)
	}
	return c
}

// Limits of a healthy link, from "Interpreting Replication Health - Part 1" by Microsoft's virtualization team. A long
// average latency is not a reason for a warning: the list of reasons in that article does not have it, although it
// calls a latency of up to five minutes normal, and a sample of 2025 (MicrosoftDocs/windowsserverdocs,
// replication-virtual-machines.md) has the health Normal with a latency of more than an hour.
const (
	maxMissedShare    = 0.20 // of the cycles of the window
	maxReplicationAge = time.Hour
)

// healthRule is one rule that makes the health worse than Ok.
type healthRule struct {
	health msvm.ReplicationHealth
	// id is the MessageID. Only that of "behind by more than an hour" is published, in Microsoft's management pack for
	// Hyper-V, which has a monitor VMReplicationHealth33414. All others begin with 99 because they are invented, as are
	// the texts and the actions.
	id      string
	text    string // of the message, with %s for the name of the VM
	applies func(healthInput) bool
	action  string // RecommendedActions, with %s for the name of the VM; "" for null
}

// healthRules are all rules, from the same article. That a resynchronization that is running or
// suspended is a warning is inferred.
var healthRules = []healthRule{
	{
		msvm.HealthCritical, "99001", "Replication of '%s' is in error. Fix the cause and resume replication.",
		stateIn(msvm.Critical),
		"Resume replication of '%s' after the cause is fixed.",
	},
	{
		msvm.HealthCritical, "99002", "Virtual machine '%s' requires resynchronization.",
		stateIn(msvm.WaitingToStartResynchronization),
		"Resynchronize '%s'.",
	},
	{
		msvm.HealthCritical, "99003", "Replication of '%s' is paused on the Replica server.",
		func(c healthInput) bool { return !c.sends && c.state == msvm.Suspended },
		"Resume replication of '%s' on the Replica server.",
	},
	{
		msvm.HealthCritical, "99004", "The Replica server does not accept changes of '%s'.",
		failsToSend(false),
		"",
	},
	{
		msvm.HealthCritical, "99005", "Changes of '%s' cannot be sent because the Replica server cannot be reached.",
		failsToSend(true),
		"Check the network to the Replica server of '%s'.",
	},
	{
		msvm.HealthWarning, "99006", "More than 20 percent of replication cycles were missed for '%s'.",
		func(c healthInput) bool {
			return float64(c.window.Missed) > maxMissedShare*float64(c.window.Missed+c.window.Cycles)
		},
		"",
	},
	{
		msvm.HealthWarning, "33414", "The Replica of '%s' is behind the primary by more than an hour.",
		func(c healthInput) bool { return c.sinceReplication > maxReplicationAge && expectsReplication(c.state) },
		"Check the network to the other server of '%s'.",
	},
	{
		msvm.HealthWarning, "99007", "Initial replication of '%s' is not complete.",
		stateIn(msvm.ReadyForReplication, msvm.WaitingToCompleteInitialReplication),
		"",
	},
	{
		msvm.HealthWarning, "99008", "Replication of '%s' is paused on the primary server.",
		func(c healthInput) bool { return c.sends && c.state == msvm.Suspended },
		"Resume replication of '%s'.",
	},
	{
		msvm.HealthWarning, "99009", "'%s' has failed over and reverse replication is not started.",
		stateIn(msvm.FailoverInProgress, msvm.Recovered, msvm.Committed, msvm.FailbackInProgress, msvm.FailbackComplete),
		"Reverse the replication of '%s', or cancel the failover.",
	},
	{
		msvm.HealthWarning, "99010", "Resynchronization of '%s' is not complete.",
		stateIn(msvm.Resynchronizing, msvm.ResynchronizationSuspended),
		"",
	},
}

// stateIn returns a condition that is true in the states.
func stateIn(states ...msvm.ReplicationState) func(healthInput) bool {
	return func(c healthInput) bool { return slices.Contains(states, c.state) }
}

// failsToSend returns a condition that is true if the last attempt of the sender has failed, because of the network or
// because of the replica. Source: the same article, question 5: the health is critical if the primary server cannot
// send.
func failsToSend(network bool) func(healthInput) bool {
	return func(c healthInput) bool { return c.failure != nil && (c.failure.class == networkFails) == network }
}

// expectsReplication reports whether cycles are expected in the state. They are not expected while the
// VM is prepared for failover or has failed over.
func expectsReplication(s msvm.ReplicationState) bool {
	return tracksChanges(s) || s == msvm.WaitingToStartResynchronization
}

// evaluateHealth returns the health and the rules that apply.
func evaluateHealth(c healthInput) (msvm.ReplicationHealth, []*healthRule) {
	if c.state == msvm.Disabled {
		return msvm.HealthNotApplicable, nil
	}
	health := msvm.HealthOK
	var why []*healthRule
	for i := range healthRules {
		if r := &healthRules[i]; r.applies(c) {
			health = max(health, r.health)
			why = append(why, r)
		}
	}
	return health, why
}

// health is ReplicationHealth at the time. It is computed for each read.
func (e *endpoint) health(at time.Time) msvm.ReplicationHealth {
	h, _ := evaluateHealth(e.healthInput(at))
	return h
}

func (r *healthRule) issue(name string) errorInstance {
	var actions []string
	if r.action != "" {
		actions = []string{fmt.Sprintf(r.action, name)}
	}
	return errorInstance{
		ErrorType:          new(uint16(0)),
		MessageID:          &r.id,
		Message:            new(fmt.Sprintf(r.text, name)),
		MessageArguments:   []string{name},
		PerceivedSeverity:  new(severities[r.health]),
		ProbableCause:      new(uint16(0)), // unknown: the causes that Windows sets are not documented
		RecommendedActions: actions,
	}
}
