package msvm

import "hyperv_replica_exporter/wmiquery"

// ReplicaPerformance is Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM in
// root\cimv2: the counter set "Hyper-V Replica VM". Client editions of Windows
// lack the class, and it has no instances when nothing replicates.
type ReplicaPerformance struct {
	// Name is the VM's display name: several VMs may have it, and Windows may then
	// add #1 and so on.
	Name                string
	NetworkBytesSent    *uint64 // bytes ever
	NetworkBytesRecv    *uint64 // bytes ever
	ResynchronizedBytes *uint64 // bytes ever
	ReplicationCount    *uint32 // cycles ever
}

// WMIClass is Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM.
func (ReplicaPerformance) WMIClass() wmiquery.Class {
	return wmiquery.Class{Namespace: wmiquery.CIMV2, Name: "Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM"}
}
