package admin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// wantJSON checks the JSON of a value.
func wantJSON(t *testing.T, what string, value any, want string) {
	t.Helper()
	got, err := json.Marshal(value)
	if err != nil || string(got) != want {
		t.Errorf("%s: got %s, %v\nwant %s", what, got, err, want)
	}
}

// Every statistic of the host is shown under its own name. Null and the year 1601 are null, and 0 is 0.
func TestStatisticsOfAReplica(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	never := time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC)
	show := func(s operation.Statistics) replicaView {
		v := replicaView{replicaDetail: &replicaDetail{}}
		v.addStatistics(&operation.Relationship{}, s)
		v.addWindow(s)
		return v
	}
	d := show(operation.Statistics{
		Window: &msvm.ReplicationStatistics{
			StartStatisticTime: &at, EndStatisticTime: new(at.Add(time.Hour)), ReplicationSuccessCount: new(uint32(1)),
			ReplicationMissCount: new(uint32(2)), ReplicationFailureCount: new(uint32(3)), NetworkFailureCount: new(uint32(4)),
			ReplicationSize: new(uint64(5)), MaxReplicationSize: new(uint64(6)), ReplicationLatency: new(uint32(7)),
			MaxReplicationLatency: new(uint32(8)), PendingReplicationSize: new(uint64(9)),
			ApplicationConsistentSnapshotFailureCount: new(uint32(10)), LastTestFailoverTime: new(at.Add(time.Minute)),
		},
		Issues: []msvm.Error{{Message: new("more than 20 percent missed"), PerceivedSeverity: new(msvm.Severity(3))}},
	})
	wantJSON(t, "statistics", d.Statistics, `{"window_start":"2026-11-22T09:00:00Z","successful_cycles":1,"missed_cycles":2,`+
		`"failed_cycles":3,"network_failures":4,"replicated_bytes":5,"max_cycle_bytes":6,"latency_seconds_sum":7,`+
		`"max_cycle_seconds":8,"last_test_failover_time":"2026-11-22T09:01:00Z"}`)
	wantJSON(t, "health issues", d.HealthIssues,
		`[{"message_id":"","message":"more than 20 percent missed","severity":"degraded"}]`)
	d = show(operation.Statistics{
		Window: &msvm.ReplicationStatistics{LastTestFailoverTime: &never, ReplicationMissCount: new(uint32)},
	})
	wantJSON(t, "nulls", d.Statistics, `{"window_start":null,"successful_cycles":null,"missed_cycles":0,`+
		`"failed_cycles":null,"network_failures":null,"replicated_bytes":null,"max_cycle_bytes":null,`+
		`"latency_seconds_sum":null,"max_cycle_seconds":null,"last_test_failover_time":null}`)
	d = show(operation.Statistics{Err: msvm.ErrNoStatistics})
	if d.Statistics != nil || d.StatisticsError != "the host returned no statistics" {
		t.Errorf("statistics that cannot be read: got %+v", d)
	}
}

// A relationship is shown with the values of its own rows. After a failover it has the kind of the failover.
func TestReplicaViewShowsTheRowsOfTheHost(t *testing.T) {
	env := newTestEnv(t)
	e := env.hosts["HV02"]
	at := env.clock.Now().Add(-90 * time.Second)
	id := `Microsoft:` + env.vms[vmReplicating] + `\HVR\0`
	failedOver := uint16(3)
	e.pool.onRead = func(dst any) {
		switch rows := dst.(type) {
		case *[]msvm.ReplicationRelationship:
			for i := range *rows {
				if r := &(*rows)[i]; r.InstanceID == id {
					r.LastReplicationTime, r.ReplicationHealth = &at, new(msvm.ReplicationHealth(2))
					r.FailedOverReplicationType = new(msvm.ReplicationType(failedOver))
					r.ReplicationState = new(msvm.ReplicationState(5))
				}
			}
		case *[]msvm.ReplicationSettingData:
			for i := range *rows {
				if s := &(*rows)[i]; s.InstanceID == id {
					s.PrimaryHostSystem, s.PrimaryConnectionPoint = new("node7.contoso.com"), new("broker.contoso.com")
					s.RecoveryConnectionPoint, s.RecoveryHostSystem = new("replica.contoso.com"), new("node9.contoso.com")
				}
			}
		}
	}
	for what, view := range map[string]object{
		"detail": env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json,
		"list":   env.listed("HV02", env.vms[vmReplicating]),
	} {
		for name, want := range map[string]any{
			"vm_id": env.vms[vmReplicating], "vm": env.vmName("HV02", vmReplicating), "relationship": "primary",
			"state": "recovered", "mode": "replica", "health": "warning", "lag_seconds": 90.0, "pending_bytes": nil,
			"power": "off", "last_replication_time": "2026-11-22T11:58:30Z", "failed_over_replication_type": "planned",
			"primary_server": "node7.contoso.com", "replica_server": "replica.contoso.com",
			"url": "/api/v1/replicas/" + env.vms[vmReplicating] + "/primary",
		} {
			if view[name] != want {
				t.Errorf("%s: %s is %v, want %v", what, name, view[name], want)
			}
		}
	}
	lower := env.get("HV02", "vic", "/api/v1/replicas/"+strings.ToLower(env.vms[vmReplicating])+"/primary")
	if lower.json["vm_id"] != env.vms[vmReplicating] {
		t.Errorf("GUID in lower case: got %s", lower)
	}
	at, failedOver = time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), 0
	view := env.get("HV02", "vic", env.replicaPath(vmReplicating, "primary")).json
	for _, name := range []string{"last_replication_time", "lag_seconds"} {
		if value, there := view[name]; !there || value != nil {
			t.Errorf("without a replication, %s is %v, want null", name, value)
		}
	}
	if kind, there := view["failed_over_replication_type"]; there {
		t.Errorf("without a failover, failed_over_replication_type is %v", kind)
	}
}

// listed returns the relationship of a VM in the list of a host.
func (env *testEnv) listed(host, vm string) object {
	env.Helper()
	for _, x := range env.get(host, "vic", apiReplicas).json["replicas"].([]any) {
		if x.(object)["vm_id"] == vm {
			return x.(object)
		}
	}
	env.Fatalf("%s is not listed", vm)
	return nil
}

// The operations of a replica say what they destroy and which role they need. A refused one says when it would work.
// What the caller may not do is refused as forbidden. During a job, only what pauses or cancels it is possible.
func TestOperationsOfAReplica(t *testing.T) {
	env := newTestEnv(t)
	operations := func(user string) (allowed []any, refused map[string]object, all object) {
		r := env.get("HV02", user, env.replicaPath(vmReplicating, "primary")).json
		refused = map[string]object{}
		for _, x := range r["refused_operations"].([]any) {
			refused[x.(object)["operation"].(string)] = x.(object)
		}
		return r["allowed_operations"].([]any), refused, r["operations"].(object)
	}
	allowed, refused, all := operations("fred")
	wantJSON(t, "allowed for a failover operator", allowed, `["suspend","reset-statistics","failover","test-failover"]`)
	wantJSON(t, "resume", refused["resume"], `{"operation":"resume","reason":"the state is replicating; requires suspended `+
		`or critical or waiting_to_start_resynchronization or resynchronizing or resynchronization_suspended or `+
		`disk_update_in_progress or disk_update_critical","type":"urn:hyperv-replica-exporter:problem:invalid-state",`+
		`"works_in_modes":["primary","replica","extended_replica"],"works_in_states":["suspended","critical",`+
		`"waiting_to_start_resynchronization","resynchronizing","resynchronization_suspended","disk_update_in_progress",`+
		`"disk_update_critical"]}`)
	if got := refused["remove"]["type"]; got != "urn:hyperv-replica-exporter:problem:forbidden" {
		t.Errorf("remove is refused with %v", got)
	}
	wantJSON(t, "failover", all["failover"], `{"destroys":"changes that the primary has not sent, unless the failover was `+
		`prepared","does":"fails over to a recovery point, by default the latest; the VM stays off",`+
		`"method":"InitiateFailover","role":"failover","url":"/api/v1/replicas/`+env.vms[vmReplicating]+
		`/primary/actions/failover"}`)
	wantJSON(t, "suspend", all["suspend"], `{"does":"pauses replication or a resynchronization",`+
		`"method":"RequestReplicationStateChangeEx","role":"operator","url":"/api/v1/replicas/`+env.vms[vmReplicating]+
		`/primary/actions/suspend"}`)

	env.want("test failover", env.postAction("HV02", "olga", vmReplicating, "primary", "test-failover", nil), 202, "")
	allowed, refused, _ = operations("omar")
	wantJSON(t, "allowed during a job", allowed, `["suspend"]`)
	if got := refused["failover"]["type"]; got != "urn:hyperv-replica-exporter:problem:busy" {
		t.Errorf("during a job, failover is refused with %v", got)
	}
}

// Test VMs belong to the primary relationship of a replica, not to its extended one.
func TestTestVMsOfAReplica(t *testing.T) {
	env := newTestEnv(t)
	vm := env.vms[vmExtended]
	const test = "C0FFEE00-0001-4000-8000-000000000001"
	env.hosts["HV01"].pool.onRead = func(dst any) {
		if rows, ok := dst.(*[]msvm.ReplicaSystemDependency); ok {
			*rows = append(*rows, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(vm), Dependent: msvm.VMRef(test)})
		}
	}
	wantJSON(t, "primary", env.get("HV01", "vic", env.replicaPath(vmExtended, "primary")).json["test_vms"], `["`+test+`"]`)
	wantJSON(t, "extended", env.get("HV01", "vic", env.replicaPath(vmExtended, "extended")).json["test_vms"], `null`)
}

// While the job of a resynchronization runs, another VM cannot be resynchronized, and can be changed in other ways.
func TestOperationsDuringAResynchronization(t *testing.T) {
	env := newTestEnv(t)
	env.clock.Advance(2 * time.Hour) // the resynchronizations of the simulated world have ended
	e := env.hosts["HV01"]
	first := env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize", nil)
	e.pool.reply = replyWith(wmiquery.Reply{
		Code: 4096, Job: `Msvm_ConcreteJob.InstanceID="9947DC62-9DA2-4B25-BB27-BA9A161D75A9"`,
	})
	env.want("resynchronize", env.postAction("HV01", "olga", vmResyncRequired, "primary", "resynchronize",
		env.confirmation("HV01", vmResyncRequired, first, nil)), 202, "")
	r := env.get("HV01", "omar", env.replicaPath(vmSuspended, "primary"))
	wantJSON(t, "allowed operations", r.json["allowed_operations"],
		`["resume","reset-statistics","shut-down-vm","turn-off-vm","remove","test-connection"]`)
	for _, x := range r.json["refused_operations"].([]any) {
		if o := x.(object); o["operation"] == "resynchronize" &&
			o["type"] != "urn:hyperv-replica-exporter:problem:resynchronization-running" {
			t.Errorf("resynchronize is refused with %v", o)
		}
	}
}
