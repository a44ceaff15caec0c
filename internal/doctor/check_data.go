package doctor

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// recordedTimes counts the times of past events in rows.
type recordedTimes struct {
	past, never int
	future      counter       // times that are more than msvm.ClockTolerance in the future, by class and property
	furthest    time.Duration // how far one of them is in the future
	newest      time.Duration // the smallest age of a past time
}

// timesOf returns the times in the rows of all classes that were read.
func (h *host) timesOf() recordedTimes {
	r := recordedTimes{future: counter{}}
	for _, t := range h.tables {
		rows := reflect.ValueOf(t.Rows).Elem()
		for i := range rows.Len() {
			for n := range rows.Index(i).NumField() {
				property := rows.Type().Elem().Field(n).Name
				at, ok := reflect.TypeAssert[*time.Time](rows.Index(i).Field(n))
				if ok && at != nil && property != "ScheduledStartTime" { // the only one that is planned
					r.add(t.Class.Name+"."+property, at, h.now)
				}
			}
		}
	}
	return r
}

// add adds a time, which is not nil.
func (r *recordedTimes) add(property string, at *time.Time, now time.Time) {
	known, ok := msvm.Known(at)
	age := now.Sub(known)
	switch {
	case !ok:
		r.never++
	case age < -msvm.ClockTolerance:
		r.future[property]++
		r.furthest = max(r.furthest, -age)
	default:
		if r.past == 0 || age < r.newest {
			r.newest = age
		}
		r.past++
	}
}

func checkClock(h *host) Row {
	times := h.timesOf()
	text := fmt.Sprintf("%s by the clock of the host; times in rows: %d past, %d never",
		h.now.UTC().Format(time.RFC3339), times.past, times.never)
	switch {
	case len(times.future) > 0:
		return seen(Warning, "%s; in the future, by up to %v: %s", text, rounded(times.furthest), times.future.list()).
			advise("Check the clocks of this host and of its partners: see HyperVReplicaClockAnomaly in docs/runbooks.md")
	case times.past == 0:
		return seen(NotChecked, "%s", text)
	}
	return seen(OK, "%s, none in the future; the newest is %v old", text, rounded(times.newest))
}

// consistency counts contradictions between classes about relationships.
type consistency struct {
	replicating  int    // relationships that replicate
	withoutVM    int    // those of them whose VM the host does not have
	unassociated int    // those that are associated with no VM
	otherVM      int    // those that are associated with another VM
	modeNone     int    // those whose VM has the mode none
	withoutRow   int    // VMs that replicate by their mode and have no relationship
	example      string // the InstanceID of one of them
	err          error  // of a class that could not be read
}

// contradictions returns the number of all contradictions.
func (c consistency) contradictions() int {
	return c.withoutVM + c.unassociated + c.otherVM + c.modeNone + c.withoutRow
}

// consistency compares VMs, relationships and their associations.
func (h *host) consistency() consistency {
	c := consistency{err: unread(tableOf[msvm.ComputerSystem](h), tableOf[msvm.ReplicationRelationship](h),
		tableOf[msvm.SystemReplicationRelationship](h))}
	if c.err != nil {
		return c
	}
	vms := map[string]msvm.ComputerSystem{}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		vms[strings.ToUpper(vm.Name)] = vm
	}
	owners := map[string][]string{} // GUIDs of VMs by the path of the relationship
	for _, a := range rowsOf[msvm.SystemReplicationRelationship](h) {
		path := strings.ToUpper(string(a.Dependent))
		owners[path] = append(owners[path], msvm.VMOf(a.Antecedent))
	}
	hasRow := map[string]bool{}
	count := func(n *int, id string) {
		*n++
		if c.example == "" {
			c.example = id
		}
	}
	for _, r := range rowsOf[msvm.ReplicationRelationship](h) {
		key, _ := msvm.ParseKey(r.InstanceID)
		hasRow[key.VM] = true
		if !r.Replicates() {
			continue
		}
		c.replicating++
		vm, hasVM := vms[key.VM]
		if !hasVM {
			count(&c.withoutVM, r.InstanceID)
		} else if mode, known := vm.Mode(); known && mode == msvm.ModeNone && r.ReplicationState != nil {
			count(&c.modeNone, r.InstanceID)
		}
		vmsOf := owners[strings.ToUpper(string(r.Ref()))]
		if len(vmsOf) == 0 {
			count(&c.unassociated, r.InstanceID)
		} else if slices.ContainsFunc(vmsOf, func(id string) bool { return id != key.VM }) {
			count(&c.otherVM, r.InstanceID)
		}
	}
	for _, vm := range rowsOf[msvm.ComputerSystem](h) {
		if mode, _ := vm.Mode(); mode.Replicates() && !hasRow[strings.ToUpper(vm.Name)] {
			count(&c.withoutRow, vm.Name)
		}
	}
	return c
}

func checkConsistency(h *host) Row {
	c := h.consistency()
	switch {
	case c.err != nil:
		return seen(NotChecked, "a class cannot be read: %s", h.describe(c.err))
	case c.contradictions() == 0 && c.replicating == 0:
		return seen(NotChecked, "no relationship replicates")
	case c.contradictions() == 0:
		return seen(OK, "all %d relationships that replicate belong to their VMs", c.replicating)
	}
	return seen(Failed, "of %d relationships that replicate: without the VM %d, without an association %d, associated "+
		"with another VM %d, of a VM whose mode is none %d; VMs without a relationship: %d; such as %s", c.replicating,
		c.withoutVM, c.unassociated, c.otherVM, c.modeNone, c.withoutRow, h.path(c.example)).
		advise("See HyperVReplicaRelationshipInconsistent in docs/runbooks.md")
}
