package msvm

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

const factGUID = "4708A0F4-C902-429B-A1E0-D4AB0893E452"

// Object paths have the key properties of the class, with backslashes doubled.
//
// Source: the pages of the classes in MicrosoftDocs/win32, HyperV_v2. The key of Msvm_ReplicationProvider is Name in
// the schema; its page names InstanceID, too. The keys of Msvm_VirtualSystemManagementService are those of its page.
func TestObjectPathsHaveTheDocumentedKeys(t *testing.T) {
	id := "fact"
	for _, tt := range []struct{ got, want wmiquery.Ref }{
		{VMRef(factGUID), `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="` + factGUID + `"`},
		{
			ReplicationRelationship{InstanceID: `Microsoft:` + factGUID + `\HVR\0`}.Ref(),
			`Msvm_ReplicationRelationship.InstanceID="Microsoft:` + factGUID + `\\HVR\\0"`,
		},
		{
			ReplicationService{
				Name: "replicasvc", CreationClassName: "Msvm_ReplicationService", SystemName: "HV01",
				SystemCreationClassName: "Msvm_ComputerSystem",
			}.Ref(),
			`Msvm_ReplicationService.CreationClassName="Msvm_ReplicationService",Name="replicasvc",` +
				`SystemCreationClassName="Msvm_ComputerSystem",SystemName="HV01"`,
		},
		{
			ManagementServiceRef("HV01"),
			`Msvm_VirtualSystemManagementService.CreationClassName="Msvm_VirtualSystemManagementService",Name="vmms",` +
				`SystemCreationClassName="Msvm_ComputerSystem",SystemName="HV01"`,
		},
		{JobRef(factGUID), `Msvm_ConcreteJob.InstanceID="` + factGUID + `"`},
		{ConcreteJob{InstanceID: factGUID}.Ref(), `Msvm_ConcreteJob.InstanceID="` + factGUID + `"`},
		{ProviderRef(factGUID), `Msvm_ReplicationProvider.Name="` + factGUID + `"`},
		{ReplicationProvider{Name: factGUID}.Ref(), `Msvm_ReplicationProvider.Name="` + factGUID + `"`},
		{VirtualSystemSettingData{InstanceID: id}.Ref(), `Msvm_VirtualSystemSettingData.InstanceID="fact"`},
		{
			FailoverNetworkAdapterSettingData{InstanceID: &id}.Ref(),
			`Msvm_FailoverNetworkAdapterSettingData.InstanceID="fact"`,
		},
		{
			ShutdownComponent{
				CreationClassName: "Msvm_ShutdownComponent", DeviceID: `Microsoft:` + factGUID + `\fact`,
				SystemCreationClassName: "Msvm_ComputerSystem", SystemName: factGUID,
			}.Ref(),
			`Msvm_ShutdownComponent.CreationClassName="Msvm_ShutdownComponent",DeviceID="Microsoft:` + factGUID +
				`\\fact",SystemCreationClassName="Msvm_ComputerSystem",SystemName="` + factGUID + `"`,
		},
		{FailoverNetworkAdapterSettingData{}.Ref(), ""}, // the key is documented to be null
	} {
		if tt.got != tt.want {
			t.Errorf("got %s\nwant %s", tt.got, tt.want)
		}
	}
}

// Source: a path of a job from a real host, of the version 1 namespace.
func TestJobIDOfARealPath(t *testing.T) {
	path := `\\HV12OSDEMO1\root\virtualization:Msvm_ConcreteJob.InstanceID="9947dc62-9da2-4b25-bb27-ba9a161d75a9"`
	if got := JobID(wmiquery.Ref(path)); got != "9947DC62-9DA2-4B25-BB27-BA9A161D75A9" {
		t.Errorf("got %q", got)
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationrelationship.md, property InstanceID: 0 is the primary
// relationship, 1 the extended one.
func TestInstanceIDsOfRelationships(t *testing.T) {
	for id, want := range map[string]Link{
		`Microsoft:` + factGUID + `\HVR\0`: "primary",
		`Microsoft:` + factGUID + `\HVR\1`: "extended",
	} {
		key, err := ParseKey(id)
		if err != nil || key.Link != want || key.VM != factGUID {
			t.Errorf("%s: got %+v, error %v", id, key, err)
		}
		if got := (Key{factGUID, want}).InstanceID(); got != id {
			t.Errorf("%s: got InstanceID %s, want %s", want, got, id)
		}
	}
}

// Sources: MicrosoftDocs/win32, HyperV_v2, msvm-virtualsystemsettingdata.md, property VirtualSystemType, and
// Microsoft's samples (WmiUtilities).
func TestRecoveryPointTypesAreAsDocumented(t *testing.T) {
	types := map[RecoveryPointType]string{
		"standard":               "Microsoft:Hyper-V:Snapshot:Replica:Standard",
		"application_consistent": "Microsoft:Hyper-V:Snapshot:Replica:ApplicationConsistent",
		"planned_failover":       "Microsoft:Hyper-V:Snapshot:Replica:PlannedFailover",
	}
	if got := RecoveryPointTypes(); len(got) != len(types) {
		t.Errorf("got types %v, want %d", got, len(types))
	}
	for _, pointType := range RecoveryPointTypes() {
		if got := pointType.VirtualSystemType(); got == "" || got != types[pointType] {
			t.Errorf("%s: got VirtualSystemType %q, want %q", pointType, got, types[pointType])
		}
	}
	for _, tt := range []struct {
		system  string
		want    RecoveryPointType
		isPoint bool
	}{
		{types["standard"], "standard", true},
		{types["application_consistent"], "application_consistent", true},
		{types["planned_failover"], "planned_failover", true},
		{strings.ToLower(types["planned_failover"]), "planned_failover", true},
		{"Microsoft:Hyper-V:Snapshot:Replica:Other", "unknown", true},
		{"Microsoft:Hyper-V:Snapshot:Realized", "unknown", false},
		{"Microsoft:Hyper-V:System:Realized", "unknown", false},
		{"Microsoft:Hyper-V:Replica", "unknown", false}, // that of Msvm_ReplicationSettingData
	} {
		got, isPoint := VirtualSystemSettingData{VirtualSystemType: &tt.system}.RecoveryPoint()
		if got != tt.want || isPoint != tt.isPoint {
			t.Errorf("%s: got %s, %v; want %s, %v", tt.system, got, isPoint, tt.want, tt.isPoint)
		}
	}
}

// Source: MicrosoftDocs/win32, HyperV_v2, msvm-replicationprovider.md, property Name.
func TestGUIDOfTheBuiltinProvider(t *testing.T) {
	const want = "22391CDC-272C-4DDF-BA88-9BEFB1A0975C"
	if BuiltinProvider != want {
		t.Errorf("got %s, want %s", BuiltinProvider, want)
	}
	path := `\\HV01\root\virtualization\v2:Msvm_ReplicationProvider.Name="` + want + `"`
	if got := (ReplicationSettingData{ReplicationProvider: &path}).ProviderID(); got != want {
		t.Errorf("got %q from path %s, want %s", got, path, want)
	}
}

// Sources: values of VMs that do not replicate, read on a real host, for "never"; MicrosoftDocs/win32, HyperV_v2,
// msvm-replicationsettingdata.md, property ReplicationInterval, in seconds; the limit of seven days in Microsoft's
// PowerShell module for a start time.
func TestUnitsAndSpecialValues(t *testing.T) {
	never := time.Date(1601, time.January, 1, 0, 0, 0, 0, time.UTC)
	if got := Never(); !got.Equal(never) {
		t.Errorf("got %v for never, want %v", got, never)
	}
	if got, known := Known(&never); known {
		t.Errorf("got known time %v for the year 1601", got)
	}
	for seconds, want := range map[uint16]time.Duration{
		30: 30 * time.Second, 300: 5 * time.Minute, 900: 15 * time.Minute,
	} {
		if got, ok := (ReplicationSettingData{ReplicationInterval: &seconds}).Interval(); !ok || got != want {
			t.Errorf("ReplicationInterval %d: got %v, %v; want %v", seconds, got, ok, want)
		}
	}
	if MaxStartDelay != 168*time.Hour {
		t.Errorf("MaxStartDelay is %v, want 168h", MaxStartDelay)
	}
}

// Source: Microsoft's PowerShell module, which uses the connection point if the host system is empty.
func TestPrimaryServerIsHostOrConnectionPoint(t *testing.T) {
	host, point, empty := "hva.contoso.com", "broker.contoso.com", ""
	for _, tt := range []struct {
		host *string
		want string
	}{{&host, "hva.contoso.com"}, {&empty, "broker.contoso.com"}, {nil, "broker.contoso.com"}} {
		s := ReplicationSettingData{PrimaryHostSystem: tt.host, PrimaryConnectionPoint: &point}
		if got := s.PrimaryServer(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
