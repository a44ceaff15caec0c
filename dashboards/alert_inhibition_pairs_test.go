//go:build prometheus

package dashboards_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// inhibition is what an alert inhibits: alerts that have the same values of the labels equal.
type inhibition struct{ source, equal, targets string }

// inhibitions are all inhibitions of the example configuration, without those of maintenance and of a host that is not
// monitored, which are those of inhibitsByHost.
var inhibitions = func() []inhibition {
	const sending = "CyclesMissed PendingGrowing PendingNotSent ApplicationConsistentStale HealthWarning " +
		"ObjectiveBudgetBurns"
	const lag = sending + " ObjectiveMissed HealthCritical"
	const paused = lag + " ApplyLagHigh EndsDisagree"
	return []inhibition{
		{"LineDown", "primary_server replica_server", lag + " LagUnknown LineFailures"},
		{"LineFailures", "primary_server replica_server", "CyclesMissed PendingGrowing HealthWarning"},
		{"SplitBrain", "vm_id", lag + " LagUnknown EndsDisagree FailedOver ResynchronizationRequired"},
		{"Paused", "vm_id relationship", paused},
		{"PausedOnReplica", "vm_id relationship", paused},
		{"ResynchronizationRequired", "vm_id relationship", lag + " LagUnknown"},
		{"Resynchronizing", "vm_id relationship", lag + " LagUnknown"},
		{"HealthCritical", "vm_id relationship", sending + " ObjectiveMissed EndsDisagree FailedOver"},
		{"ObjectiveMissed", "vm_id relationship", sending},
		{"CyclesMissed", "vm_id relationship", "HealthWarning PendingGrowing"},
		{"ObjectiveBudgetBurns", "vm_id relationship", "HealthWarning PendingGrowing CyclesMissed ObjectiveBudgetSpent"},
		{"EndsDisagree", "vm_id relationship", "FailedOver"},
		{"ClockAnomaly", "vm_id relationship", "LagUnknown PendingNotSent"},
		{"SiteLost", "instance", "ExporterDown HostUnreadable"},
		{"WorkersStuck", "instance", "CollectorFailing StatisticsStale"},
		{"ClassMissing", "instance collector", "CollectorFailing"},
		{"CertificateMissing", "instance", "ListenerDown"},
		{"CertificateExpires:critical", "instance thumbprint usage", "CertificateExpires:warning"},
	}
}()

// inhibits reports whether one of two alerts about the same VM or host inhibits the other.
func inhibits(source, target alertSubject) bool {
	switch source.name {
	case "Maintenance":
		return target.name != "Maintenance" && target.hasSame(source.isAboutVM())
	case "ExporterDown", "HostUnreadable":
		isExempt := slices.Contains([]string{"ExporterDown", "HostUnreadable", "SiteLost", "Maintenance"}, target.name)
		return !isExempt && target.hasSame(false)
	}
	return slices.ContainsFunc(inhibitions, func(i inhibition) bool {
		return i.source == source.name && slices.Contains(strings.Fields(i.targets), target.name)
	})
}

// alertSubject is an alert with the names of its labels.
type alertSubject struct {
	name     string // without the prefix, and with the severity if there are several of the name
	severity string
	labels   []string
}

func (s alertSubject) isAboutVM() bool { return slices.Contains(s.labels, "vm_id") }

// hasSame reports whether the alert has the label by which maintenance is announced: that of a VM or that of a host.
func (s alertSubject) hasSame(vm bool) bool {
	return vm && s.isAboutVM() || !vm && slices.Contains(s.labels, "instance")
}

// with returns the labels of the alert, whose values are the same for the same id.
func (s alertSubject) with(id string) map[string]string {
	name, _, _ := strings.Cut(s.name, ":")
	l := map[string]string{"alertname": "HyperVReplica" + name, "severity": s.severity}
	for _, name := range s.labels {
		l[name] = id
	}
	return l
}

var annotationLabel = regexp.MustCompile(`\$labels\.(\w+)`)

// alertSubjects returns all alerts. The labels of an alert are those that its annotations use, and the servers of the
// relationship that it is about. Maintenance is announced for a VM or for a host, and is in the list twice.
func alertSubjects(rules []promtest.Rule) []alertSubject {
	var all []alertSubject
	count := map[string]int{}
	for _, r := range rules {
		count[r.Alert]++
	}
	for _, r := range rules {
		if r.Alert == "" {
			continue
		}
		name, labels := strings.TrimPrefix(r.Alert, "HyperVReplica"), []string{}
		for _, m := range annotationLabel.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
			labels = append(labels, m[1])
		}
		if slices.Contains(labels, "vm") {
			labels = append(labels, "vm_id")
		}
		if strings.Contains(r.Expr, "relationship:hyperv_replica_labels:info") {
			labels = append(labels, "primary_server", "replica_server")
		}
		severity := r.Labels["severity"]
		if name == "Maintenance" {
			all = append(all,
				alertSubject{name, severity, []string{"vm", "vm_id"}}, alertSubject{name, severity, []string{"instance"}})
			continue
		}
		if count[r.Alert] > 1 {
			name += ":" + severity
		}
		all = append(all, alertSubject{name, severity, slices.Compact(slices.Sorted(slices.Values(labels)))})
	}
	return all
}

// Of each pair of alerts about the same VM or host, Alertmanager inhibits those that the other one explains. It
// inhibits none if the other one is about another VM, relationship, host, collector or certificate.
func TestAlertmanagerInhibitsPairsOfAlerts(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	subjects := alertSubjects(rules)
	var firing []map[string]string
	want := map[string]string{}
	fire := func(l map[string]string, isInhibited bool) {
		firing = append(firing, l)
		want[labelsKey(l)] = receiverBySeverity[l["severity"]]
		if isInhibited {
			want[labelsKey(l)] = "inhibited"
		}
	}
	for i, x := range subjects {
		for j, y := range subjects[:i] {
			id := fmt.Sprintf("pair %d %d", i, j)
			fire(x.with(id), inhibits(y, x))
			fire(y.with(id), inhibits(x, y))
		}
	}
	subject := func(name string) alertSubject {
		return subjects[slices.IndexFunc(subjects, func(s alertSubject) bool { return s.name == name })]
	}
	for _, i := range inhibitions {
		for target := range strings.FieldsSeq(i.targets) {
			for label := range strings.FieldsSeq(i.equal) {
				id := strings.Join([]string{i.source, target, label}, " ")
				fire(subject(i.source).with(id), false)
				other := subject(target).with(id)
				other[label] = "another " + id
				fire(other, false)
			}
		}
	}
	// A VM may have been renamed since the other alert began.
	for i, source := range subjects {
		for j, target := range subjects {
			if source.isAboutVM() && target.isAboutVM() && inhibits(source, target) {
				id := fmt.Sprintf("renamed %d %d", i, j)
				renamed := target.with(id)
				renamed["vm"] = "new name"
				fire(source.with(id), false)
				fire(renamed, true)
			}
		}
	}
	// Alerts of other rules are not inhibited.
	for i, source := range subjects {
		id := fmt.Sprintf("other %d", i)
		fire(source.with(id), false)
		other := source.with(id)
		other["alertname"], other["severity"] = "OtherAlert", "warning"
		firing, want[labelsKey(other)] = append(firing, other), "mail"
	}
	got := startAlertmanager(t, "http://127.0.0.1:1", false).route(t, firing, want)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: the receiver is %q, want %q", key, got[key], want[key])
		}
	}
}
