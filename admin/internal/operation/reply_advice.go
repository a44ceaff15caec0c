package operation

import (
	"fmt"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// parameterRanges returns the values that the host accepts, by the name of the parameter or of the property.
//
// Sources: the pages of the classes and methods in MicrosoftDocs/win32, HyperV_v2, and the pages of Set-VMReplication
// and Set-VMReplicationServer in MicrosoftDocs/windows-powershell-docs.
func parameterRanges() map[string]string {
	return map[string]string{
		"ReplicationInterval":                   "30, 300 or 900 seconds; at least 300 for an extended relationship",
		"RecoveryHistory":                       "0 to 24",
		"ApplicationConsistentSnapshotInterval": "0 to 12 hours; more than 0 needs a RecoveryHistory",
		"MonitoringInterval":                    "1, 2, 3, 4, 6, 8 or 12 hours, or 1 to 7 days, in seconds",
		"MonitoringStartTime":                   "0s to 23h59m59s",
		"AuthenticationType":                    "1 (Kerberos) or 2 (certificate)",
		"AllowedAuthenticationType":             "1 (Kerberos), 2 (certificate) or 3 (both)",
		"CertificateThumbPrint":                 "40 hexadecimal digits, of a certificate in LocalMachine\\My",
		"RecoveryServerPortNumber":              "1 to 65535",
		"HttpPort":                              "1 to 65535",
		"HttpsPort":                             "1 to 65535",
		"InitialReplicationType":                "1 to 3",
		"RequestedState":                        "a state of GET /api/v1/methods that can be requested; for a job 4",
		"StartTime":                             "within the next seven days",
		"DefaultGateways":                       "at most five",
	}
}

// Explain adds to the problem of a return code what the host does not say: the parameters and their ranges, or the
// state of the target, which is nil for a call about no relationship.
func (p *Plan) Explain(bad *problem.Problem, code uint32, t *TargetState) *problem.Problem {
	switch code {
	case wmiquery.CodeInvalidParam, wmiquery.CodeInvalidDataType, wmiquery.CodeCIMInvalidParam:
		bad.Detail += "; " + p.describeGiven()
	case wmiquery.CodeInvalidState, wmiquery.CodeCIMTransition:
		switch {
		case p.Method.Class == msvm.ClassConcreteJob:
			bad.Detail += "; the job has ended, or the host cannot cancel it now"
		case t != nil:
			bad.Detail += fmt.Sprintf("; before the call, the state was %s and the mode %s", t.State, t.Mode)
			bad.With("current", t)
		}
	case wmiquery.CodeNotSupported, wmiquery.CodeCIMNotSupported:
		bad.Detail += "; this method " + p.Method.Summary
	case wmiquery.CodeAccessDenied:
		bad.Detail += "; the account of the exporter needs the rights of Hyper-V Administrators"
	case wmiquery.CodeInUse:
		bad.Detail += "; try again when the other operation of Hyper-V on this VM has ended"
	case wmiquery.CodeNotAvailable, wmiquery.CodeOutOfMemory:
		bad.Detail += "; try again later"
	default:
		if bad.Type == problem.HostFailed {
			bad.Detail += "; the event log Microsoft-Windows-Hyper-V-VMMS-Admin of the host can have the reason"
		}
	}
	return bad
}

// describeGiven names the parameters and properties that the request gives, with their ranges.
func (p *Plan) describeGiven() string {
	ranges, all := parameterRanges(), []string{}
	for _, name := range p.given {
		if text := ranges[name]; text != "" {
			name += " (" + text + ")"
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return "the request gives no parameter, so the host rejects a value of its own settings, or the VM"
	}
	return "the host does not say which; the request gives " + strings.Join(all, ", ")
}
