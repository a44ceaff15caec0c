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
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/promtest"
)

const alertmanagerExample = "alertmanager.yml"

func TestAmtoolAcceptsAlertmanagerExample(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), promtest.Tool(t, "amtool"), "check-config", alertmanagerExample)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("amtool check-config: %v\n%s", err, out)
	}
}

func TestAlertmanagerExampleNamesExistingAlerts(t *testing.T) {
	text, err := os.ReadFile(alertmanagerExample)
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
	matchers := regexp.MustCompile(`alertname[=!]~?"([^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(matchers) == 0 {
		t.Fatal("no matcher for alertname")
	}
	for _, m := range matchers {
		value, err := regexp.Compile("^(?:" + m[1] + ")$")
		if err != nil {
			t.Errorf("%q: %v", m[1], err)
			continue
		}
		matched := 0
		for name := range alerts {
			if value.MatchString(name) {
				matched++
			}
		}
		// Each alternative of the regular expression must be the name of an alert.
		if want := strings.Count(m[1], "|") + strings.Count(m[1], ")?") + 1; matched < want {
			t.Errorf("%q matches %d alerts, want at least %d", m[1], matched, want)
		}
	}
}

// A kind of alert is one notification, after a minute. It is repeated every two hours if it is critical, twice a day if
// it is a warning, and every four days if it is for information: Alertmanager forgets what it has sent after five days.
func TestAlertmanagerExampleGroupsAndRepeats(t *testing.T) {
	type route struct {
		Receiver       string
		GroupBy        []string `yaml:"group_by"`
		GroupWait      string   `yaml:"group_wait"`
		GroupInterval  string   `yaml:"group_interval"`
		RepeatInterval string   `yaml:"repeat_interval"`
		Continue       bool
		Matchers       []string
		Routes         []route
	}
	var config struct{ Route route }
	promtest.ReadYAML(t, alertmanagerExample, &config)
	want := route{
		Receiver: "mail", GroupBy: []string{"alertname"}, GroupWait: "1m", GroupInterval: "5m", RepeatInterval: "12h",
		Routes: []route{
			{Receiver: "pager", RepeatInterval: "2h", Matchers: []string{`severity="critical"`}},
			{Receiver: "journal", RepeatInterval: "4d", Matchers: []string{`severity="info"`}},
		},
	}
	if !reflect.DeepEqual(config.Route, want) {
		t.Errorf("got %+v\nwant %+v", config.Route, want)
	}
}

// alertmanager is a running Alertmanager.
type alertmanager struct{ url string }

// startAlertmanager starts a server with the example configuration. It runs until the test ends. The receivers are
// paths of webhookURL. With shortWaits, the server groups alerts for seconds instead of minutes.
func startAlertmanager(t *testing.T, webhookURL string, shortWaits bool) *alertmanager {
	t.Helper()
	var config map[string]any
	promtest.ReadYAML(t, alertmanagerExample, &config)
	for _, r := range config["receivers"].([]any) {
		r := r.(map[any]any)
		for _, c := range r["webhook_configs"].([]any) {
			c.(map[any]any)["url"] = webhookURL + "/" + r["name"].(string)
		}
	}
	if shortWaits {
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
	a := &alertmanager{
		promtest.RunServer(t, "alertmanager", "--config.file="+file, "--storage.path="+dir, "--cluster.listen-address="),
	}
	promtest.Await(t, "Alertmanager is ready", func() bool {
		resp, err := http.Get(a.url + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return a
}

// alerts returns the active alerts of the server.
func (a *alertmanager) alerts(t *testing.T) []alertmanagerAlert {
	t.Helper()
	resp, err := http.Get(a.url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []alertmanagerAlert
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// post sends alerts with the given labels to the server: as resolved or as firing alerts.
func (a *alertmanager) post(t *testing.T, labels []map[string]string, resolved bool) {
	t.Helper()
	all := []alertmanagerAlert{}
	for _, l := range labels {
		alert := alertmanagerAlert{Labels: l}
		if resolved {
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
		t.Fatalf("post alerts: %s %s", resp.Status, text)
	}
}

// route posts firing alerts and returns the receivers of each, keyed by labelsKey. It returns when these are the wanted
// ones, since Alertmanager inhibits alerts with a delay, or after 20 seconds; if want is nil, when they have not changed
// for a second. Then it resolves the alerts.
func (a *alertmanager) route(t *testing.T, alerts []map[string]string, want map[string]string) map[string]string {
	t.Helper()
	if len(alerts) == 0 {
		return nil
	}
	a.post(t, alerts, false)
	got, changed := map[string]string{}, time.Now()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		before := maps.Clone(got)
		for _, alert := range a.alerts(t) {
			got[labelsKey(alert.Labels)] = alert.receivers()
		}
		if !maps.Equal(got, before) {
			changed = time.Now()
		}
		if maps.Equal(got, want) || want == nil && len(got) == len(alerts) && time.Since(changed) > time.Second {
			break
		}
	}
	a.post(t, alerts, true)
	promtest.Await(t, fmt.Sprintf("the alerts %v are resolved", alerts), func() bool { return len(a.alerts(t)) == 0 })
	return got
}

// labelsKey returns a text that is the same for equal labels only.
func labelsKey(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name+"="+labels[name])
	}
	return strings.Join(all, " ")
}

// alertmanagerAlert is an alert in the API of Alertmanager.
type alertmanagerAlert struct {
	Labels    map[string]string   `json:"labels"`
	EndsAt    *time.Time          `json:"endsAt,omitempty"`
	Receivers []map[string]string `json:"receivers,omitempty"`
	Status    *struct {
		State       string   `json:"state"`
		InhibitedBy []string `json:"inhibitedBy"`
	} `json:"status,omitempty"`
}

// receivers returns the names of the receivers of an alert, or "inhibited".
func (a alertmanagerAlert) receivers() string {
	if a.Status.State == "suppressed" {
		return "inhibited"
	}
	var names []string
	for _, r := range a.Receivers {
		names = append(names, r["name"])
	}
	return strings.Join(names, " ")
}
