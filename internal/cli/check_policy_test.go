package cli_test

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exporter"
	"hyperv_replica_exporter/internal/exportertest"
)

// The command prints a table of who may do what, and warnings. A policy that is not valid is an error.
func TestCheckPolicyCommand(t *testing.T) {
	web := exportertest.TempFile(t, "basic_auth_users:\n"+
		"  ada: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n")
	const rules = `rules:
  - {users: [ada, bob], role: operator, vms: 'web.*', methods: [suspend, resume]}
  - {subjects: ['CN=a\, b,O=Contoso'], role: owner, vms: all, host: true, destructive: true}
`
	const table = `CALLER                      ROLE      VMS    HOST  METHODS          DESTRUCTIVE
user ada                    operator  web.*  no    suspend, resume  no
user bob                    operator  web.*  no    suspend, resume  no
subject CN=a\, b,O=Contoso  owner     all    yes   all of the role  yes
`
	const warnings = `warning: rule 1: user 'bob': not in basic_auth_users of the web config
warning: rule 2: subject 'CN=a\, b,O=Contoso': the web config does not verify client certificates
`
	const header = "CALLER  ROLE  VMS  HOST  METHODS  DESTRUCTIVE\n"
	for _, tt := range []struct {
		name, policy   string
		flags          []string
		code           int
		stdout, stderr string // stderr is a part of the errors
	}{
		{"valid", rules + "...\n", nil, exporter.ExitOK, table, ""},
		{"web config", rules + "...\n", []string{"--web.config.file=" + web}, exporter.ExitOK, table, warnings},
		{
			"read_only", "read_only: true\n" + rules + "...\n", nil, exporter.ExitOK,
			table + "The policy is read_only: it denies everything but reading.\n", "",
		},
		{"no rules", "rules: []\n...", nil, exporter.ExitOK, header, "warning: the policy has no rules, so it denies everything\n"},
		{"no last line", rules, nil, exporter.ExitRuntime, "", `the last line is not "..."`},
		{"no vms", "rules: [{users: [ada], role: viewer}]\n...", nil, exporter.ExitRuntime, "", `rule 1: vms: missing; write "vms: all"`},
		{"web config is missing", rules + "...", []string{"--web.config.file=missing"}, exporter.ExitRuntime, "", "missing"},
	} {
		file := exportertest.TempFile(t, tt.policy)
		got := run(t, false, append([]string{"check-policy", file}, tt.flags...)...)
		if got.code != tt.code || got.stdout != tt.stdout || !strings.Contains(got.stderr, tt.stderr) ||
			tt.stderr == "" && got.stderr != "" {
			t.Errorf("%s: got exit code %d, output\n%s\nerrors\n%s", tt.name, got.code, got.stdout, got.stderr)
		}
	}
	if got := run(t, false, "check-policy", "missing"); got.code != exporter.ExitRuntime {
		t.Errorf("a missing policy: exit code %d", got.code)
	}
	for _, args := range [][]string{{"check-policy"}, {"check-policy", "a", "b"}, {"check-policy", "--nonsense", "a"}} {
		if got := run(t, false, args...); got.code != exporter.ExitUsage {
			t.Errorf("%q: exit code %d, want %d", args, got.code, exporter.ExitUsage)
		}
	}
}
