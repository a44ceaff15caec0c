package msvm

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Parameters of several methods, as signature formats them.
const (
	factVM           = "ComputerSystem: reference Msvm_ComputerSystem"
	factRelationship = "ReplicationRelationship: embedded instance Msvm_ReplicationRelationship"
	factSettings     = "ReplicationSettingData: embedded instance Msvm_ReplicationSettingData"
	factEntry        = "AuthorizationEntry: embedded instance Msvm_ReplicationAuthorizationSettingData"
	factSnapshot     = "SnapshotSettingData: reference Msvm_VirtualSystemSettingData, may be null"
	factStartTime    = "StartTime: datetime, may be null"
	factState        = "RequestedState: uint16"
	factTimeout      = "TimeoutPeriod: datetime, may be null"
	factJob          = "Job: reference Msvm_ConcreteJob, may be null"
	factStatistics   = "ReplicationStatistics: array of embedded instances Msvm_ReplicationStatistics, may be null"
	factIssues       = "ReplicationHealthIssues: array of embedded instances Msvm_Error, may be null"
)

// signatures has the in and out parameters of all methods, in the order of the documented signature. The names of the
// types are CIM's, except for embedded instances, which CIM types as strings.
//
// Source: the pages <method>-msvm-replicationservice.md, -computersystem.md, -virtualsystemmanagementservice.md,
// -concretejob.md and msvm-shutdowncomponent-initiateshutdown.md in MicrosoftDocs/win32, HyperV_v2. The schema has the same signatures. The pages name the parameters
// that may be null in few cases; the others are those that Microsoft's samples pass as null.
var signatures = map[string]struct{ in, out []string }{
	"Msvm_ReplicationService.ModifyServiceSettings": {
		[]string{"SettingData: embedded instance Msvm_ReplicationServiceSettingData"}, []string{factJob},
	},
	"Msvm_ReplicationService.AddAuthorizationEntry":    {[]string{factEntry}, []string{factJob}},
	"Msvm_ReplicationService.ModifyAuthorizationEntry": {[]string{factEntry}, []string{factJob}},
	"Msvm_ReplicationService.RemoveAuthorizationEntry": { // the name of the server, not an embedded instance
		[]string{"AllowedPrimaryHostSystem: string"}, []string{factJob},
	},
	"Msvm_ReplicationService.SetAuthorizationEntry": {[]string{factVM, factEntry}, []string{factJob}},
	"Msvm_ReplicationService.TestReplicationConnection": {
		[]string{
			"RecoveryConnectionPoint: string",
			"RecoveryServerPortNumber: uint16",
			"AuthenticationType: uint16",
			"CertificateThumbPrint: string, may be null",
			"BypassProxyServer: boolean, may be null",
		}, []string{factJob},
	},
	"Msvm_ReplicationService.GetSystemCertificates": { // the only method of the service without a job
		nil, []string{"EncodedCertificates: array of strings, may be null"},
	},
	"Msvm_ReplicationService.RequestStateChange": {[]string{factState, factTimeout}, []string{factJob}},
	"Msvm_ReplicationService.StartService":       {},
	"Msvm_ReplicationService.StopService":        {},

	"Msvm_ReplicationService.CreateReplicationRelationship":   {[]string{factVM, factSettings}, []string{factJob}},
	"Msvm_ReplicationService.ModifyReplicationSettings":       {[]string{factVM, factSettings}, []string{factJob}},
	"Msvm_ReplicationService.RemoveReplicationRelationship":   {[]string{factVM}, []string{factJob}},
	"Msvm_ReplicationService.RemoveReplicationRelationshipEx": {[]string{factVM, factRelationship}, []string{factJob}},
	"Msvm_ReplicationService.StartReplication": {
		[]string{
			factVM,
			"InitialReplicationType: uint16",
			"InitialReplicationExportLocation: string, may be null",
			factStartTime,
		}, []string{factJob},
	},
	"Msvm_ReplicationService.ImportInitialReplica": {
		[]string{factVM, "InitialReplicationImportLocation: string"}, []string{factJob},
	},
	"Msvm_ReplicationService.Resynchronize": {[]string{factVM, factStartTime}, []string{factJob}},
	"Msvm_ReplicationService.SetFailoverNetworkAdapterSettings": {
		[]string{factVM, "NetworkSettings: array of embedded instances Msvm_FailoverNetworkAdapterSettingData"},
		[]string{factJob},
	},

	"Msvm_ReplicationService.InitiateFailover": {[]string{factVM, factSnapshot}, []string{factJob}},
	"Msvm_ReplicationService.RevertFailover":   {[]string{factVM}, []string{factJob}},
	"Msvm_ReplicationService.CommitFailover":   {[]string{factVM}, []string{factJob}},
	"Msvm_ReplicationService.TestReplicaSystem": {
		[]string{factVM, factSnapshot},
		[]string{"ResultingSystem: reference Msvm_ComputerSystem, may be null", factJob},
	},
	"Msvm_ReplicationService.ReverseReplicationRelationship": {[]string{factVM, factSettings}, []string{factJob}},
	"Msvm_ReplicationService.ChangeReplicationModeToPrimary": {[]string{factVM, factRelationship}, []string{factJob}},
	"Msvm_ReplicationService.InitiateFailback": {
		[]string{factVM, factSettings, "RecoveryPointIdentifier: string, may be null"}, []string{factJob},
	},

	"Msvm_ReplicationService.GetReplicationStatistics": {
		[]string{factVM}, []string{factStatistics, factIssues, factJob},
	},
	"Msvm_ReplicationService.GetReplicationStatisticsEx": {
		[]string{factVM, factRelationship}, []string{factStatistics, factIssues, factJob},
	},
	"Msvm_ReplicationService.ResetReplicationStatistics":   {[]string{factVM}, []string{factJob}},
	"Msvm_ReplicationService.ResetReplicationStatisticsEx": {[]string{factVM, factRelationship}, []string{factJob}},

	"Msvm_ComputerSystem.RequestReplicationStateChange": {[]string{factState, factTimeout}, []string{factJob}},
	"Msvm_ComputerSystem.RequestReplicationStateChangeEx": { // null means the primary relationship
		[]string{factRelationship + ", may be null", factState, factTimeout}, []string{factJob},
	},
	"Msvm_ShutdownComponent.InitiateShutdown": {[]string{"Force: boolean", "Reason: string"}, nil}, // no job
	"Msvm_ComputerSystem.RequestStateChange":  {[]string{factState, factTimeout}, []string{factJob}},
	"Msvm_VirtualSystemManagementService.DestroySystem": {
		[]string{"AffectedSystem: reference Msvm_ComputerSystem"}, []string{factJob},
	},

	"Msvm_ConcreteJob.GetErrorEx": {
		nil, []string{"Errors: array of embedded instances Msvm_Error, may be null"},
	},
	"Msvm_ConcreteJob.GetError":           {nil, []string{"Error: embedded instance Msvm_Error, may be null"}},
	"Msvm_ConcreteJob.RequestStateChange": {[]string{factState, factTimeout}, nil},
	"Msvm_ConcreteJob.KillJob":            {[]string{"DeleteOnKill: boolean, may be null"}, nil},
}

// signature formats parameters.
func signature(parameters []Parameter) []string {
	var texts []string
	for _, p := range parameters {
		text := p.Name + ": " + string(p.Type)
		if p.Class != "" {
			text += " " + p.Class
		}
		if p.Optional {
			text += ", may be null"
		}
		texts = append(texts, text)
	}
	return texts
}

func TestSignaturesAreAsDocumented(t *testing.T) {
	var names []string
	for _, m := range Methods() {
		name := m.Class + "." + m.Name
		names = append(names, name)
		want := signatures[name]
		if got := signature(m.In); !slices.Equal(got, want.in) {
			t.Errorf("%s: got in parameters\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want.in, "\n"))
		}
		if got := signature(m.Out); !slices.Equal(got, want.out) {
			t.Errorf("%s: got out parameters\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want.out, "\n"))
		}
	}
	checkSameNames(t, "methods", names, slices.Collect(maps.Keys(signatures)))
	if len(names) != len(signatures) {
		t.Errorf("got %d methods, want %d", len(names), len(signatures))
	}
}

// Every constant MethodX has the value "X" and is the name of a method in the table. Every method has a constant.
func TestMethodConstantsAreNamesOfMethods(t *testing.T) {
	want := map[string]bool{}
	for name := range signatures {
		_, method, _ := strings.Cut(name, ".")
		want["Method"+method] = true
	}
	var got []string
	for name, value := range untypedStrings(t) {
		if method, ok := strings.CutPrefix(name, "Method"); ok {
			got = append(got, name)
			if value != method {
				t.Errorf("%s is %q, want %q", name, value, method)
			}
		}
	}
	checkSameNames(t, "constants", got, slices.Collect(maps.Keys(want)))
}
