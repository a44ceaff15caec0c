package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"hyperv_replica_exporter/internal/web"
)

// app01 is a primary VM whose replication is late.
const app01 = `
	hyperv_replica_mode{mode="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_mode{mode="replica",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 0
	hyperv_replica_vm_protected{vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_vm_running{vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_relationship_info{mode="primary",primary_server="HV01",replica_server="HV02",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_state{state="replicating",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_state{state="critical",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 0
	hyperv_replica_health{health="warning",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_health_issue{message_id="33414",severity="degraded",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_health_issue_info{message_id="33414",message="behind by more than an hour",recommended_action="Check the network.",relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_lag_seconds{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 5640
	hyperv_replica_rpo_objective_seconds{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 900
	hyperv_replica_rpo_objective_set{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_interval_seconds{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 300
	hyperv_replica_pending_bytes{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 3221225472
	hyperv_replica_statistics_age_seconds{relationship="primary",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 12
	hyperv_replica_operation_running{operation="resynchronize",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1
	hyperv_replica_operation_progress_ratio{operation="resynchronize",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 0.25
	hyperv_replica_operation_start_timestamp_seconds{operation="resynchronize",vm="app01",vm_id="A0000000-0000-4000-8000-00000000000A"} 1795348200
	hyperv_replica_collector_success{collector="statistics"} 1
	hyperv_replica_collector_supported{collector="statistics"} 1
	hyperv_replica_snapshot_timestamp_seconds{collector="statistics"} 1795348788
`

// The table has the values of a VM in words and units. 1795348200 is ten minutes before noon.
func TestTableOfVMs(t *testing.T) {
	want := []string{
		"app01", "critical Objective missed behind by more than an hour", "primary, replicating",
		"1 h 34 min objective 15 min, interval 5 min", "3.0 GiB", "", "resynchronize 25%, about 30 min left", "12 s",
	}
	p := newPages(t, app01)
	if got := p.rows(); len(got) != 1 || !slices.Equal(got[0], want) {
		t.Errorf("rows %q, want one: %q", got, want)
	}
	for _, want := range []string{
		"0 of 1 replicated VMs are within their objective. 1 exceed it. The lag of 0 is unknown.",
		"Page made 2026-11-22 12:00:00 UTC. Source: wmi. hyperv_replica_exporter 1.2.3.",
	} {
		if got := p.text("/"); !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
}

// The page of a VM says what to do, and has every value. It is found by a GUID in lower case, too.
func TestPageOfAVM(t *testing.T) {
	p := newPages(t, app01, func(o *web.Options) {
		o.AdminURL, o.GrafanaURL = "https://localhost:10484", "https://grafana.example.com/"
	})
	got := p.text("/vm/a0000000-0000-4000-8000-00000000000a")
	for _, want := range []string{
		"Replication from HV01 to HV02", "critical Objective missed", "Find out why cycles are late or fail.",
		"section HyperVReplicaObjectiveMissed of docs/runbooks.md", "Power running",
		"https://localhost:10484/api/v1/replicas/A0000000-0000-4000-8000-00000000000A/primary/actions/test-connection",
		"degraded behind by more than an hour Check the network. 33414",
		`relationship_info mode="primary", primary_server="HV01", replica_server="HV02" 1`, "lag_seconds 5640",
		`operation_progress_ratio operation="resynchronize" 0.25`, `state state="replicating" 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, `state="critical"`) {
		t.Error("the page has a state that is not the current one")
	}
	const link = `href="https://grafana.example.com/d/hyperv-replica-vm?var-vm_id=A0000000-0000-4000-8000-00000000000A"`
	if body := p.body("/vm/A0000000-0000-4000-8000-00000000000A", http.StatusOK); !strings.Contains(body, link) {
		t.Errorf("no %s in\n%s", link, body)
	}
	if got := newPages(t, app01).text("/vm/A0000000-0000-4000-8000-00000000000A"); !strings.Contains(got, "see --admin.enabled") {
		t.Errorf("without the admin endpoint, the page has a call:\n%s", got)
	}
	p.body("/vm/nonsense", http.StatusNotFound)
	p.body("/nonsense", http.StatusNotFound)
}

// Names and messages of the host stay text.
func TestHostileNamesStayText(t *testing.T) {
	const hostile = `<img src=x onerror=alert(1)>'; & $(calc) {{.}}`
	exposition := strings.NewReplacer(`vm="app01"`, `vm="`+hostile+`"`, "behind by more than an hour", hostile,
		`state="replicating"`, `state="waiting_to_start_resynchronization"`, "HV01", hostile).Replace(app01)
	p := newPages(t, exposition)
	for _, path := range []string{"/", "/vm/A0000000-0000-4000-8000-00000000000A", "/exporter"} {
		for n := range p.document(path).Descendants() {
			if n.Type == html.ElementNode && n.Data == "img" {
				t.Errorf("%s has an element of a name", path)
			}
		}
	}
	if got := p.rows(); got[0][0] != hostile {
		t.Errorf("name %q, want %q", got[0][0], hostile)
	}
	const command = `Resume-VMReplication -VMName '<img src=x onerror=alert(1)>''; & $(calc) {{.}}' -Resynchronize`
	if got := p.text("/vm/A0000000-0000-4000-8000-00000000000A"); !strings.Contains(got, command) {
		t.Errorf("no %s in\n%s", command, got)
	}
}

// Pages load nothing from elsewhere, and have no script and no style of their own: the policy forbids it.
func TestPagesFollowTheirPolicy(t *testing.T) {
	p := newPages(t, app01, func(o *web.Options) { o.Source = "simulator" })
	for _, path := range []string{"/", "/vm/A0000000-0000-4000-8000-00000000000A", "/exporter"} {
		csp := p.get(path).Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if got := p.text(path); !strings.Contains(got, "Simulated host: nothing on this page is real.") {
			t.Errorf("%s does not say that the host is simulated", path)
		}
		for n := range p.document(path).Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s has an inline %s", path, n.Data)
			}
			for _, a := range n.Attr {
				loads := a.Key == "src" || a.Key == "href" && n.Data == "link"
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") ||
					loads && !strings.HasPrefix(a.Val, "/static/") && a.Val != "data:," {
					t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
				}
			}
		}
	}
	for file, contentType := range map[string]string{
		"/static/style.css": "text/css; charset=utf-8", "/static/script.js": "text/javascript; charset=utf-8",
	} {
		if r := p.get(file); r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != contentType {
			t.Errorf("%s: %d %s, want 200 %s", file, r.StatusCode, r.Header.Get("Content-Type"), contentType)
		}
	}
}

// What was read long ago, or not at all, is marked.
func TestPagesShowOldValues(t *testing.T) {
	for name, tt := range map[string]struct{ exposition, want string }{
		"never read": {"", "The host has not been read yet: it is read when /metrics is scraped."},
		"five minutes old": {
			strings.ReplaceAll(app01, "1795348788", "1795348500"), "Replication of VMs",
		},
		"older": {
			strings.ReplaceAll(app01, "1795348788", "1795348499"),
			"The oldest values are from 2026-11-22 11:54:59 UTC, 5 min 1 s ago",
		},
		"failed": {
			strings.ReplaceAll(app01, `success{collector="statistics"} 1`, `success{collector="statistics"} 0`),
			"The last reads failed: statistics.",
		},
	} {
		got := newPages(t, tt.exposition).text("/")
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in %s", name, tt.want, got)
		}
		if marked := strings.Contains(got, "The oldest values are from"); marked != (name == "older") {
			t.Errorf("%s: marked as old: %t", name, marked)
		}
	}
}

// The table of 1,000 VMs with two health issues each has less than 1 MB.
func TestPageOfAThousandVMsIsSmall(t *testing.T) {
	var b strings.Builder
	for i := range 1000 {
		one := strings.NewReplacer("00000000000A", fmt.Sprintf("%012d", i), "app01", fmt.Sprintf("application-%04d", i)).Replace(app01)
		if i > 0 {
			one, _, _ = strings.Cut(one, "	hyperv_replica_collector_success")
		}
		b.WriteString(one)
	}
	p := newPages(t, b.String())
	if n := len(p.body("/", http.StatusOK)); n > 1_000_000 || n < 100_000 {
		t.Errorf("the page has %d bytes, want at most 1,000,000", n)
	}
	if n := len(p.rows()); n != 1000 {
		t.Errorf("%d rows, want 1000", n)
	}
}
