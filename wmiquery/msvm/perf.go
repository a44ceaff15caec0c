package msvm

import "hyperv_replica_exporter/wmiquery"

// ReplicaPerformance is Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM in root\cimv2: the performance counters
// "Hyper-V Replica VM". Client editions of Windows do not have the class. It has no instances if no VM replicates.
// All counters are cumulative.
type ReplicaPerformance struct {
	// Name is the display name of the VM. It is not unique: Windows may append #1 and so on.
	Name                string
	NetworkBytesSent    *uint64 // bytes
	NetworkBytesRecv    *uint64 // bytes
	ResynchronizedBytes *uint64 // bytes
	ReplicationCount    *uint32 // replication cycles
}

// WMIClass returns Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM.
func (ReplicaPerformance) WMIClass() wmiquery.Class {
	return wmiquery.Class{Namespace: wmiquery.CIMV2, Name: "Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM"}
}
