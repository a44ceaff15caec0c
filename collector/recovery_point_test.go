package collector_test

import (
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

const standardPoint = "Microsoft:Hyper-V:Snapshot:Replica:Standard"

// pointSeries returns the series with the number of recovery points of the VM app01.
func pointSeries(kind string) string {
	return `recovery_points{type="` + kind + `",vm="app01",vm_id="` + appID + `"}`
}

// A replica without recovery points has zeros. Other VMs have none, and neither has one whose mode is
// not known.
func TestZeroRecoveryPoints(t *testing.T) {
	for mode, want := range map[int]string{-1: "", 0: "", 1: "", 2: "0", 3: "", 4: "0", 5: ""} {
		h := newHostWithVM(newFakeClock())
		vm := newVM(appID, "app01", msvm.ReplicationMode(mode))
		if mode < 0 {
			vm.ReplicationMode = nil
		}
		setRows(h, vm)
		got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "recovery_point"))
		checkSeries(t, got, map[string]string{
			pointSeries("standard"): want, pointSeries("application_consistent"): want, pointSeries("planned_failover"): want,
			pointSeries("unknown"):                            "",
			"recovery_point_oldest_timestamp_seconds" + appVM: "", "recovery_point_newest_timestamp_seconds" + appVM: "",
			`collector_success{collector="recovery_point"}`: "1",
		})
	}
}

// The VM of a recovery point is that of the association, in whatever case the host writes the paths,
// or else that of the settings. Settings of VMs and of checkpoints are no recovery points.
func TestRecoveryPointsOfVM(t *testing.T) {
	association := func(vm string, settings msvm.VirtualSystemSettingData) msvm.SnapshotOfVirtualSystem {
		return msvm.SnapshotOfVirtualSystem{
			Antecedent: msvm.VMRef(vm), Dependent: wmiquery.Ref(strings.ToUpper(string(settings.Ref()))),
		}
	}
	point := func(id, kind string, age time.Duration, identifier *string) msvm.VirtualSystemSettingData {
		p := newRecoveryPoint(id, kind, age)
		p.VirtualSystemIdentifier = identifier
		return p
	}
	byAssociation := point("ab", standardPoint, time.Hour, new(sqlID)) // the association precedes the identifier
	byIdentifier := point("cd", "MICROSOFT:Hyper-V:Snapshot:Replica:PlannedFailover", 2*time.Hour,
		new(strings.ToLower(appID)))
	noTime := point("ef", standardPoint, 0, new(appID))
	noTime.CreationTime = nil
	never := point("ee", standardPoint, 0, new(appID))
	never.CreationTime = new(time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC))
	h := newHostWithVM(newFakeClock())
	setRows(h, newVM(appID, "app01", 2), newVM(sqlID, "sql01", 2))
	setRows(h, byAssociation, byIdentifier, noTime, never,
		point("12", "Microsoft:Hyper-V:System:Realized", time.Hour, new(appID)),
		point("13", "Microsoft:Hyper-V:Snapshot:Realized", time.Hour, new(appID)),
		point("14", "Microsoft:Hyper-V:Snapshot:Replica:", time.Hour, new(appID)))
	setRows(h, association(strings.ToLower(appID), byAssociation))
	got := parseSeries(newFakeHostRig(h).gather(t, scrapeTimeout, "recovery_point"))
	checkSeries(t, got, map[string]string{
		pointSeries("standard"): "3", pointSeries("application_consistent"): "0", pointSeries("planned_failover"): "1",
		pointSeries("unknown"): "",
		`recovery_points{type="standard",vm="sql01",vm_id="` + sqlID + `"}`: "0",
		"recovery_point_oldest_timestamp_seconds" + appVM:                   "1.7953416e+09", // two hours before noon
		"recovery_point_newest_timestamp_seconds" + appVM:                   "1.7953452e+09",
		`collector_success{collector="recovery_point"}`:                     "1",
	})
}

// A recovery point whose VM is not known fails the collector, and no replica has zeros, since the
// point may be its own.
func TestRecoveryPointOfUnknownVM(t *testing.T) {
	for _, identifier := range []*string{nil, new(""), new("HV09"), new("{" + appID + "}")} {
		h := newHostWithVM(newFakeClock())
		setRows(h, newVM(appID, "app01", 2))
		point := newRecoveryPoint("1", standardPoint, time.Hour)
		point.VirtualSystemIdentifier = identifier
		setRows(h, point)
		r := newFakeHostRig(h)
		got := parseSeries(r.gather(t, scrapeTimeout, "recovery_point"))
		if hasMetric(got, "recovery_points") {
			t.Errorf("recovery points although the VM of one is not known: %v", valuesOf(got, "recovery_points", "vm"))
		}
		checkSeries(t, got, map[string]string{`collector_success{collector="recovery_point"}`: "0"})
		const want = "recovery point Microsoft:1: VM not found"
		if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, want) {
			t.Errorf("log %s, want %s", log, want)
		}
	}
}
