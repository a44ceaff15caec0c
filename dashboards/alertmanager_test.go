//go:build prometheus

package dashboards_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	"go.yaml.in/yaml/v2"
)

var alertmanagerExample = "alertmanager.yml"

// amtool takes the example, and all the alerts that it names are there.
func TestAlertmanagerExample(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), promtest.Tool(t, "amtool"), "check-config", alertmanagerExample).CombinedOutput(); err != nil {
		t.Errorf("amtool check-config: %v\n%s", err, out)
	}
	text, err := os.ReadFile(alertmanagerExample)
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsOf(rules)
	named := regexp.MustCompile(`alertname[=!]~?"([^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(named) == 0 {
		t.Fatal("it names no alerts")
	}
	for _, m := range named {
		value, err := regexp.Compile("^(?:" + m[1] + ")$")
		if err != nil {
			t.Errorf("%q: %v", m[1], err)
			continue
		}
		// Each name of an alternation is that of an alert.
		found := 0
		for name := range alerts {
			if value.MatchString(name) {
				found++
			}
		}
		if want := strings.Count(m[1], "|") + strings.Count(m[1], ")?") + 1; found < want {
			t.Errorf("%q matches %d alerts, and names %d", m[1], found, want)
		}
	}
}

// alertmanager is a running Alertmanager.
type alertmanager struct{ url string }

// startAlertmanager starts a server with the example's configuration, until the
// test ends. Its receivers are paths of hook. If soon, it waits for seconds where
// it would for minutes; all else is as it is shipped.
func startAlertmanager(t *testing.T, hook string, soon bool) *alertmanager {
	t.Helper()
	var config map[string]any
	promtest.ReadYAML(t, alertmanagerExample, &config)
	for _, r := range config["receivers"].([]any) {
		r := r.(map[any]any)
		for _, c := range r["webhook_configs"].([]any) {
			c.(map[any]any)["url"] = hook + "/" + r["name"].(string)
		}
	}
	if soon {
		route := config["route"].(map[any]any)
		route["group_wait"], route["group_interval"] = "10s", "5s"
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	address := promtest.FreeAddress(t)
	promtest.RunServer(t, "alertmanager", "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	a := &alertmanager{"http://" + address}
	promtest.Await(t, "the Alertmanager is ready", func() bool {
		resp, err := http.Get(a.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return a
}

// amAlert is an alert as the Alertmanager has it.
type amAlert struct {
	Labels    map[string]string   `json:"labels"`
	EndsAt    *time.Time          `json:"endsAt,omitempty"`
	Receivers []map[string]string `json:"receivers,omitempty"`
	Status    *struct {
		State       string   `json:"state"`
		InhibitedBy []string `json:"inhibitedBy"`
	} `json:"status,omitempty"`
}

// notified is who gets the alert, "inhibited" if nobody does.
func (a amAlert) notified() string {
	if a.Status.State == "suppressed" {
		return "inhibited"
	}
	var names []string
	for _, r := range a.Receivers {
		names = append(names, r["name"])
	}
	return strings.Join(names, " ")
}

func (a *alertmanager) alerts(t *testing.T) []amAlert {
	t.Helper()
	resp, err := http.Get(a.url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []amAlert
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// raise raises alerts with these labels, or ends them.
func (a *alertmanager) raise(t *testing.T, labels []map[string]string, end bool) {
	t.Helper()
	all := []amAlert{}
	for _, l := range labels {
		alert := amAlert{Labels: l}
		if end {
			now := time.Now()
			alert.EndsAt = &now
		}
		all = append(all, alert)
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(a.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("raise alerts: %s %s", resp.Status, text)
	}
}

// An example of each inhibition: what is held back, and what alike is not.
func TestInhibition(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsOf(rules)
	a := startAlertmanager(t, "http://127.0.0.1:1", false)
	for _, tt := range []struct{ name, raised, inhibited string }{
		{"alone", "ObjectiveMissed/a LagHigh/b HealthWarning/c CollectorFailing@hv01 Paused/d", ""},
		{"a host that is down", "ExporterDown@hv01 SnapshotStale@hv01 SnapshotStale@hv02 ObjectiveMissed/a", "SnapshotStale@hv01"},
		{"a host that cannot be read", "HostUnreadable@hv01 CollectorFailing@hv01 CollectorFailing@hv02", "CollectorFailing@hv01"},
		{"calls that hang", "WorkersStuck@hv01 SnapshotStale@hv01 CollectorFailing@hv02 ListenerDown@hv01", "SnapshotStale@hv01"},
		{"paused", "Paused/a LagCritical/a CyclesMissed/a LagCritical/b ResynchronizationRequired/a", "LagCritical/a CyclesMissed/a"},
		{"paused on the replica", "PausedOnReplica/a HealthCritical/a EndsDisagree/a HealthCritical/b", "HealthCritical/a EndsDisagree/a"},
		{"one of two relationships", "Paused/a LagHigh/a/extended", ""},
		{"to be resynchronized", "ResynchronizationRequired/a ObjectiveMissed/a HealthCritical/a RecoveryPointsNotMerging/a", "ObjectiveMissed/a HealthCritical/a"},
		{"the worse", "ObjectiveMissed/a LagCritical/a LagHigh/a HealthWarning/a LagCritical/b LagHigh/b", "LagCritical/a LagHigh/a HealthWarning/a LagHigh/b"},
		{"being resynchronized", "Resynchronizing/a ObjectiveMissed/a ObjectiveUnknown/a HealthCritical/a ResynchronizationStuck/a ObjectiveMissed/b", "ObjectiveMissed/a ObjectiveUnknown/a HealthCritical/a"},
		{"again and again", "ObjectiveMissedAgain/a CyclesMissed/a HealthWarning/a ObjectiveMissedAgain/b ObjectiveMissed/b", "CyclesMissed/a HealthWarning/a ObjectiveMissedAgain/b"},
		{"what cannot be read is old", "CollectorFailing@hv01 SnapshotStale@hv01 SnapshotStale@hv02", "SnapshotStale@hv01"},
		{"expired", "CertificateExpired@hv01 CertificateExpires@hv01 CertificateExpires@hv02", "CertificateExpires@hv01"},
		{"the worse health", "HealthCritical/a HealthWarning/a HealthWarning/b", "HealthWarning/a"},
		{"no certificate", "CertificateMissing@hv01 ListenerDown@hv01 ListenerDown@hv02", "ListenerDown@hv01"},
		{"maintenance of a VM", "Maintenance/a ObjectiveMissed/a LagHigh/a/extended VMUnprotected/a ObjectiveMissed/b ExporterDown@hv01", "ObjectiveMissed/a LagHigh/a/extended VMUnprotected/a"},
		{"maintenance of a host", "Maintenance@hv01 Maintenance/a ExporterDown@hv01 ObjectiveMissed/a ObjectiveMissed/b ExporterDown@hv02 Paused/c", "ExporterDown@hv01 ObjectiveMissed/a"},
		{"after it", "ExporterDown@hv01 ObjectiveMissed/a", ""},
	} {
		var raised []map[string]string
		want := map[string]string{}
		// The last two are always there: when the one is inhibited, all sources are known.
		for text := range strings.FieldsSeq(tt.raised + " WorkersStuck@known SnapshotStale@known") {
			l := alertLabels(text)
			l["severity"] = alerts[l["alertname"]].Labels["severity"]
			raised = append(raised, l)
			want[key(l)] = map[string]string{"critical": "pager", "warning": "mail", "info": "journal"}[l["severity"]]
			if slices.Contains(strings.Fields(tt.inhibited+" SnapshotStale@known"), text) {
				want[key(l)] = "inhibited"
			}
		}
		if got := a.judge(t, raised, want); !maps.Equal(got, want) {
			t.Errorf("%s: got %v\nwant %v", tt.name, got, want)
		}
	}
}

// alertLabels reads Name/vm, Name/vm/relationship or Name@host.
func alertLabels(text string) map[string]string {
	name, host, _ := strings.Cut(text, "@")
	if host != "" {
		return map[string]string{"alertname": "HyperVReplica" + name, "instance": host}
	}
	parts := append(strings.Split(text, "/"), "primary")
	l := map[string]string{"alertname": "HyperVReplica" + parts[0], "vm": parts[1], "vm_id": parts[1]}
	if name := parts[0]; name != "Maintenance" && name != "VMUnprotected" {
		l["relationship"] = parts[2]
	}
	return l
}

// key is all that tells an alert from others.
func key(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, " ")
}

// judge raises alerts, and gives who is notified of each as soon as that is what
// is wanted; the Alertmanager takes note of what inhibits a moment later. Then it
// ends them.
func (a *alertmanager) judge(t *testing.T, raised []map[string]string, want map[string]string) map[string]string {
	t.Helper()
	if len(raised) == 0 {
		return nil
	}
	a.raise(t, raised, false)
	got := map[string]string{}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, alert := range a.alerts(t) {
			got[key(alert.Labels)] = alert.notified()
		}
		if maps.Equal(got, want) {
			break
		}
	}
	a.raise(t, raised, true)
	promtest.Await(t, fmt.Sprintf("the alerts %v have ended", raised), func() bool { return len(a.alerts(t)) == 0 })
	return got
}
