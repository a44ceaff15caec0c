package simulator_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// lower is the path in lower case, except for the names of its properties.
func lower(path wmiquery.Ref) wmiquery.Ref {
	names := strings.NewReplacer(
		".creationclassname=", ".CreationClassName=", ",name=", ",Name=", "instanceid=", "InstanceID=",
		`"microsoft:`, `"Microsoft:`)
	return wmiquery.Ref(names.Replace(strings.ToLower(string(path))))
}

// fullPath is the path with the host and the namespace.
func fullPath(path wmiquery.Ref) wmiquery.Ref { return `\\HV01\root\virtualization\v2:` + path }

// Q20: GUIDs and paths are not case-sensitive. Paths may name the host and the namespace.
func TestPathsAreNotCaseSensitive(t *testing.T) {
	same := func(path wmiquery.Ref) wmiquery.Ref { return path }
	for name, change := range map[string]func(wmiquery.Ref) wmiquery.Ref{
		"unchanged": same, "lower case": lower, "full": fullPath,
		"full in lower case": func(path wmiquery.Ref) wmiquery.Ref { return lower(fullPath(path)) },
	} {
		d := newVMDriver(t, withHistory(t))
		service := read[msvm.ReplicationService](t, d.hosts["HV01"])[0].Ref()
		pause := newCall(change(msvm.VMRef(d.vm)), "RequestReplicationStateChangeEx",
			params("RequestedState", uint16(7))...)
		job := call(t, d.hosts["HV01"], pause).Job
		if job == "" {
			t.Errorf("%s: the path of the VM is rejected", name)
		}
		d.wantStates(name, "1[7] 2[3 0] -")
		d.wantCode(name+": path of a job", call(t, d.hosts["HV01"], newCall(change(job), "GetErrorEx")), 0)
		d.finish("HV01", wmiquery.Reply{Code: 4096, Job: job})
		statistics := newCall(change(service), "GetReplicationStatistics",
			params("ComputerSystem", change(msvm.VMRef(d.vm)))...)
		d.wantCode(name+": paths of the service and the VM", call(t, d.hosts["HV01"], statistics), 0)
		_, points := d.points()
		reply := d.call("HV02", "TestReplicaSystem", "SnapshotSettingData", change(points[1]))
		if reply.Code != 4096 {
			t.Errorf("%s: path of a recovery point: code %d, want 4096", name, reply.Code)
		}
	}
}

func TestKeysAreNotCaseSensitive(t *testing.T) {
	d := newVMDriver(t, healthyWithoutJobs)
	key := strings.ToLower((msvm.Key{VM: d.vm, Link: msvm.Primary}).InstanceID())
	relationship := embeddedParam(t, "ReplicationRelationship", msvm.ReplicationRelationship{InstanceID: key})
	d.wantCode("pause", d.requestState("HV01", 7, relationship...), 0)
	d.wantStates("paused", "1[7] 2[3 0] -")
}

// Part of a path is not a path.
func TestIncompletePaths(t *testing.T) {
	d := newVMDriver(t, withHistory(t))
	_, points := d.points()
	for _, path := range []wmiquery.Ref{points[0][:len(points[0])-3], points[0] + "x", "x", msvm.VMRef(d.vm)} {
		d.wantCode("fail over to "+string(path), d.call("HV02", "InitiateFailover", "SnapshotSettingData", path), 32773)
	}
	d.wantStates("afterwards", "1[3] 2[3 0] -")
}
