//go:build prometheus

package dashboards_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyperv_replica_exporter/internal/promtest"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"

	"hyperv_replica_exporter/internal/exportertest"
	"hyperv_replica_exporter/wmiquery/simulator"
)

// chainWorlds are the worlds of the chain and who is notified of what: all
// scenarios, a host that Hyper-V tells nothing, and one under maintenance.
//
// Alerts that Alertmanager inhibits are not here: they must not arrive. "lags" is
// any of the alerts of lag and health: which one a slow VM has changes with the hour.
// Time is too short for a copy to be seen making progress.
func chainWorlds() map[string]string {
	mixed := `
		pager   HealthCritical backup-proxy-01
		pager   ObjectiveMissed backup-proxy-01
		pager   PausedOnReplica rds01
		pager   ResynchronizationRequired build01
		pager   ResynchronizationStuck wsus01
		mail    EndsDisagree crm-app-01 dev-linux-01 vpn01
		mail    FailedOver crm-app-01 dev-linux-01 vpn01
		mail    InitialReplicationStuck erp-db-01 sharepoint01 web02
		mail    LeftPrepared intranet01
		mail    Paused monitoring01 print01
		mail    TestReplicaLeft radius01
		any     lags mail01
		journal Resynchronizing wsus01
		journal VMUnprotected app01`
	return map[string]string{
		"mixed": mixed, "german": mixed, "chinese": mixed,
		"healthy": `
		mail    TestReplicaLeft mail01`,
		"lagging": `
		any     lags backup-proxy-01 crm-app-01 intranet01 monitoring01 print01 rds01 sharepoint01 vpn01
		mail    TestReplicaLeft mail01`,
		"wan-outage": `
		pager   ObjectiveMissed app01 app01/extended dc01 file-server-01 mail01 sql01 web01
		mail    TestReplicaLeft mail01`,
		"resync-storm": `
		pager   ResynchronizationRequired dev-linux-01 erp-db-01 monitoring01 sharepoint01 vpn01
		pager   ResynchronizationStuck build01 crm-app-01 intranet01 wsus01
		mail    TestReplicaLeft mail01
		journal Resynchronizing build01 crm-app-01 intranet01 wsus01`,
		"failover-drill": `
		mail    EndsDisagree app01 backup-proxy-01 crm-app-01 dc01 file-server-01 rds01 vpn01
		mail    FailedOver app01 backup-proxy-01 crm-app-01 dc01 file-server-01 rds01 vpn01
		mail    LeftPrepared sharepoint01 sql01
		mail    TestReplicaLeft print01`,
		"unreadable": `
		pager   HostUnreadable HV01`,
		"maintenance": `
		journal Maintenance HV01 web01 sql01`,
	}
}

// chainSeeds are the worlds whose seed matters: simulated hosts have the time of day, and
// with most seeds some VM is at its objective at one hour and beyond it at another. With
// these none was, at 36 times of a day, but for the slow ones.
var chainSeeds = map[string]int{"lagging": 38, "resync-storm": 40}

// chainLags are the alerts that a slow VM has by turns, and slowVMs who is slow.
var (
	chainLags = regexp.MustCompile(`^HyperVReplica(ApplicationConsistentStale|CyclesMissed|HealthWarning|LagHigh|LagCritical|ObjectiveMissed)$`)
	slowVMs   = map[string]string{
		"mixed": "mail01", "german": "mail01", "chinese": "mail01",
		"lagging": "backup-proxy-01 crm-app-01 intranet01 monitoring01 print01 rds01 sharepoint01 vpn01",
	}
)

// fleet is the exporters that one Prometheus scrapes: those of several worlds,
// whose VMs have GUIDs of their own.
type fleet struct {
	exporters map[string]*exportertest.Program // by world and host
	hosts     map[string]string                // world and host by instance
	vms       map[string]string                // world by vm_id
	targets   []string
	// maintenance is the id of what was announced.
	maintenance string
}

func (f *fleet) add(t *testing.T, world string, hosts []string, args ...string) {
	t.Helper()
	for _, host := range hosts {
		p := exportertest.Start(t, append(args, "--simulator.host="+host)...)
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		f.exporters[world+" "+host], f.hosts[u.Host] = p, world+" "+host
		f.targets = append(f.targets, u.Host)
		_, body := exportertest.Get(t, http.DefaultClient, p.URL)
		for _, m := range regexp.MustCompile(`vm_id="([^"]+)"`).FindAllStringSubmatch(body, -1) {
			f.vms[m[1]] = world
		}
	}
}

// subject is the world that an alert is about, and what of it: as in chainWorlds.
func (f *fleet) subject(labels map[string]string) (world, text string) {
	name := strings.TrimPrefix(labels["alertname"], "HyperVReplica")
	if labels["vm_id"] == "" {
		world, host, _ := strings.Cut(f.hosts[labels["instance"]], " ")
		return world, name + " " + host
	}
	world, vm := f.vms[labels["vm_id"]], labels["vm"]
	if labels["relationship"] == "extended" {
		vm += "/extended"
	}
	if chainLags.MatchString(labels["alertname"]) && slices.Contains(strings.Fields(slowVMs[world]), vm) {
		name = "lags"
	}
	return world, name + " " + vm
}

// webhook is where the Alertmanager sends: receivers by path.
type webhook struct {
	*httptest.Server
	fleet *fleet

	mu       sync.Mutex
	firing   map[string]map[string]string // by world and subject, the severity and the receiver
	resolved map[string]map[string]bool
}

func newWebhook(t *testing.T, f *fleet) *webhook {
	t.Helper()
	h := &webhook{fleet: f, firing: map[string]map[string]string{}, resolved: map[string]map[string]bool{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *webhook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var message struct {
		Receiver string
		Alerts   []struct {
			Status string
			Labels map[string]string
		}
	}
	err := json.NewDecoder(r.Body).Decode(&message)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || r.URL.Path != "/"+message.Receiver {
		h.note("", "a message to "+r.URL.Path+" that is none", "")
	}
	for _, a := range message.Alerts {
		world, subject := h.fleet.subject(a.Labels)
		if a.Status == "resolved" {
			if h.resolved[world] == nil {
				h.resolved[world] = map[string]bool{}
			}
			h.resolved[world][subject] = true
			continue
		}
		h.note(world, subject, a.Labels["severity"]+" "+message.Receiver)
	}
}

func (h *webhook) note(world, subject, how string) {
	if h.firing[world] == nil {
		h.firing[world] = map[string]string{}
	}
	if strings.HasPrefix(subject, "lags ") {
		how = "any"
	}
	h.firing[world][subject] = how
}

// got is what has arrived about a world since it began, or was forgotten.
func (h *webhook) got(world string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.firing[world])
}

func (h *webhook) forget(world string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.firing, world)
}

func (h *webhook) wasResolved(world, subject string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resolved[world][subject]
}

// chainWant reads an entry of chainWorlds.
func chainWant(text string) map[string]string {
	severities := map[string]string{"pager": "critical pager", "mail": "warning mail", "journal": "info journal", "any": "any"}
	want := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		for _, subject := range words[2:] {
			want[words[1]+" "+subject] = severities[words[0]]
		}
	}
	return want
}

// duration is how long an alert's condition must last, or be gone, if at all.
var duration = regexp.MustCompile(`(?m)^( +(?:keep_firing_)?for: )([1-9]\w*)$`)

// quickRules are the rules with other durations: up to five minutes are six seconds,
// and what is longer eighteen, so that what explains another alert still comes first;
// what was said last counts for thirty seconds, which are ten scrapes as there. Nothing
// else of them is changed.
func quickRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range promtest.Glob(t, ruleFiles) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = duration.ReplaceAllFunc(text, func(line []byte) []byte {
			m := duration.FindSubmatch(line)
			lasts, err := model.ParseDuration(string(m[2]))
			if err != nil {
				t.Fatal(err)
			}
			quick := "6s"
			if time.Duration(lasts) > 5*time.Minute {
				quick = "18s"
			}
			return append(m[1], quick...)
		})
		text = bytes.ReplaceAll(text, []byte("[5m]"), []byte("[30s]"))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*.yml")
}

// config is the example of Prometheus for the fleet, with shorter intervals.
func (f *fleet) config(t *testing.T, a *alertmanager) string {
	t.Helper()
	var config map[string]any
	promtest.ReadYAML(t, "prometheus.yml", &config)
	global := config["global"].(map[any]any)
	global["scrape_interval"], global["evaluation_interval"] = "3s", "3s"
	config["rule_files"] = []string{quickRules(t)}
	job := config["scrape_configs"].([]any)[0].(map[any]any)
	job["scrape_timeout"], job["static_configs"] = "3s", []any{map[string]any{"targets": f.targets}}
	config["scrape_configs"] = []any{job} // the other is Prometheus itself
	config["alerting"] = map[string]any{"alertmanagers": []any{map[string]any{
		"static_configs": []any{map[string]any{"targets": []string{strings.TrimPrefix(a.url, "http://")}}},
	}}}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every scenario goes the whole way: exporters, as they are run, a real Prometheus
// with the rules, a real Alertmanager with the example of its configuration, and a
// webhook, at which exactly the expected alerts arrive. One fleet is cheaper than one
// chain for each.
func TestChain(t *testing.T) {
	f := &fleet{exporters: map[string]*exportertest.Program{}, hosts: map[string]string{}, vms: map[string]string{}}
	worlds := chainWorlds()
	for i, name := range simulator.Scenarios() {
		if worlds[name] == "" {
			t.Errorf("nothing is expected of the scenario %s", name)
		}
		seed := cmp.Or(chainSeeds[name], 1+i)
		f.add(t, name, threeHosts, "--simulator.scenario="+name, fmt.Sprintf("--simulator.seed=%d", seed))
	}
	f.add(t, "unreadable", oneHost, "--simulator.seed=20", "--simulator.fault=disconnected")
	// The two VMs of this one are sent by HV01, and HV02 sees them, too.
	control, _ := exportertest.AdminArgs(t)
	f.add(t, "maintenance", oneHost, append(control, "--simulator.seed=21", "--simulator.scenario=wan-outage", "--simulator.vms=2")...)
	f.add(t, "maintenance", []string{"HV02"}, "--simulator.seed=21", "--simulator.scenario=wan-outage", "--simulator.vms=2")
	f.announce(t, "", `{"owner": "ada", "reason": "new disks", "until": "`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)

	hook := newWebhook(t, f)
	a := startAlertmanager(t, hook.URL, true)
	api := promtest.StartPrometheusWith(t, f.config(t, a))
	for _, name := range slices.Sorted(maps.Keys(worlds)) {
		t.Run(name, func(t *testing.T) { hook.expect(t, name, chainWant(worlds[name])) })
	}
	t.Run("inhibited", func(t *testing.T) { checkInhibited(t, f, a, api, hook) })
	t.Run("relationships", func(t *testing.T) { checkRelationships(t, api) })
	t.Run("evaluation", func(t *testing.T) {
		checkEvaluation(t, api)
		// What HyperVReplicaRulesFailing looks at.
		if _, body := exportertest.Get(t, http.DefaultClient, api.URL+"/metrics"); !regexp.MustCompile(`prometheus_rule_evaluation_failures_total\{rule_group="[^"]*;hyperv_replica_ends"\} 0\n`).MatchString(body) {
			t.Error("Prometheus does not tell how the rules fare")
		}
	})
	for _, s := range api.Query(t, `min_over_time(up[5m]) == 0`) { // then alerts end and begin anew, and what explains another may come after it
		t.Errorf("the machine is too slow for this test: a scrape of %s failed", f.hosts[s.Labels["instance"]])
	}
	// Nothing came late, either.
	for name, text := range worlds {
		hook.expect(t, name, chainWant(text))
	}

	t.Run("an exporter goes down", func(t *testing.T) {
		f.exporters["unreadable HV01"].Stop()
		hook.expect(t, "unreadable", chainWant("pager HostUnreadable HV01\npager ExporterDown HV01"))
		promtest.Await(t, "what the host told of itself is over", func() bool { return hook.wasResolved("unreadable", "HostUnreadable HV01") })
	})
	t.Run("maintenance ends", func(t *testing.T) {
		hook.forget("maintenance")
		f.endMaintenance(t)
		hook.expect(t, "maintenance", chainWant("pager ObjectiveMissed web01 sql01"))
	})
}

// expect waits for what is expected of a world, and wants nothing else.
func (h *webhook) expect(t *testing.T, world string, want map[string]string) {
	t.Helper()
	arrived := func() bool {
		got := h.got(world)
		for subject := range want {
			if got[subject] == "" {
				return false
			}
		}
		return true
	}
	promtest.Poll(time.Minute, arrived)
	got := h.got(world)
	for subject, how := range want {
		if got[subject] != how {
			t.Errorf("%s: %s arrived as %q, want %q", world, subject, got[subject], how)
		}
	}
	for subject, how := range got {
		if want[subject] == "" {
			t.Errorf("%s: %s arrived as %q, and should not", world, subject, how)
		}
	}
}

// checkInhibited: what fires and did not arrive is inhibited, and that is all that is.
func checkInhibited(t *testing.T, f *fleet, a *alertmanager, api *promtest.Prometheus, hook *webhook) {
	t.Helper()
	inhibited := map[string]bool{}
	for _, alert := range a.alerts(t) {
		if alert.notified() == "inhibited" {
			world, subject := f.subject(alert.Labels)
			inhibited[world+": "+subject] = true
		}
	}
	for _, s := range api.Query(t, `ALERTS{alertstate="firing"}`) {
		world, subject := f.subject(s.Labels)
		if hook.got(world)[subject] == "" && !inhibited[world+": "+subject] {
			t.Errorf("%s: %s fires, is not inhibited and did not arrive", world, subject)
		}
	}
	for _, want := range []string{
		"mixed: HealthWarning build01", "mixed: LagCritical build01", "mixed: ObjectiveMissed build01", "mixed: HealthCritical build01", "mixed: HealthWarning wsus01",
		"mixed: LagHigh backup-proxy-01", "wan-outage: LagCritical app01/extended", "resync-storm: HealthCritical erp-db-01", "resync-storm: HealthWarning wsus01",
		"unreadable: CollectorFailing HV01", "maintenance: ObjectiveMissed web01", "maintenance: ObjectiveMissed sql01",
	} {
		if !inhibited[want] {
			t.Errorf("%s is not inhibited", want)
		}
	}
}

// checkRelationships: each relationship is there once, though several hosts tell of it.
func checkRelationships(t *testing.T, api *promtest.Prometheus) {
	t.Helper()
	for query, want := range map[string]string{
		`count by (vm_id, relationship) (relationship:hyperv_replica_lag_seconds:max) != 1`:    "",
		`max(count by (vm_id) (end:hyperv_replica_state:current{relationship="extended"}))`:    "2",
		`count(relationship:hyperv_replica_lag_seconds:max{relationship="extended"}) > bool 5`: "1",
	} {
		got := ""
		for _, s := range api.Query(t, query) {
			got += s.Value.String()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", query, got, want)
		}
	}
}

// announce posts to the maintenance of the host that has an admin endpoint.
func (f *fleet) announce(t *testing.T, path, body string) {
	t.Helper()
	resp, text := exportertest.Post(t, f.exporters["maintenance HV01"].AdminURL(t)+"/api/v1/maintenance"+path, body)
	var answer struct{ ID string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s: %s %v", resp.Status, text, err)
	}
	f.maintenance = answer.ID
}

func (f *fleet) endMaintenance(t *testing.T) {
	t.Helper()
	f.announce(t, "/"+f.maintenance+"/end", "{}")
}
