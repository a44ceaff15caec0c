//go:build prometheus

package dashboards_test

import (
	"os"
	"path/filepath"
	"regexp"
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

var (
	// runbookCall matches a call of the admin endpoint in a runbook: the shell function and the action.
	runbookCall = regexp.MustCompile(`(?m)^(act|confirm) "\$HV0\d" ([a-z-]+)`)
	// actionRow matches a row of the table of actions in docs/control.md: the action, and what it destroys, if
	// anything. An action that destroys something needs a confirmation. Another test compares the table with the code.
	actionRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [^|]+ \\| ([^|]*?) *\\| (?:operator|failover|owner) ")
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
		if functions[m[2]] != m[1] {
			t.Errorf("the runbooks use %q for %s, want %q", m[1], m[2], functions[m[2]])
		}
	}
	for _, action := range []string{"resume", "resynchronize", "cancel-failover", "cleanup-test-failover"} {
		if !calls[action] {
			t.Errorf("no runbook uses the action %s", action)
		}
	}
}
