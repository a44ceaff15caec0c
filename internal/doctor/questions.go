package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// question is an open question of docs/fidelity.md. Its key is in the table there.
type question struct {
	key    string
	answer func(h *host) Row
}

// questions are all questions that reading can answer, in the order of docs/fidelity.md.
var questions = []question{
	{"statistics-embedded-instance", answerEmbeddedInstance},
	{"statistics-return-code", answerReturnCode},
	{"statistics-without-replication", answerWithoutReplication},
	{"statistics-null-elements", answerNullElements},
	{"pending-size-on-replica", answerPendingSize},
	{"health-issue-ids", answerHealthIssues},
	{"window-end", answerWindowEnd},
	{"window-start-jitter", answerWindowJitter},
	{"unknown-column", answerUnknownColumn},
	{"unknown-method", answerUnknownMethod},
	{"invalid-values", answerInvalidValues},
	{"test-vm-relationship", answerTestVM},
	{"future-times", answerFutureTimes},
	{"apply-time", answerApplyTime},
	{"association-of-relationship", answerAssociations},
	{"relationship-missing", answerMissingRelationships},
	{"failover-network-association", answerFailoverNetworks},
	{"enabled-state", answerEnabledState},
	{"call-duration", answerCallDuration},
}

// Questions returns the keys of all questions.
func Questions() []string {
	var keys []string
	for _, q := range questions {
		keys = append(keys, q.key)
	}
	return keys
}

func answerUnknownColumn(h *host) Row {
	switch err := h.columnProbe.err; {
	case err == nil:
		return seen(Answered, "a read with a column that does not exist returns the rows after %v",
			rounded(h.columnProbe.took))
	case errors.Is(err, wmiquery.ErrUnsupported):
		return seen(NotChecked, "the source does not have such reads")
	case isLate(err), errors.Is(err, wmiquery.ErrUnavailable):
		return seen(NotChecked, "%s", h.describe(err))
	default:
		return seen(Answered, "a read with a column that does not exist fails: %s", h.describe(err))
	}
}

func answerUnknownMethod(h *host) Row {
	if h.methodProbe == nil {
		return seen(NotChecked, "without the replication service there are no calls")
	}
	switch err := h.methodProbe.err; {
	case err == nil:
		return seen(Answered, "no error, code %d", h.methodProbe.reply.Code)
	case isLate(err), errors.Is(err, wmiquery.ErrUnavailable):
		return seen(NotChecked, "%s", h.describe(err))
	default:
		return seen(Answered, "%s", h.describe(err))
	}
}

func answerInvalidValues(h *host) Row {
	var all []wmiquery.InvalidValue
	for _, t := range h.tables {
		all = append(all, t.Invalid...)
	}
	for _, c := range h.statistics {
		all = append(all, c.invalid...)
	}
	if len(all) == 0 {
		return seen(Answered, "none in the rows and statistics that were read")
	}
	return seen(Answered, "%s", h.describeInvalid(all, true))
}

func answerTestVM(h *host) Row {
	if err := unread(tableOf[msvm.ComputerSystem](h), tableOf[msvm.ReplicationRelationship](h)); err != nil {
		return seen(NotChecked, "a class cannot be read: %s", h.describe(err))
	}
	relationships := map[string][]string{} // states by VM
	for _, r := range rowsOf[msvm.ReplicationRelationship](h) {
		key, _ := msvm.ParseKey(r.InstanceID)
		relationships[key.VM] = append(relationships[key.VM], r.State().String())
	}
	vms, with, states := 0, 0, counter{}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		if mode, _ := vm.Mode(); mode != msvm.ModeTestReplica {
			continue
		}
		vms++
		if of := relationships[strings.ToUpper(vm.Name)]; len(of) > 0 {
			with++
			states[strings.Join(of, "+")]++
		}
	}
	switch {
	case vms == 0:
		return seen(NotChecked, "no test VM")
	case with == 0:
		return seen(Answered, "no: test VMs without a relationship: %d", vms)
	}
	return seen(Answered, "test VMs with a relationship: %d of %d, by state: %s", with, vms, states.list())
}

func answerFutureTimes(h *host) Row {
	times := h.timesOf()
	if len(times.future) > 0 {
		return seen(Answered, "by up to %v: %s", rounded(times.furthest), times.future.list())
	}
	if times.past == 0 {
		return seen(NotChecked, "no times in rows")
	}
	return seen(Answered, "none of %d, apart from differences of at most %v; the newest is %v old",
		times.past, msvm.ClockTolerance, rounded(times.newest))
}

func answerApplyTime(h *host) Row {
	later, equal, earlier := 0, 0, 0
	var difference time.Duration // the largest by which LastApplyTime is later
	for _, r := range rowsOf[msvm.ReplicationRelationship](h) {
		applied, hasApplied := msvm.Known(r.LastApplyTime)
		received, hasReceived := msvm.Known(r.LastReplicationTime)
		if !hasApplied || !hasReceived {
			continue
		}
		switch d := applied.Sub(received); {
		case d > 0:
			later++
			difference = max(difference, d)
		case d == 0:
			equal++
		default:
			earlier++
		}
	}
	if later+equal+earlier == 0 {
		return seen(NotChecked, "no relationship has both times")
	}
	return seen(Answered, "LastApplyTime compared with LastReplicationTime: later %d, by up to %v; equal %d; earlier %d",
		later, rounded(difference), equal, earlier)
}

func answerAssociations(h *host) Row {
	c := h.consistency()
	rows := tableOf[msvm.SystemReplicationRelationship](h).count
	if c.err != nil {
		return seen(NotChecked, "a class cannot be read: %s", h.describe(c.err))
	}
	if c.replicating == 0 {
		return seen(NotChecked, "no relationship replicates")
	}
	return seen(Answered, "%d instances for %d relationships, %d of which replicate; of these, %d without an instance "+
		"and %d with that of another VM",
		rows, tableOf[msvm.ReplicationRelationship](h).count, c.replicating, c.unassociated, c.otherVM)
}

func answerMissingRelationships(h *host) Row {
	c := h.consistency()
	if c.err != nil {
		return seen(NotChecked, "a class cannot be read: %s", h.describe(c.err))
	}
	return seen(Answered, "now: VMs without a relationship: %d, with the mode 0: %d", c.withoutRow, c.modeNone)
}

func answerEnabledState(h *host) Row {
	numbers := counter{}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		switch {
		case !vm.IsVM():
		case vm.EnabledState == nil:
			numbers["null"]++
		default:
			numbers[fmt.Sprintf("%d %s", *vm.EnabledState, vm.Power())]++
		}
	}
	if len(numbers) == 0 {
		return seen(NotChecked, "no VM")
	}
	return seen(Answered, "%s", numbers.list())
}
