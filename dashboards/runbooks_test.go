//go:build prometheus

package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/promtest"
)

// Each alert has a section in the runbooks with all the usual parts, and each section is about an existing alert.
func TestEachAlertHasRunbook(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
	text, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		if !strings.HasPrefix(name, "HyperVReplica") {
			continue
		}
		sections[name] = true
		if _, ok := alerts[name]; !ok {
			t.Errorf("the alert %s does not exist", name)
		}
		for _, part := range []string{
			"**Meaning.**", "**Impact.**", "**Diagnosis.**", "**Mitigation.**", "**False positives.**",
			"```powershell\n",
		} {
			if !strings.Contains(body, part) {
				t.Errorf("%s: no part %q", name, part)
			}
		}
	}
	for name := range alerts {
		if !sections[name] {
			t.Errorf("%s: no section in the runbooks", name)
		}
	}
}

// The table at the beginning of the runbooks has each alert in the row of its severity, and no others.
func TestRunbooksBeginWithTableOfAlerts(t *testing.T) {
	text, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), "\n## ")
	var got, want []string
	for _, row := range regexp.MustCompile(`(?m)^\| (critical|warning|info) \|.*$`).FindAllStringSubmatch(table, -1) {
		for _, m := range regexp.MustCompile(`\[(\w+)\]\(#hypervreplica(\w+)\)`).FindAllStringSubmatch(row[0], -1) {
			if strings.ToLower(m[1]) != m[2] {
				t.Errorf("the link of %s leads to %s", m[1], m[2])
			}
			got = append(got, row[1]+" "+m[1])
		}
	}
	rules, _ := promtest.ReadRules(t, ruleFiles)
	for _, r := range rules {
		if r.Alert != "" {
			want = append(want, r.Labels["severity"]+" "+strings.TrimPrefix(r.Alert, "HyperVReplica"))
		}
	}
	wantRows(t, got, want)
}

// alertName matches a name that could be that of an alert of this project, in any document.
var alertName = regexp.MustCompile(`\bHyperVReplica[A-Z]\w+`)

// The documents and the program name only alerts that exist.
func TestDocumentsNameExistingAlerts(t *testing.T) {
	rules, _ := promtest.ReadRules(t, ruleFiles)
	alerts := alertsByName(rules)
	files := slices.Concat(
		promtest.Glob(t, filepath.Join("..", "docs", "*.md")), promtest.Glob(t, filepath.Join("..", "internal", "*", "*.go")),
		promtest.Glob(t, "*.json"), promtest.Glob(t, "*.md"), []string{filepath.Join("..", "README.md"), alertmanagerExample},
	)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range alertName.FindAllString(string(text), -1) {
			found++
			// The class of the performance counters.
			if _, ok := alerts[name]; !ok && !strings.HasPrefix(name, "HyperVReplicaVM") && name != "HyperVReplicaStats" {
				t.Errorf("%s: the alert %s does not exist", file, name)
			}
		}
	}
	if found < 100 {
		t.Errorf("%d names of alerts were found, want at least 100", found)
	}
}

var (
	// runbookCall matches a call of the admin endpoint in a runbook: the shell function and the action.
	runbookCall = regexp.MustCompile(`(?m)^(act|confirm) "\$HV0\d" ([a-z-]+)`)
	// actionRow matches a row of the table of actions in docs/control.md: the action, and what it destroys, if
	// anything. An action that destroys something needs a confirmation. Another test compares the table with the code.
	actionRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|[^|]+\\|[^|]+\\| ([^|]*?) *\\| (?:operator|failover|owner) ")
)

// The runbooks use only existing actions, and the shell function confirm for exactly those that need a confirmation.
func TestRunbookCallsMatchActions(t *testing.T) {
	control, err := os.ReadFile(filepath.Join("..", "docs", "control.md"))
	if err != nil {
		t.Fatal(err)
	}
	runbooks, err := os.ReadFile(runbooksFile)
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]string{} // shell functions by action
	for _, m := range actionRow.FindAllStringSubmatch(string(control), -1) {
		functions[m[1]] = "act"
		if m[2] != "" {
			functions[m[1]] = "confirm"
		}
	}
	calls := map[string]bool{}
	for _, m := range runbookCall.FindAllStringSubmatch(string(runbooks), -1) {
		calls[m[2]] = true
		// A resume needs a confirmation only if a resynchronization is required.
		if functions[m[2]] != m[1] && m[2] != "resume" {
			t.Errorf("the runbooks use %q for %s, want %q", m[1], m[2], functions[m[2]])
		}
	}
	for _, action := range []string{"resume", "resynchronize", "cancel-failover", "cleanup-test-failover"} {
		if !calls[action] {
			t.Errorf("no runbook uses the action %s", action)
		}
	}
}
