package msvm

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// properties has the types of the properties of all classes. Types are CIM's. "interval" is a datetime in the form of
// an interval.
//
// Source: the pages of the classes in MicrosoftDocs/win32, HyperV_v2, which agree with the schema. The schema is the
// source of Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM.
var properties = map[string]map[string]string{
	`root\virtualization\v2:Msvm_ComputerSystem`: {
		"Name": "string", "ElementName": "string", "EnabledState": "uint16", "ReplicationMode": "uint16",
		"InstallDate": "datetime",
	},
	`root\virtualization\v2:Msvm_ReplicationRelationship`: {
		"InstanceID": "string", "ElementName": "string", "ReplicationState": "uint16", "ReplicationHealth": "uint16",
		"FailedOverReplicationType": "uint16", "LastReplicationType": "uint16", "LastReplicationTime": "datetime",
		"LastApplicationConsistentReplicationTime": "datetime", "LastApplyTime": "datetime",
	},
	`root\virtualization\v2:Msvm_ReplicationSettingData`: {
		"InstanceID": "string", "ElementName": "string", "AuthenticationType": "uint16",
		"CertificateThumbPrint": "string", "RootCertificateThumbPrint": "string", "CompressionEnabled": "boolean",
		"BypassProxyServer": "boolean", "EnableWriteOrderPreservationAcrossDisks": "boolean",
		"RecoveryConnectionPoint": "string", "RecoveryHostSystem": "string", "PrimaryConnectionPoint": "string",
		"PrimaryHostSystem": "string", "RecoveryServerPortNumber": "uint16", "ReplicateHostKvpItems": "boolean",
		"ApplicationConsistentSnapshotInterval": "uint16", "RecoveryHistory": "uint16", "IncludedDisks": "string[]",
		"AutoResynchronizeEnabled": "boolean", "AutoResynchronizeIntervalStart": "interval",
		"AutoResynchronizeIntervalEnd": "interval", "ReplicationProvider": "string", "ReplicationInterval": "uint16",
	},
	`root\virtualization\v2:Msvm_ReplicationStatistics`: {
		"StartStatisticTime": "datetime", "EndStatisticTime": "datetime", "ReplicationSuccessCount": "uint32",
		"ReplicationMissCount": "uint32", "ReplicationSize": "uint64", "MaxReplicationSize": "uint64",
		"ReplicationLatency": "uint32", "MaxReplicationLatency": "uint32", "NetworkFailureCount": "uint32",
		"ReplicationFailureCount": "uint32", "ApplicationConsistentSnapshotFailureCount": "uint32",
		"PendingReplicationSize": "uint64",
		"ReplicationHealth":      "uint32", // uint16 in all other classes
		"LastTestFailoverTime":   "datetime",
	},
	`root\virtualization\v2:Msvm_ReplicationService`: {
		"Name": "string", "CreationClassName": "string", "SystemName": "string", "SystemCreationClassName": "string",
		"OperationalStatus": "uint16[]", "StatusDescriptions": "string[]",
	},
	`root\virtualization\v2:Msvm_ReplicationServiceSettingData`: {
		"InstanceID": "string", "RecoveryServerEnabled": "boolean", "AllowedAuthenticationType": "uint16",
		"CertificateThumbPrint": "string", "HttpPort": "uint16", "HttpsPort": "uint16", "MonitoringInterval": "uint32",
		"MonitoringStartTime": "interval",
	},
	`root\virtualization\v2:Msvm_SystemReplicationRelationship`: {"Antecedent": "reference", "Dependent": "reference"},
	`root\virtualization\v2:Msvm_ReplicationAuthorizationSettingData`: {
		"AllowedPrimaryHostSystem": "string", "ReplicaStorageLocation": "string", "TrustGroup": "string",
	},
	`root\virtualization\v2:Msvm_ReplicationProvider`: {
		"Name": "string", "ElementName": "string", "OperationalStatus": "uint16[]",
	},
	`root\virtualization\v2:Msvm_ReplicaSystemDependency`: {"Antecedent": "reference", "Dependent": "reference"},
	`root\virtualization\v2:Msvm_FailoverNetworkAdapterSettingData`: {
		"InstanceID": "string", "ProtocolIFType": "uint16", "DHCPEnabled": "boolean", "IPAddresses": "string[]",
		"Subnets": "string[]", "DefaultGateways": "string[]", "DNSServers": "string[]",
	},
	`root\virtualization\v2:Msvm_EthernetPortFailoverSettingDataComponent`: {
		"GroupComponent": "reference", "PartComponent": "reference",
	},
	`root\virtualization\v2:Msvm_ConcreteJob`: {
		"InstanceID": "string", "JobType": "uint16", "JobState": "uint16", "PercentComplete": "uint16",
		"ErrorCode": "uint16", "ErrorDescription": "string", "ErrorSummaryDescription": "string",
		"Cancellable": "boolean", "TimeSubmitted": "datetime", "StartTime": "datetime",
		"ScheduledStartTime": "datetime", "ElapsedTime": "interval", "TimeBeforeRemoval": "interval",
	},
	`root\virtualization\v2:Msvm_AffectedJobElement`: {"AffectedElement": "reference", "AffectingElement": "reference"},
	`root\virtualization\v2:Msvm_VirtualSystemSettingData`: {
		"InstanceID": "string", "ElementName": "string", "VirtualSystemIdentifier": "string",
		"VirtualSystemType": "string", "CreationTime": "datetime",
	},
	`root\virtualization\v2:Msvm_SnapshotOfVirtualSystem`: {"Antecedent": "reference", "Dependent": "reference"},
	`root\virtualization\v2:Msvm_ShutdownComponent`: {
		"CreationClassName": "string", "DeviceID": "string", "SystemCreationClassName": "string", "SystemName": "string",
		"OperationalStatus": "uint16[]",
	},
	`root\cimv2:Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM`: {
		"Name": "string", "NetworkBytesSent": "uint64", "NetworkBytesRecv": "uint64", "ResynchronizedBytes": "uint64",
		"ReplicationCount": "uint32",
	},
	`root\virtualization\v2:Msvm_Error`: {
		"MessageID": "string", "Message": "string", "MessageArguments": "string[]", "PerceivedSeverity": "uint16",
		"ProbableCause": "uint16", "ProbableCauseDescription": "string", "RecommendedActions": "string[]",
		"ErrorSource": "string",
	},
}

// propertyType returns the CIM type that a field of a class has.
func propertyType(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return propertyType(t.Elem())
	case t.Kind() == reflect.Slice:
		return propertyType(t.Elem()) + "[]"
	case t == reflect.TypeFor[time.Time]():
		return "datetime"
	case t == reflect.TypeFor[time.Duration]():
		return "interval"
	case t == reflect.TypeFor[wmiquery.Ref]():
		return "reference"
	case t.Kind() == reflect.Bool:
		return "boolean"
	}
	return t.Kind().String()
}

func TestPropertiesAreAsDocumented(t *testing.T) {
	var names []string
	for _, c := range append(Classes(), Error{}) {
		name := c.WMIClass().Namespace + ":" + c.WMIClass().Name
		names = append(names, name)
		got := map[string]string{}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(c)) {
			got[f.Name] = propertyType(f.Type)
		}
		for property, want := range properties[name] {
			if got[property] != want {
				t.Errorf("%s.%s: got type %q, want %q", name, property, got[property], want)
			}
		}
		checkSameNames(t, name, slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(properties[name])))
	}
	checkSameNames(t, "classes", names, slices.Collect(maps.Keys(properties)))
}

// Every constant ClassX has the value "Msvm_X".
func TestClassConstantsAreNamesOfClasses(t *testing.T) {
	want := []string{
		"ClassReplicationService", "ClassComputerSystem", "ClassConcreteJob", "ClassVirtualSystemManagementService",
		"ClassError", "ClassReplicationRelationship", "ClassReplicationSettingData",
		"ClassReplicationServiceSettingData", "ClassReplicationAuthorizationSettingData", "ClassReplicationStatistics",
		"ClassFailoverNetworkAdapterSettingData", "ClassVirtualSystemSettingData", "ClassShutdownComponent",
	}
	var got []string
	for name, value := range untypedStrings(t) {
		if class, ok := strings.CutPrefix(name, "Class"); ok {
			got = append(got, name)
			if value != "Msvm_"+class {
				t.Errorf("%s is %q, want Msvm_%s", name, value, class)
			}
		}
	}
	checkSameNames(t, "constants", got, want)
}
