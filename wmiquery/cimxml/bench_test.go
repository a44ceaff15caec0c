package cimxml_test

import (
	"testing"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// statistics is an instance as GetReplicationStatisticsEx returns it. A scrape reads one per relationship.
const statistics = `<INSTANCE CLASSNAME="Msvm_ReplicationStatistics">` +
	`<PROPERTY NAME="InstanceID" PROPAGATED="true" TYPE="string"></PROPERTY>` +
	`<PROPERTY NAME="Caption" PROPAGATED="true" TYPE="string"></PROPERTY>` +
	`<PROPERTY NAME="Description" PROPAGATED="true" TYPE="string"></PROPERTY>` +
	`<PROPERTY NAME="ElementName" PROPAGATED="true" TYPE="string"></PROPERTY>` +
	`<PROPERTY NAME="StartStatisticTime" TYPE="datetime"><VALUE>20261122090000.000000-000</VALUE></PROPERTY>` +
	`<PROPERTY NAME="EndStatisticTime" TYPE="datetime"><VALUE>20261122214210.000000-000</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationSuccessCount" TYPE="uint32"><VALUE>150</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationSize" TYPE="uint64"><VALUE>7864320000</VALUE></PROPERTY>` +
	`<PROPERTY NAME="MaxReplicationSize" TYPE="uint64"><VALUE>524288000</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationLatency" TYPE="uint32"><VALUE>1350</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationMissCount" TYPE="uint32"><VALUE>2</VALUE></PROPERTY>` +
	`<PROPERTY NAME="MaxReplicationLatency" TYPE="uint32"><VALUE>41</VALUE></PROPERTY>` +
	`<PROPERTY NAME="NetworkFailureCount" TYPE="uint32"><VALUE>1</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationFailureCount" TYPE="uint32"><VALUE>0</VALUE></PROPERTY>` +
	`<PROPERTY NAME="PendingReplicationSize" TYPE="uint64"><VALUE>41943040</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ApplicationConsistentSnapshotFailureCount" TYPE="uint32"><VALUE>0</VALUE></PROPERTY>` +
	`<PROPERTY NAME="ReplicationHealth" TYPE="uint32"><VALUE>1</VALUE></PROPERTY>` +
	`<PROPERTY NAME="LastTestFailoverTime" TYPE="datetime"><VALUE>16010101000000.000000-000</VALUE></PROPERTY>` +
	`</INSTANCE>`

func BenchmarkUnmarshal(b *testing.B) {
	b.ReportAllocs()
	var s msvm.ReplicationStatistics
	for b.Loop() {
		if _, err := cimxml.Unmarshal(statistics, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	b.ReportAllocs()
	var s msvm.ReplicationStatistics
	class, err := cimxml.Unmarshal(statistics, &s)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := cimxml.Marshal(class, s); err != nil {
			b.Fatal(err)
		}
	}
}
