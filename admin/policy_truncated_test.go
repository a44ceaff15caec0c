package admin

import (
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/authz"
)

// examplePolicy is the policy of the documentation.
func examplePolicy(t *testing.T) string {
	t.Helper()
	_, policy, found := strings.Cut(readPage(t, controlPage), "```yaml\n# policy.yml\n# read_only")
	if !found {
		t.Fatal("control.md has no policy")
	}
	policy, _, _ = strings.Cut(policy, "```")
	return "# read_only" + policy
}

// The example in the documentation is valid and has no warnings, and each caller has the permissions that the
// documentation names.
func TestExamplePolicyIsValid(t *testing.T) {
	env := newTestEnv(t)
	env.writeFile(env.policy, examplePolicy(t))
	report, err := DescribePolicy(env.policy, "")
	if err != nil || len(report.Warnings) > 0 || report.ReadOnly {
		t.Fatalf("%+v, %v", report, err)
	}
	var callers []string
	for _, g := range report.Grants {
		callers = append(callers, g.Kind+" "+g.Name+" "+g.Role)
	}
	want := "user grafana viewer, user bob operator, user ada failover, user root owner, " +
		"subject CN=automation,O=Contoso operator, UPN ops@contoso.com viewer"
	if got := strings.Join(callers, ", "); got != want {
		t.Errorf("the callers are %s, want %s", got, want)
	}
}

// No part of a policy gives anybody a permission that the whole policy does not give: a policy that is cut off at any
// byte does not take effect. The old policy stays in effect.
func TestTruncatedPolicyIsNotUsed(t *testing.T) {
	const block = `
rules:
  - users:
      - grafana
      - vic
    role: viewer
    vms: all-in-one|.*-prod
  - users: [tim]
    role: operator
    vms: .*-test
    methods:
      - suspend
      - RemoveReplicationRelationshipEx
  - subjects:
    - CN=automation,O=Contoso
    role: viewer
    vms: all
    host: false
read_only: true
...
`
	env := newTestEnv(t)
	s := env.hosts["HV01"].server
	env.writeFile(env.policy, "rules: []\n...\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	old := s.policy.Load()
	for _, full := range []string{examplePolicy(t), strings.ReplaceAll(block, "\n", "\r\n"), block} {
		end := len(strings.TrimRight(full, "\r\n"))
		for n := range end {
			env.writeFile(env.policy, full[:n])
			s.reloadIfChanged()
			if s.policy.Load() != old {
				t.Fatalf("the first %d of %d bytes are used:\n%s", n, len(full), full[:n])
			}
		}
		env.writeFile(env.policy, full[:end])
		s.reloadIfChanged()
		if s.policy.Load() == old {
			t.Errorf("the whole policy is not used:\n%s", full)
		}
		old = s.policy.Load()
	}
	attributes := authz.Attributes{Role: authz.RoleOperator, Names: []string{"suspend"}, VM: env.vms[0], VMName: "a-test"}
	if p := old.Authorize(authz.Principal{User: "tim"}, attributes); p == nil || p.Detail != "the policy is read_only" {
		t.Errorf("the last policy is not the emergency stop: %+v", p)
	}
}
