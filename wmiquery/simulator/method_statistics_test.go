package simulator_test

import (
	"fmt"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// Statistics are returned by methods only, as CIM-XML with all properties in the order of the reference.
// A lack of health issues is reported in every way that clients may meet.
func TestStatisticsAreCIMXML(t *testing.T) {
	const properties = "Msvm_ReplicationStatistics InstanceID Caption Description ElementName StartStatisticTime EndStatisticTime ReplicationSuccessCount ReplicationSize " +
		"MaxReplicationSize ReplicationLatency ReplicationMissCount MaxReplicationLatency NetworkFailureCount ReplicationFailureCount " +
		"PendingReplicationSize ApplicationConsistentSnapshotFailureCount ReplicationHealth LastTestFailoverTime"
	w, _ := newWorld(t, simulator.Config{Seed: 1})
	forms := map[string]bool{} // of the health issues
	for _, h := range hosts {
		s := open(t, w, h)
		if rows := read[msvm.ReplicationStatistics](t, s); len(rows) != 0 {
			t.Errorf("%s: read returns %d rows, want none", h, len(rows))
		}
		for _, c := range statisticsCalls(t, s, func(r msvm.ReplicationRelationship) bool { return !r.Replicates() }) {
			if reply := call(t, s, c); reply.Code != wmiquery.CodeInvalidState {
				t.Errorf("%s: code %d for a relationship that does not replicate", h, reply.Code)
			}
		}
		calls := statisticsCalls(t, s, msvm.ReplicationRelationship.Replicates)
		for i, c := range calls {
			out := call(t, s, c).Out
			texts, _ := out["ReplicationStatistics"].([]string)
			if len(texts) != 1 {
				t.Fatalf("%s: statistics are %v, want one instance", h, out)
			}
			instance, err := cimxml.Parse(texts[0])
			got := instance.Class
			for _, p := range instance.Properties {
				got += " " + p.Name
			}
			if err != nil || got != properties {
				t.Errorf("%s: properties are %s, %v, want %s", h, got, err, properties)
			}
			form := fmt.Sprintf("%#v", out["ReplicationHealthIssues"])
			forms[form[:min(len(form), 35)]] = true
			other := calls[(i+1)%len(calls)].In
			mixed := c
			mixed.In = []wmiquery.Param{c.In[0], other[1]}
			if reply := call(t, s, mixed); other[0].Value != c.In[0].Value && reply.Code != wmiquery.CodeInvalidParam {
				t.Errorf("%s: code %d for the relationship of another VM", h, reply.Code)
			}
		}
	}
	for _, form := range []string{`<nil>`, `[]string{}`, `[]string{""}`, `[]string{"<INSTANCE CLASSNAME=\"Msv`} {
		if !forms[form] {
			t.Errorf("no reply reports health issues as %s, got %v", form, forms)
		}
	}
}

// A new monitoring window starts on one side. A warning about missed cycles ends with the old one.
func TestResetStatistics(t *testing.T) {
	for vm, code := range map[int]uint32{6: wmiquery.CodeJobStarted, slowLink: wmiquery.CodeCompleted} {
		d := newVMDriver(t, vm)
		before := counters(relationships(t, d.hosts["HV01"], d.vm)[0].stats)
		reply := d.call("HV01", "ResetReplicationStatisticsEx", d.relationshipParam(msvm.Primary)...)
		if reply.Code != code {
			t.Errorf("VM %d: code %d, want %d", vm, reply.Code, code)
		}
		d.clock.Advance(time.Second)
		mine, other := relationships(t, d.hosts["HV01"], d.vm)[0].stats, relationships(t, d.hosts["HV02"], d.vm)[0].stats
		if before.Cycles == 0 || counters(mine).Cycles != 0 || counters(other).Cycles != before.Cycles ||
			d.clock.Now().Sub(*mine.StartStatisticTime) > time.Second {
			t.Errorf("VM %d: counters are %+v and %+v after a reset of %+v", vm, counters(mine), counters(other), before)
		}
	}
	d := newVMDriver(t, neverReplicated)
	d.wantCode("without replication", d.call("HV01", "ResetReplicationStatistics"), wmiquery.CodeInvalidState)
	reply := newVMDriver(t, healthy).call("HV01", "GetReplicationStatistics")
	if s, _, err := msvm.Statistics(reply); err != nil || *s.ReplicationSuccessCount == 0 {
		t.Errorf("GetReplicationStatistics: %v", err)
	}
}
