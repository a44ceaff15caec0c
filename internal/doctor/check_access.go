package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// checkRights checks whether the account of this process, which is not that of the service, sees Hyper-V. Hyper-V
// returns no instances to an account without rights, and no error.
func checkRights(h *host) Row {
	account := ""
	if h.Account != "" {
		account = "; " + h.Account
	}
	empty, classes := 0, 0
	var denied error
	for _, t := range h.tables {
		if t.Class.Namespace != wmiquery.Virtualization {
			continue
		}
		classes++
		if t.err == nil && t.count == 0 {
			empty++
		}
		if errors.Is(t.err, wmiquery.ErrDenied) {
			denied = t.err
		}
	}
	services := tableOf[msvm.ReplicationService](h)
	switch {
	case denied != nil:
		return seen(Failed, "%s%s", h.describe(denied), account).advise(wmiquery.AdviceRights)
	case empty == classes:
		return seen(Failed, "all %d classes are without instances, as for an account without rights%s", classes, account).
			advise("Check that the service vmms is running. " + wmiquery.AdviceRights)
	case services.err != nil:
		return seen(NotChecked, "%s cannot be read", services.Class.Name)
	case services.count == 0:
		return seen(Failed, "%s has no instance, as for an account without rights%s", services.Class.Name, account).
			advise("Check that the service vmms is running. " + wmiquery.AdviceRights)
	}
	for _, c := range h.statistics {
		if errors.Is(c.failure, wmiquery.ErrDenied) {
			return seen(Failed, "%s: %s%s", msvm.MethodGetReplicationStatisticsEx, h.describe(c.failure), account).
				advise(wmiquery.AdviceRights)
		}
	}
	return seen(OK, "Hyper-V returns its replication service%s", account)
}

// oldestBuild is the build of the first Windows 10. Windows Server 2016 has 14393.
const oldestBuild = 10240

func checkBuild(h *host) Row {
	build, err := strconv.Atoi(h.Build)
	switch {
	case err != nil:
		return seen(NotChecked, "the build is not known")
	case build < oldestBuild:
		return seen(Failed, "%d", build).advise("The exporter needs Windows Server 2016 or Windows 10")
	}
	return seen(OK, "%d", build)
}

// checkService checks the service vmms by what its replication service says.
func checkService(h *host) Row {
	t := tableOf[msvm.ReplicationService](h)
	services := rowsOf[msvm.ReplicationService](h)
	switch {
	case t.err != nil:
		return seen(Failed, "%s", h.describe(t.err)).advise(adviceFor(t.err))
	case len(services) == 0:
		return seen(Failed, "no replication service").
			advise("Check that the service vmms is running. If it is, the account has no rights")
	}
	s := services[0]
	if len(s.OperationalStatus) == 0 {
		return seen(Warning, "OperationalStatus is null").advise("Report it to the project with this list")
	}
	text := ""
	for _, d := range s.StatusDescriptions {
		text += " " + d
	}
	status := s.OperationalStatus[0]
	switch text = h.message(text); status {
	case msvm.StatusOK:
		return seen(OK, "OperationalStatus is %d", status)
	case msvm.StatusError:
		return seen(Failed, "OperationalStatus is %d: %s", status, text).
			advise("A listener is not running: see HyperVReplicaListenerDown in docs/runbooks.md")
	}
	return seen(Warning, "OperationalStatus is %d: %s", status, text).
		advise("Look for the cause in the event log Microsoft-Windows-Hyper-V-VMMS-Admin")
}

// classRow describes a class.
func (h *host) classRow(t table) Row {
	var row Row
	switch {
	case t.err == nil && len(t.Invalid) > 0:
		row = seen(Failed, "%s in %v, %s: %s", plural(t.count, "instance"), rounded(t.took),
			plural(len(t.Invalid), "invalid value"), h.describeInvalid(t.Invalid, false)).
			advise("Collectors that show such a value fail, others do not: report it to the project with this list")
	case t.err == nil:
		row = seen(OK, "%s in %v", plural(t.count, "instance"), rounded(t.took))
	case t.Class.Namespace == wmiquery.CIMV2 && errors.Is(t.err, wmiquery.ErrUnsupported):
		row = seen(Warning, "%s", h.describe(t.err)).
			advise("Client editions of Windows do not have the class. Only the collector perf needs it")
	default:
		row = seen(Failed, "%s after %v", h.describe(t.err), rounded(t.took)).advise(adviceFor(t.err))
	}
	row.Name = t.Class.Name
	return row
}

// withoutShortened returns "…" for a text that was shortened: it may end with a part of a name, which is not replaced.
func withoutShortened(s string) string {
	if strings.HasSuffix(s, "…") {
		return "…"
	}
	return s
}

// describeInvalid returns the properties with invalid values, with their class if withClass is set, and an example.
func (h *host) describeInvalid(invalid []wmiquery.InvalidValue, withClass bool) string {
	properties := counter{}
	for _, v := range invalid {
		name := cmp.Or(v.Property, "whole instance")
		if withClass {
			name = v.Class + "." + name
		}
		properties[name]++
	}
	v := invalid[0]
	text, instance := h.message(v.Text), h.path(v.Instance)
	if h.names != nil {
		text, instance = withoutShortened(text), withoutShortened(instance)
	}
	if instance != "" {
		instance = " of " + instance
	}
	return fmt.Sprintf("%s, such as %q%s", properties.list(), text, instance)
}
