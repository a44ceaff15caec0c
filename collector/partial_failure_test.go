package collector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// If a part of the data cannot be read, collectors expose what is still certain.
func TestPartialFailures(t *testing.T) {
	junk := sha1Of("junk")
	for _, tt := range []struct {
		name      string
		collector string
		setup     func(h *fakeHost)
		want      []string // series without the prefix, with value
		unwanted  []string // substrings that no series may contain
		log       string   // substring of the log; if it is empty, so is the log, and the collector succeeds
	}{
		{
			name: "recovery points without the association have no zeros", collector: "recovery_point",
			setup:    func(h *fakeHost) { h.setError("Msvm_SnapshotOfVirtualSystem", wmiquery.ErrInvalidState) },
			want:     []string{`recovery_points{type="unknown",vm="sql01",vm_id="` + sqlID + `"} 1`},
			unwanted: []string{"archive01"}, log: "Msvm_SnapshotOfVirtualSystem",
		},
		{
			name: "recovery points have no zeros if one has no VM", collector: "recovery_point",
			setup:    func(h *fakeHost) { setRows[msvm.SnapshotOfVirtualSystem](h) },
			want:     []string{`recovery_points{type="standard",vm="sql01",vm_id="` + sqlID + `"} 1`},
			unwanted: []string{"archive01"}, log: "recovery point Microsoft:2: VM not found",
		},
		{
			name: "recovery points need their settings", collector: "recovery_point",
			setup:    func(h *fakeHost) { h.setError("Msvm_VirtualSystemSettingData", wmiquery.ErrInvalidState) },
			unwanted: []string{"recovery_point"}, log: "Msvm_VirtualSystemSettingData",
		},
		{
			name: "a job that started after the affected VMs were read is ignored", collector: "job",
			setup: func(h *fakeHost) {
				setRows(h, msvm.ConcreteJob{
					InstanceID: "1", JobType: new(msvm.JobSendDelta), JobState: new(msvm.JobRunning),
					StartTime: new(noon.Add(time.Second)),
				})
			},
			unwanted: []string{`operation_running{operation="send_delta"`},
		},
		{
			name: "the thumbprint of a VM that no longer replicates is ignored", collector: "certificate",
			setup: func(h *fakeHost) {
				setRows(h, msvm.ReplicationSettingData{
					InstanceID: msvm.Key{VM: appID, Link: msvm.Primary}.InstanceID(), CertificateThumbPrint: new("AB12"),
					AuthenticationType: new(msvm.AuthenticationNotDefined),
				})
			},
			unwanted: []string{"AB12"},
		},
		{
			name: "an invalid dependency does not affect the others", collector: "test_replica",
			setup: func(h *fakeHost) {
				setRows(h,
					msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(appID), Dependent: msvm.VMRef(testVM1ID)},
					msvm.ReplicaSystemDependency{Antecedent: "nonsense"})
			},
			want: []string{`test_replica_present{test_vm_id="` + testVM1ID + `",vm="app01",vm_id="` + appID + `"} 1`},
			log:  "nonsense",
		},
		{
			name: "the name of a VM that was created later is its GUID", collector: "test_replica",
			setup: func(h *fakeHost) {
				setRows(h, msvm.ReplicaSystemDependency{Antecedent: msvm.VMRef(laterID), Dependent: msvm.VMRef(testVM1ID)})
			},
			want: []string{`test_replica_present{test_vm_id="` + testVM1ID + `",vm="` + laterID + `",vm_id="` + laterID + `"} 1`},
		},
		{
			name: "test replicas need the names of the VMs", collector: "test_replica",
			setup:    func(h *fakeHost) { h.setError("Msvm_ComputerSystem", wmiquery.ErrInvalidState) },
			unwanted: []string{"present"}, log: "Msvm_ComputerSystem",
		},
		{
			name: "performance counters need the names of the VMs", collector: "perf",
			setup:    func(h *fakeHost) { h.setError("Msvm_ComputerSystem", wmiquery.ErrInvalidState) },
			unwanted: []string{"bytes"}, log: "Msvm_ComputerSystem",
		},
		{
			name: "no performance counters if nothing replicates (Q65)", collector: "perf",
			setup:    func(h *fakeHost) { setRows[msvm.ReplicaPerformance](h) },
			unwanted: []string{"_total"},
		},
		{
			name: "no certificate is missing if the store cannot be read", collector: "certificate",
			setup:    func(h *fakeHost) { h.setError("GetSystemCertificates", wmiquery.ErrInvalidState) },
			unwanted: []string{"certificate_"}, log: "GetSystemCertificates",
		},
		{
			name: "no certificate is missing if access is denied", collector: "certificate",
			setup:    func(h *fakeHost) { h.certificates = wmiquery.Reply{Code: wmiquery.CodeAccessDenied} },
			unwanted: []string{"certificate_"}, log: "access denied",
		},
		{
			name: "no certificate is missing if the host starts a job", collector: "certificate",
			setup:    func(h *fakeHost) { h.certificates = wmiquery.Reply{Code: wmiquery.CodeJobStarted} },
			unwanted: []string{"certificate_"}, log: "started a job",
		},
		{
			name: "certificates are missing if the store is empty", collector: "certificate",
			setup:    func(h *fakeHost) { h.certificates = wmiquery.Reply{} },
			want:     []string{`certificate_present{thumbprint="` + missingThumbprint + `",usage="relationship"} 0`},
			unwanted: []string{"not_after"},
		},
		{
			name: "the certificate of the server does not need the settings of relationships", collector: "certificate",
			setup:    func(h *fakeHost) { h.setError("Msvm_ReplicationSettingData", wmiquery.ErrInvalidState) },
			want:     []string{`certificate_present{thumbprint="` + testThumbprint(t) + `",usage="server"} 1`},
			unwanted: []string{`usage="relationship"`}, log: "Msvm_ReplicationSettingData",
		},
		{
			name: "a disabled server uses no certificate", collector: "certificate",
			setup: func(h *fakeHost) {
				setRows(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: new("AB"), RecoveryServerEnabled: new(false)})
			},
			unwanted: []string{`usage="server"`},
		},
		{
			name: "a certificate that cannot be parsed is present", collector: "certificate",
			setup: func(h *fakeHost) {
				h.certificates = certificatesReply([]byte("junk"))
				setRows(h, msvm.ReplicationServiceSettingData{CertificateThumbPrint: new(junk)})
			},
			want:     []string{`certificate_present{thumbprint="` + junk + `",usage="server"} 1`},
			unwanted: []string{"not_after"}, log: "x509",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := edgeCaseHost(t, newFakeClock())
			tt.setup(h)
			r := newFakeHostRig(h)
			got := parseSeries(r.gather(t, scrapeTimeout, tt.collector))
			success := "1"
			if tt.log != "" {
				success = "0"
			}
			tt.want = append(tt.want, fmt.Sprintf("collector_success{collector=%q} %s", tt.collector, success))
			for _, line := range tt.want {
				i := strings.LastIndexByte(line, ' ')
				if v := got["hyperv_replica_"+line[:i]]; v != line[i+1:] {
					t.Errorf("%s = %q, want %s", line[:i], v, line[i+1:])
				}
			}
			for s := range got {
				for _, unwanted := range tt.unwanted {
					if strings.Contains(s, unwanted) &&
						!strings.Contains(s, "_collector_") && !strings.Contains(s, "snapshot_timestamp") {
						t.Errorf("unexpected series %s", s)
					}
				}
			}
			if log := strings.Join(r.logs.TakeLines(), "\n"); !strings.Contains(log, tt.log) || tt.log == "" && log != "" {
				t.Errorf("log %q, want %q", log, tt.log)
			}
		})
	}
}

func testThumbprint(t *testing.T) string {
	t.Helper()
	_, thumbprint := newCertificate(t, noon.AddDate(0, 0, 20))
	return thumbprint
}

// perfClass is the only class that some versions of Windows do not have.
const perfClass = "Win32_PerfRawData_HyperVReplicaStats_HyperVReplicaVM"

// A class that is missing on some versions of Windows counts as missing only if the
// host has a visible replication service.
func TestMissingClass(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		setup                   func(h *fakeHost)
		success, supported, log string
	}{
		{"client edition", func(*fakeHost) {}, "1", "0", "level=info"},
		{"no Hyper-V", func(h *fakeHost) { h.setError("Msvm_ReplicationService", wmiquery.ErrUnsupported) }, "0", "1", "level=warn"},
		{"no permission", func(h *fakeHost) { setRows[msvm.ReplicationService](h) }, "0", "1", "Hyper-V Administrators"},
		{"no response", func(h *fakeHost) { h.setError("Msvm_ReplicationService", wmiquery.ErrTimeout) }, "0", "1", "level=error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := edgeCaseHost(t, newFakeClock())
			h.setError(perfClass, wmiquery.ErrUnsupported)
			tt.setup(h)
			r := newFakeHostRig(h)
			var lines []string
			for range 3 {
				got := parseSeries(r.gather(t, scrapeTimeout, "perf"))
				if s := got[`hyperv_replica_collector_success{collector="perf"}`]; s != tt.success {
					t.Errorf("success %s, want %s", s, tt.success)
				}
				if s := got[`hyperv_replica_collector_supported{collector="perf"}`]; s != tt.supported {
					t.Errorf("supported %s, want %s", s, tt.supported)
				}
				for _, line := range r.logs.TakeLines() {
					if !strings.Contains(line, "level=debug") {
						lines = append(lines, line)
					}
				}
			}
			if len(lines) != 1 || !strings.Contains(lines[0], tt.log) {
				t.Errorf("log %q, want one line with %q", lines, tt.log)
			}
		})
	}
}

// A missing class does not hide that the host stopped responding.
func TestMissingClassDoesNotHideTimeout(t *testing.T) {
	h := edgeCaseHost(t, newFakeClock())
	h.setError(perfClass, wmiquery.ErrUnsupported)
	r := newFakeHostRig(h)
	r.gather(t, scrapeTimeout, "perf")
	h.setError("Msvm_ComputerSystem", wmiquery.ErrTimeout)
	got := parseSeries(r.gather(t, scrapeTimeout, "perf"))
	if s := got[`hyperv_replica_collector_success{collector="perf"}`]; s != "0" {
		t.Errorf("success %s although the VMs are from the last good response", s)
	}
	if s := got[`hyperv_replica_collector_supported{collector="perf"}`]; s != "0" {
		t.Errorf("supported %s although the class is missing", s)
	}
}

// Q21: counters of VMs that share a name are omitted, which is logged once.
func TestDuplicatePerfNamesAreLoggedOnce(t *testing.T) {
	r := newFakeHostRig(edgeCaseHost(t, newFakeClock()))
	for range 3 {
		r.gather(t, scrapeTimeout, "perf")
	}
	if lines := r.logs.TakeLines(); len(lines) != 1 || !strings.Contains(lines[0], "vm=web01") {
		t.Errorf("log %q, want one line about web01", lines)
	}
}
