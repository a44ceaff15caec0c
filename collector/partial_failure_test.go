package collector_test

import (
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// What is partly broken is told as far as it is true.
func TestPartialFailures(t *testing.T) {
	junk := fmt.Sprintf("%X", sha1.Sum([]byte("junk")))
	for _, tt := range []struct {
		what      string
		collector string
		breaks    func(h *fabricatedHost)
		want      []string // series, without prefix, with value
		not       []string // parts of series that must not be
		log       string
	}{
		{
			what: "recovery points are told without the association, zeros are not", collector: "recovery_point",
			breaks: func(h *fabricatedHost) { h.fail("Msvm_SnapshotOfVirtualSystem", wmiquery.ErrInvalidState) },
			want:   []string{`recovery_points{type="unknown",vm="sql01",vm_id="` + sql + `"} 1`},
			not:    []string{"archive01"}, log: "Msvm_SnapshotOfVirtualSystem",
		},
		{
			what: "a recovery point of no VM keeps zeros from being told", collector: "recovery_point",
			breaks: func(h *fabricatedHost) { set[msvm.SnapshotOfVirtualSystem](h) },
			want:   []string{`recovery_points{type="standard",vm="sql01",vm_id="` + sql + `"} 1`},
			not:    []string{"archive01"}, log: "Microsoft:2 is of no VM",
		},
		{
			what: "no recovery points without their settings", collector: "recovery_point",
			breaks: func(h *fabricatedHost) { h.fail("Msvm_VirtualSystemSettingData", wmiquery.ErrInvalidState) },
			not:    []string{"recovery_point"}, log: "Msvm_VirtualSystemSettingData",
		},
		{
			what: "a job that began after its VM was asked for is of no VM yet", collector: "job",
			breaks: func(h *fabricatedHost) {
				set(h, msvm.ConcreteJob{
					InstanceID: "1", JobType: new(msvm.JobSendDelta), JobState: new(msvm.JobRunning), StartTime: new(noon.Add(time.Hour)),
				})
			},
			not: []string{`operation_running{operation="send_delta"`},
		},
		{
			what: "a thumbprint that a VM has left from replicating is not used", collector: "certificate",
			breaks: func(h *fabricatedHost) {
				set(h, msvm.ReplicationSettingData{
					InstanceID: msvm.Key{VM: app, Link: msvm.Primary}.InstanceID(), CertificateThumbPrint: new("AB12"),
					AuthenticationType: new(msvm.AuthenticationNotDefined),
				})
			},
			not: []string{"AB12"},
		},
		{
			what: "a dependency of no VM costs itself", collector: "test_replica",
			breaks: func(h *fabricatedHost) {
				set(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(app), Dependent: msvm.VMRef(test1)}, msvm.ReplicaSystemDependency{Antecedent: "nonsense"})
			},
			want: []string{`test_replica_present{test_vm_id="` + test1 + `",vm="app01",vm_id="` + app + `"} 1`}, log: "nonsense",
		},
		{
			what: "a dependency of a VM that came later has its GUID for a name", collector: "test_replica",
			breaks: func(h *fabricatedHost) {
				set(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(settings), Dependent: msvm.VMRef(test1)})
			},
			want: []string{`test_replica_present{test_vm_id="` + test1 + `",vm="` + settings + `",vm_id="` + settings + `"} 1`},
		},
		{
			what: "nothing is told of VMs whose names are not known", collector: "test_replica",
			breaks: func(h *fabricatedHost) { h.fail("Msvm_ComputerSystem", wmiquery.ErrInvalidState) },
			not:    []string{"present"}, log: "Msvm_ComputerSystem",
		},
		{
			what: "no counters without the VMs' names", collector: "perf",
			breaks: func(h *fabricatedHost) { h.fail("Msvm_ComputerSystem", wmiquery.ErrInvalidState) },
			not:    []string{"bytes"}, log: "Msvm_ComputerSystem",
		},
		{
			what: "no counters when nothing replicates (Q65)", collector: "perf",
			breaks: func(h *fabricatedHost) { set[msvm.ReplicaPerformance](h) },
			not:    []string{"_total"},
		},
		{
			what: "without the store no certificate is missing", collector: "certificate",
			breaks: func(h *fabricatedHost) { h.fail("GetSystemCertificates", wmiquery.ErrInvalidState) },
			not:    []string{"certificate_"}, log: "GetSystemCertificates",
		},
		{
			what: "nor when the host refuses", collector: "certificate",
			breaks: func(h *fabricatedHost) { h.certificates = wmiquery.Reply{Code: wmiquery.CodeAccessDenied} },
			not:    []string{"certificate_"}, log: "access denied",
		},
		{
			what: "nor when it starts a job", collector: "certificate",
			breaks: func(h *fabricatedHost) { h.certificates = wmiquery.Reply{Code: wmiquery.CodeJobStarted} },
			not:    []string{"certificate_"}, log: "started a job",
		},
		{
			what: "an empty store has none", collector: "certificate",
			breaks: func(h *fabricatedHost) { h.certificates = wmiquery.Reply{} },
			want:   []string{`certificate_present{thumbprint="` + missing + `",usage="relationship"} 0`},
			not:    []string{"not_after"},
		},
		{
			what: "the server's certificate is told without the relationships'", collector: "certificate",
			breaks: func(h *fabricatedHost) { h.fail("Msvm_ReplicationSettingData", wmiquery.ErrInvalidState) },
			want:   []string{`certificate_present{thumbprint="` + thumbprintOf(t) + `",usage="server"} 1`},
			not:    []string{`usage="relationship"`}, log: "Msvm_ReplicationSettingData",
		},
		{
			what: "a server that is off uses no certificate", collector: "certificate",
			breaks: func(h *fabricatedHost) {
				set(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: new("AB"), RecoveryServerEnabled: new(false)})
			},
			not: []string{`usage="server"`},
		},
		{
			what: "a certificate that cannot be read is there", collector: "certificate",
			breaks: func(h *fabricatedHost) {
				h.certificates = store([]byte("junk"))
				set(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: new(junk)})
			},
			want: []string{`certificate_present{thumbprint="` + junk + `",usage="server"} 1`},
			not:  []string{"not_after"}, log: "x509",
		},
	} {
		t.Run(strings.ReplaceAll(tt.what, " ", "-"), func(t *testing.T) {
			h := awkwardHost(t, newClock())
			tt.breaks(h)
			r := newFabricatedRig(h)
			got := series(r.gather(t, deadline, tt.collector))
			success := "1"
			if tt.log != "" {
				success = "0"
			}
			tt.want = append(tt.want, fmt.Sprintf("collector_success{collector=%q} %s", tt.collector, success))
			for _, line := range tt.want {
				i := strings.LastIndexByte(line, ' ')
				if v := got["hyperv_replica_"+line[:i]]; v != line[i+1:] {
					t.Errorf("%s is %q, want %s", line[:i], v, line[i+1:])
				}
			}
			for s := range got {
				for _, not := range tt.not {
					if strings.Contains(s, not) && !strings.Contains(s, "_collector_") && !strings.Contains(s, "snapshot_timestamp") {
						t.Errorf("there is %s", s)
					}
				}
			}
			if lines := strings.Join(r.logs.Take(), "\n"); !strings.Contains(lines, tt.log) {
				t.Errorf("the log does not say %q: %s", tt.log, lines)
			}
		})
	}
}

func thumbprintOf(t *testing.T) string {
	t.Helper()
	_, thumbprint := newCertificate(t, noon.AddDate(0, 0, 20))
	return thumbprint
}

// That a class is missing is a lack only on a host with Hyper-V that shows it.
func TestLacks(t *testing.T) {
	const provider = "Msvm_ReplicationProvider"
	for _, tt := range []struct {
		what                     string
		breaks                   func(h *fabricatedHost)
		success, supported, says string
	}{
		{"an older Windows", func(*fabricatedHost) {}, "1", "0", "level=info"},
		{"no Hyper-V", func(h *fabricatedHost) { h.fail("Msvm_ReplicationService", wmiquery.ErrUnsupported) }, "0", "1", "level=warn"},
		{"no rights", func(h *fabricatedHost) { set[msvm.ReplicationService](h) }, "0", "1", "Hyper-V Administrators"},
		{"no answer", func(h *fabricatedHost) { h.fail("Msvm_ReplicationService", wmiquery.ErrTimeout) }, "0", "1", "level=error"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			h := awkwardHost(t, newClock())
			h.fail(provider, wmiquery.ErrUnsupported)
			tt.breaks(h)
			r := newFabricatedRig(h)
			var lines []string
			for range 3 {
				got := series(r.gather(t, deadline, "provider"))
				if s := got[`hyperv_replica_collector_success{collector="provider"}`]; s != tt.success {
					t.Errorf("success %s, want %s", s, tt.success)
				}
				if s := got[`hyperv_replica_collector_supported{collector="provider"}`]; s != tt.supported {
					t.Errorf("supported %s, want %s", s, tt.supported)
				}
				for _, line := range r.logs.Take() {
					if !strings.Contains(line, "level=debug") {
						lines = append(lines, line)
					}
				}
			}
			if len(lines) != 1 || !strings.Contains(lines[0], tt.says) {
				t.Errorf("log %q, want one line with %q", lines, tt.says)
			}
		})
	}
}

// What this Windows lacks does not hide that the host has gone silent.
func TestLacksAndSilence(t *testing.T) {
	h := awkwardHost(t, newClock())
	h.fail("Msvm_ReplicationRelationship", wmiquery.ErrUnsupported)
	r := newFabricatedRig(h)
	r.gather(t, deadline, "relationship")
	h.fail("Msvm_ComputerSystem", wmiquery.ErrTimeout)
	got := series(r.gather(t, deadline, "relationship"))
	if s := got[`hyperv_replica_collector_success{collector="relationship"}`]; s != "0" {
		t.Errorf("success %s with VMs that are shown as they were", s)
	}
	if s := got[`hyperv_replica_collector_supported{collector="relationship"}`]; s != "0" {
		t.Errorf("supported %s without relationships", s)
	}
	if !hasMetric(got, "mode") {
		t.Error("the last good answer is not shown")
	}
}

// Q21: counters of VMs that share a name are left out, and that is said once.
func TestDuplicateCountersAreLoggedOnce(t *testing.T) {
	r := newFabricatedRig(awkwardHost(t, newClock()))
	for range 3 {
		r.gather(t, deadline, "perf")
	}
	if lines := r.logs.Take(); len(lines) != 1 || !strings.Contains(lines[0], "vm=web01") {
		t.Errorf("log %q, want one line about web01", lines)
	}
}
