package authz

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/filetest"
)

// policyOf returns the policy of a file with this text and the last line. The only known names are suspend, failover and
// InitiateFailover.
func policyOf(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := readPolicy(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readPolicy(t *testing.T, text string) (*Policy, error) {
	t.Helper()
	file := filepath.Join(filetest.Dir(t), "policy.yml")
	if err := os.WriteFile(file, []byte(text+"\n...\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadPolicy(file, func(name string) bool {
		return name == "suspend" || name == "failover" || name == "InitiateFailover"
	})
}

func allows(p *Policy, c Principal, a Attributes) bool { return p.Authorize(c, a) == nil }

const guid = "6D8A6D5C-0B1F-4B5E-9D55-2B5A3B0E7C11"

// The expression in vms matches a whole name or a whole GUID, regardless of case, also if it is an alternation.
func TestVMsMatchesWholeNameOrGUID(t *testing.T) {
	for _, tt := range []struct {
		vms, name string
		want      bool
	}{
		{"web01", "web01", true},
		{"web01", "WEB01", true},
		{"WEB01", "web01", true},
		{"web01", "web010", false},
		{"web01", "aweb01", false},
		{"web01", "web01 - Test", false},
		{"web01", "web01\n", false},
		{"web01", "x\nweb01", false},
		{"(?m)^web01$", "web01\nx", false},
		{"web01|sql.*", "web01", true},
		{"web01|sql.*", "sql", true},
		{"web01|sql.*", "sql07", true},
		{"web01|sql.*", "SQL07", true},
		{"web01|sql.*", "web012", false},
		{"web01|sql.*", "web01-old", false},
		{"web01|sql.*", "mysql07", false},
		{"sql.*|web01", "sql07", true},
		{"sql.*|web01", "aweb01", false},
		{"a|b|c", "b", true},
		{"a|b|c", "bc", false},
		{"a|b|c", "ab", false},
		{".*", "anything", true},
		{"web.", "web1", true},
		{"web.", "web", false},
		{`web\.`, "web1", false},
		{"^web01$", "web01", true},
		{guid, "web01", true},
		{strings.ToLower(guid), "web01", true},
		{guid[:35], "web01", false},
		{guid + "0", "web01", false},
		{guid + "|sql01", "web01", true},
		{"sql01|" + guid, "web01", true},
		{guid[:35] + "|sql01", "web01", false},
		{"all", "web01", true},
		{"all", "", true},
		{"All", "web01", false}, // an expression
		{".+", "", true},        // the GUID
		{"web01|", "", false},
		{"x*", "", false}, // a VM without a name does not match an expression for the empty text
	} {
		p := policyOf(t, "rules: [{users: [ada], role: owner, vms: '"+tt.vms+"'}]")
		a := Attributes{Role: RoleOwner, VM: guid, VMName: tt.name}
		if got := allows(p, Principal{User: "ada"}, a); got != tt.want {
			t.Errorf("vms %q, VM %q: allowed %v, want %v", tt.vms, tt.name, got, tt.want)
		}
	}
}

// A rule includes the host itself only with host: true, whatever vms is.
func TestVMsDoesNotIncludeTheHost(t *testing.T) {
	for _, vms := range []string{".*", "all", "x*", "HV01"} {
		for _, host := range []string{"", ", host: false", ", host: true"} {
			p := policyOf(t, "rules: [{users: [ada], role: owner, destructive: true, vms: '"+vms+"'"+host+"}]")
			for _, role := range []Role{RoleViewer, RoleOwner} {
				want := host == ", host: true"
				if got := allows(p, Principal{User: "ada"}, Attributes{Role: role}); got != want {
					t.Errorf("vms %q%s, request for %s about the host: allowed %v, want %v", vms, host, role, got, want)
				}
			}
		}
	}
	p := policyOf(t, "rules: [{users: [ada], role: owner, vms: '.*'}]")
	if allows(p, Principal{User: "ada"}, Attributes{Role: RoleOwner, VMName: "web01"}) {
		t.Error("a name without a GUID counts as a VM")
	}
}

// Each role includes the roles before it and no other.
func TestRoleIncludesLowerRoles(t *testing.T) {
	roles := []string{"viewer", "operator", "failover", "owner"}
	for granted, text := range map[string]string{
		"viewer": "+---", "operator": "++--", "failover": "+++-", "owner": "++++",
	} {
		p := policyOf(t, "rules: [{users: [ada], role: "+granted+", vms: all, host: true}]")
		for i, required := range roles {
			role, err := ParseRole(required)
			if err != nil || role.String() != required {
				t.Fatalf("ParseRole(%s): %s, %v", required, role, err)
			}
			got, want := allows(p, Principal{User: "ada"}, Attributes{Role: role, VM: guid}), text[i] == '+'
			if got != want {
				t.Errorf("rule for %s, request for %s: allowed %v, want %v", granted, required, got, want)
			}
		}
	}
	for _, name := range []string{"none", "", "Owner", "OWNER", "owner ", "admin", "0", "4"} {
		if role, err := ParseRole(name); err == nil || role != RoleNone {
			t.Errorf("ParseRole(%q): %s, %v; want an error", name, role, err)
		}
	}
}

// A rule with methods includes an action under its own name and under that of its method. Reading needs no method.
func TestMethodsLimitsActions(t *testing.T) {
	failover := Attributes{Role: RoleFailover, Names: []string{"InitiateFailover", "failover"}, VM: guid}
	suspend := Attributes{Role: RoleOperator, Names: []string{"RequestReplicationStateChangeEx", "suspend"}, VM: guid}
	read := Attributes{Role: RoleViewer, Names: []string{"GetReplicationStatistics"}, VM: guid}
	nameless := Attributes{Role: RoleOperator, VM: guid}
	for _, tt := range []struct {
		methods                           string
		failover, suspend, read, nameless bool
	}{
		{"", true, true, true, true},
		{", methods: [failover]", true, false, true, false},
		{", methods: [InitiateFailover]", true, false, true, false},
		{", methods: [suspend]", false, true, true, false},
		{", methods: [suspend, failover]", true, true, true, false},
	} {
		p := policyOf(t, "rules: [{users: [ada], role: owner"+tt.methods+", vms: all, host: true}]")
		for _, c := range []struct {
			name string
			a    Attributes
			want bool
		}{
			{"failover", failover, tt.failover},
			{"suspend", suspend, tt.suspend},
			{"read", read, tt.read},
			{"no name", nameless, tt.nameless},
		} {
			if got := allows(p, Principal{User: "ada"}, c.a); got != c.want {
				t.Errorf("rule with %q, %s: allowed %v, want %v", tt.methods, c.name, got, c.want)
			}
		}
	}
}

// A request that destroys something needs destructive: true, whatever the role is.
func TestDestructiveIsNotPartOfARole(t *testing.T) {
	for _, role := range []Role{RoleViewer, RoleOperator, RoleFailover, RoleOwner} {
		for _, destructive := range []string{"true", "false"} {
			p := policyOf(t, "rules: [{users: [ada], role: owner, destructive: "+destructive+", vms: all, host: true}]")
			a := Attributes{Role: role, VM: guid, Destroys: true}
			if got := allows(p, Principal{User: "ada"}, a); got != (destructive == "true") {
				t.Errorf("destructive %s, destructive request for %s: allowed %v", destructive, role, got)
			}
			a.Destroys = false
			if !allows(p, Principal{User: "ada"}, a) {
				t.Errorf("destructive %s, harmless request for %s: refused", destructive, role)
			}
		}
	}
	p := policyOf(t, "rules: [{users: [ada], role: owner, vms: all, host: true}]")
	if allows(p, Principal{User: "ada"}, Attributes{Role: RoleOwner, VM: guid, Destroys: true}) {
		t.Error("without destructive a destructive request is allowed")
	}
}

// One rule must allow the whole request. The role of one rule, the VMs of another, the methods of a third and the
// destructive of a fourth do not add up.
func TestRulesDoNotAddUp(t *testing.T) {
	request := Attributes{
		Role: RoleFailover, Names: []string{"InitiateFailover", "failover"}, VM: guid, VMName: "web01", Destroys: true,
	}
	const complete = "{users: [ada], role: failover, methods: [failover], vms: web01, destructive: true}"
	parts := []string{
		"{users: [eve], role: failover, methods: [failover], vms: web01, destructive: true}",
		"{users: [ada], role: operator, methods: [failover], vms: web01, destructive: true}",
		"{users: [ada], role: failover, methods: [suspend], vms: web01, destructive: true}",
		"{users: [ada], role: failover, methods: [failover], vms: web02, destructive: true}",
		"{users: [ada], role: failover, methods: [failover], vms: web01}",
	}
	if p := policyOf(t, "rules: ["+strings.Join(parts, ", ")+"]"); allows(p, Principal{User: "ada"}, request) {
		t.Error("five rules that each lack something allow the request")
	}
	for i := range len(parts) + 1 { // the order of the rules does not matter
		rules := append(append(append([]string{}, parts[:i]...), complete), parts[i:]...)
		if p := policyOf(t, "rules: ["+strings.Join(rules, ", ")+"]"); !allows(p, Principal{User: "ada"}, request) {
			t.Errorf("the rule at position %d does not allow the request", i)
		}
	}
}

// A rule is for the users and subjects that it names exactly.
func TestRuleIsForNamedCallers(t *testing.T) {
	p := policyOf(t, `
rules:
  - {users: [ada, bob], role: operator, vms: all, host: true}
  - {subjects: ['CN=ops,O=Contoso'], role: owner, vms: all, host: true}
`)
	for _, tt := range []struct {
		caller               Principal
		known, operator, all bool
	}{
		{Principal{User: "ada"}, true, true, false},
		{Principal{User: "bob"}, true, true, false},
		{Principal{User: "Ada"}, false, false, false},
		{Principal{User: "ad"}, false, false, false},
		{Principal{User: "ada "}, false, false, false},
		{Principal{User: "eve"}, false, false, false},
		{Principal{}, false, false, false},
		{Principal{Subject: "CN=ops,O=Contoso"}, true, true, true},
		{Principal{Subject: "CN=ops"}, false, false, false},
		{Principal{Subject: "CN=OPS,O=Contoso"}, false, false, false},
		{Principal{Subject: "ada"}, false, false, false},
		{Principal{User: "CN=ops,O=Contoso"}, false, false, false},
		{Principal{User: "ada", Subject: "CN=other"}, true, true, false},
		{Principal{User: "eve", Subject: "CN=ops,O=Contoso"}, true, true, true},
		{Principal{User: "ada", Subject: "CN=ops,O=Contoso"}, true, true, true},
	} {
		if got := p.Role(tt.caller) != RoleNone; got != tt.known {
			t.Errorf("%v: known %v, want %v", tt.caller, got, tt.known)
		}
		for role, want := range map[Role]bool{RoleViewer: tt.known, RoleOperator: tt.operator, RoleOwner: tt.all} {
			if got := allows(p, tt.caller, Attributes{Role: role, VM: guid}); got != want {
				t.Errorf("%v, request for %s: allowed %v, want %v", tt.caller, role, got, want)
			}
		}
	}
}

// A read_only policy allows reading and, for an owner, a reload. It allows nothing else, whatever the rules say.
func TestReadOnlyAllowsReadingAndReload(t *testing.T) {
	const rules = "rules: [{users: [ada], role: owner, destructive: true, vms: all, host: true}, {users: [bob], role: failover, vms: all, host: true}]"
	for _, tt := range []struct {
		name                   string
		user                   string
		a                      Attributes
		whileReadOnly, without bool
	}{
		{"read", "ada", Attributes{Role: RoleViewer, VM: guid}, true, true},
		{"operator", "ada", Attributes{Role: RoleOperator, VM: guid}, false, true},
		{"failover", "ada", Attributes{Role: RoleFailover, VM: guid}, false, true},
		{"owner", "ada", Attributes{Role: RoleOwner}, false, true},
		{"destructive", "ada", Attributes{Role: RoleOperator, VM: guid, Destroys: true}, false, true},
		{"reload", "ada", Attributes{Role: RoleOwner, Reload: true}, true, true},
		{"reload by another role", "bob", Attributes{Role: RoleOwner, Reload: true}, false, false},
		{"reload by a stranger", "eve", Attributes{Role: RoleOwner, Reload: true}, false, false},
		{"read by a stranger", "eve", Attributes{Role: RoleViewer, VM: guid}, false, false},
	} {
		for text, want := range map[string]bool{
			"read_only: true\n" + rules: tt.whileReadOnly, "read_only: false\n" + rules: tt.without, rules: tt.without,
		} {
			if got := allows(policyOf(t, text), Principal{User: tt.user}, tt.a); got != want {
				t.Errorf("%s under %s: allowed %v, want %v", tt.name, text, got, want)
			}
		}
	}
}

// Without a policy file everybody can read, and nobody can do anything else.
func TestNoPolicyFileAllowsReading(t *testing.T) {
	p, err := ReadPolicy("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Principal{{}, {User: "ada"}, {Subject: "CN=ops"}} {
		if p.Role(c) == RoleNone || !allows(p, c, Attributes{Role: RoleViewer, VM: guid}) ||
			!allows(p, c, Attributes{Role: RoleViewer}) {
			t.Errorf("%v cannot read", c)
		}
		for _, a := range []Attributes{
			{Role: RoleOperator, VM: guid},
			{Role: RoleFailover, VM: guid},
			{Role: RoleOwner},
			{Role: RoleViewer, VM: guid, Destroys: true},
			{Role: RoleOwner, Reload: true},
		} {
			if allows(p, c, a) {
				t.Errorf("%v is allowed %+v", c, a)
			}
		}
	}
}

// A policy without rules denies everything, unlike no policy file.
func TestEmptyPolicyDeniesEverything(t *testing.T) {
	for _, text := range []string{"{}", "rules: []", "read_only: false"} {
		p := policyOf(t, text)
		if c := (Principal{User: "ada"}); p.Role(c) != RoleNone || allows(p, c, Attributes{Role: RoleViewer, VM: guid}) {
			t.Errorf("%s: a caller can read", text)
		}
	}
}
