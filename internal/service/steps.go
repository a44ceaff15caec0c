package service

import (
	"fmt"
	"strings"
)

// Kind is the part of Windows that a step changes.
type Kind string

// The kinds, in the order of the installation.
const (
	EventSource  Kind = "event source"
	Service      Kind = "service"
	DataFolder   Kind = "data folder"
	Group        Kind = "group"
	Recovery     Kind = "recovery"
	DelayedStart Kind = "delayed start"
	FirewallRule Kind = "firewall rule"
)

// Step is an object of Windows and what its settings have to be.
type Step struct {
	Kind    Kind
	Object  string    // name, SID or path
	Purpose string    // why the object is needed
	Want    []Setting // nil if the object must not exist
	// Install and Uninstall are commands for Windows PowerShell that do the same. Uninstall is empty if the object goes
	// together with the service.
	Install, Uninstall []string
}

// Setting is a setting of an object.
type Setting struct{ Name, Value string }

// Names of settings, and values that a Host compares. The SIDs are those of "Well-known SIDs" in the reference of
// Windows. Names of groups depend on the language of Windows, SIDs do not.
const (
	sidSystem         = "S-1-5-18"
	sidAdministrators = "S-1-5-32-544"
	sidHyperVAdmins   = "S-1-5-32-578"
	sidPerfUsers      = "S-1-5-32-558"

	commandLine = "command line"
	account     = "account"
	startType   = "start type"
	displayName = "display name"
	description = "description"

	delayed = "delayed"

	resetAfter   = "reset after"
	actions      = "actions"
	onErrorExits = "also after error exits"

	member = "member"

	owner       = "owner"
	inheritance = "inherits rights"
	full        = "full"
	modify      = "modify"

	program   = "program"
	ports     = "TCP ports"
	addresses = "remote addresses"

	messageFile = "message file"
	eventTypes  = "event types"

	yes = "yes"
	no  = "no"
)

// restarts are the actions after the first, the second and any further failure; resetSeconds is the time without a
// failure after which the count starts again.
const (
	restarts     = "restart/5000/restart/60000/restart/300000"
	resetSeconds = "86400"
)

const (
	title = "Hyper-V Replica exporter"
	about = "Exports the health and the statistics of Hyper-V Replica to Prometheus."
)

// Steps returns the steps of an installation. Those of an uninstallation are the same in reverse order.
func Steps(c Config) []Step {
	sid := accountSID(Name)
	return []Step{
		{
			Kind: EventSource, Object: Name,
			Purpose: "The event viewer shows the log of the service without a notice about a missing description.",
			Want: []Setting{
				{messageFile, `%SystemRoot%\System32\EventCreate.exe`}, {eventTypes, "7"},
			},
			Install: []string{"New-EventLog -LogName Application -Source " + Name +
				` -MessageResourceFile "$env:SystemRoot\System32\EventCreate.exe"`},
			Uninstall: []string{"Remove-EventLog -Source " + Name},
		},
		{
			Kind: Service, Object: Name,
			Purpose: "The program runs as a service with a virtual account, which has no password.",
			Want: []Setting{
				{commandLine, c.commandLine()},
				{account, Account},
				{startType, "automatic"},
				{displayName, title},
				{description, about},
			},
			Install: []string{
				fmt.Sprintf("New-Service -Name %s -DisplayName %s -StartupType Automatic -Description %s -BinaryPathName %s",
					Name, literal(title), literal(about), literal(c.commandLine())),
				fmt.Sprintf(`sc.exe config %s obj= "%s"`, Name, Account),
			},
			Uninstall: []string{"Stop-Service " + Name, "sc.exe delete " + Name},
		},
		{
			Kind: DataFolder, Object: c.DataDir,
			Purpose: "Other users cannot read or change the configuration, the audit log and the records of jobs.",
			Want: []Setting{
				{owner, sidAdministrators}, {inheritance, no},
				{sidSystem, full}, {sidAdministrators, full}, {sid, modify},
			},
			Install: []string{
				fmt.Sprintf("New-Item -ItemType Directory -Force %s | Out-Null", literal(c.DataDir)),
				fmt.Sprintf("icacls.exe %s /setowner *%s", literal(c.DataDir), sidAdministrators),
				fmt.Sprintf("icacls.exe %s /inheritance:r /grant:r '*%s:(OI)(CI)F' '*%s:(OI)(CI)F' '*%s:(OI)(CI)M'",
					literal(c.DataDir), sidSystem, sidAdministrators, sid),
			},
			Uninstall: []string{fmt.Sprintf("icacls.exe %s /remove '*%s'  # the audit log is kept", literal(c.DataDir), sid)},
		},
		groupStep(sidHyperVAdmins, "Hyper-V Administrators",
			"Windows has no group that can only read Hyper-V. While it is scraped, the exporter only reads."),
		groupStep(sidPerfUsers, "Performance Monitor Users",
			"The collector perf reads performance counters. It is off by default."),
		{
			Kind: Recovery, Object: Name,
			Purpose: "Windows starts the service again when it crashes or ends with an error.",
			Want: []Setting{
				{actions, restarts}, {resetAfter, resetSeconds}, {onErrorExits, yes},
			},
			Install: []string{
				fmt.Sprintf("sc.exe failure %s reset= %s actions= %s", Name, resetSeconds, restarts),
				fmt.Sprintf("sc.exe failureflag %s 1", Name),
			},
		},
		{
			Kind: DelayedStart, Object: Name,
			Purpose: "The service starts after the services that Windows itself needs.",
			Want:    []Setting{{delayed, yes}},
			Install: []string{fmt.Sprintf("sc.exe config %s start= delayed-auto", Name)},
		},
		firewallStep(c),
	}
}

// groupStep makes the account of the service a member of a group.
func groupStep(sid, name, purpose string) Step {
	group := fmt.Sprintf("(Get-LocalGroup -SID %s).Name", sid)
	return Step{
		Kind: Group, Object: sid, Purpose: name + ". " + purpose,
		Want:      []Setting{{member, Account}},
		Install:   []string{fmt.Sprintf(`net.exe localgroup %s "%s" /add`, group, Account)},
		Uninstall: []string{fmt.Sprintf(`net.exe localgroup %s "%s" /delete`, group, Account)},
	}
}

// firewallStep is the rule for the given addresses. Without addresses, there must be no rule.
func firewallStep(c Config) Step {
	remove := []string{"Remove-NetFirewallRule -Name " + Name}
	step := Step{Kind: FirewallRule, Object: Name, Uninstall: remove}
	if len(c.Addresses) == 0 {
		step.Purpose = "No address was given with --firewall.allow: the firewall lets nobody in."
		step.Install = remove
		return step
	}
	step.Purpose = "Only the given addresses can reach the exporter."
	step.Want = []Setting{
		{program, c.Program}, {ports, c.ports()}, {addresses, strings.Join(c.Addresses, ",")},
	}
	step.Install = []string{fmt.Sprintf("New-NetFirewallRule -Name %s -DisplayName %s -Direction Inbound -Action Allow "+
		"-Protocol TCP -LocalPort %s -Program %s -RemoteAddress %s",
		Name, Name, c.ports(), literal(c.Program), strings.Join(c.Addresses, ","))}
	return step
}

// literal returns a string literal of PowerShell.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
