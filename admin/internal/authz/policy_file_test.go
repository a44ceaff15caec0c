package authz

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/filetest"
)

// A policy with a mistake in any rule is not valid. The error names the rule.
func TestInvalidPolicies(t *testing.T) {
	const valid = "{users: [ada], role: owner, vms: all, host: true}"
	for _, tt := range []struct{ text, want string }{
		{"rules: [" + valid + ", {users: [ada], role: king, vms: all, host: true}]", "rule 2: role"},
		{"rules: [{users: [ada], role: king, vms: all, host: true}, " + valid + "]", "rule 1: role"},
		{"rules: [{users: [ada]}]", "rule 1: role"},
		{"rules: [{users: [ada], role: none, vms: all, host: true}]", "rule 1: role"},
		{"rules: [{users: [], role: owner, vms: all, host: true}]", "neither users nor subjects"},
		{"rules: [{users: [ada, ''], role: owner, vms: all, host: true}]", "is empty"},
		{"rules: [{subjects: [''], role: owner, vms: all, host: true}]", "is empty"},
		{"rules: [{users: [ada], role: owner, methods: [], vms: all, host: true}]", "methods is empty"},
		{"rules: [{users: [ada], role: owner, methods: [suspend, explode], vms: all, host: true}]", `"explode"`},
		{"rules: [{users: [ada], role: owner, methods: [Suspend], vms: all, host: true}]", `"Suspend"`},
		{"rules: [{users: [ada], role: owner, vms: '['}]", "missing closing ]"},
		{"rules: [{users: [ada], role: owner, vms: 'a)|(?:b'}]", "unexpected )"},
		{"rules: [{users: [ada], role: owner, vm: web01, vms: all, host: true}]", "vm"},
		{"rules: [" + valid + "]\nreadonly: true", "readonly"},
		{"read_only: true\nread_only: false", "read_only"},
		{"rules: [{users: [ada], users: [bob], role: owner, vms: all}]", "users"},
		{"rules: [{upns: [a], upns: [b], role: owner, vms: all}]", "upns"},
		{"rules: [{users: [ada], role: owner}]", "rule 1: vms: missing; write \"vms: all\" for all VMs"},
		{"rules: [{users: [ada], role: owner, host: true}]", "rule 1: vms: missing"},
		{"rules: [{users: [ada], role: owner, vms: ''}]", "rule 1: vms: missing"},
		{"rules: [{users: [ada], role: owner, vms: none}]", "vms: none is only for a rule with host: true"},
		{"rules: [{users: [ada], role: owner, vms: }]", "vms: has no value"},
		{"rules: [{users: [ada], role: owner, vms: ~}]", "vms: has no value"},
		{"rules: [{users: [ada], role: owner, vms: all, methods: }]", "methods: has no value"},
		{"rules: [{users: [ada], role: owner, vms: all, destructive: null}]", "destructive: has no value"},
		{"rules: [{users: [ada, ], role: owner, vms: all}]\nread_only:", "read_only: has no value"},
		{"rules: [{users: [ada, ~], role: owner, vms: all}]", "element of a list has no value"},
		{"rules: [~]", "element of a list has no value"},
		{"rules: [" + valid + "]\n---\nrules: [" + valid + "]", "more than one YAML document"},
		{"rules: [" + valid + "]\n...\nread_only: true", "more than one YAML document"},
		{"rules: [" + valid + "]\n...\n---", "more than one YAML document"},
		{"rules: [" + valid + "]\n}", "yaml"},
		{"rules: [{users: [ada, bob, ada], role: owner, vms: all}]", `users: "ada" is given twice`},
		{"rules: [{upns: [a@b, a@b], role: owner, vms: all}]", `upns: "a@b" is given twice`},
		{"rules: [{dns_names: [''], role: owner, vms: all}]", "dns_names: a name is empty"},
		{"rules: [{dns_names: [], uris: [], emails: [], upns: [], role: owner, vms: all}]", "neither users nor subjects"},
		{`rules: [{users: ["a\u200b"], role: owner, vms: all}]`, "cannot be seen"},
		{"rules: [{subjects: ['CN=a, O=b'], role: owner, vms: all}]", "write it as 'CN=a,O=b'; a subject has only one spelling"},
		{"rules: [{subjects: ['O=b+CN=a'], role: owner, vms: all}]", "write it as 'CN=a+O=b'"},
		{"rules: [{subjects: ['CN=a', 'cn=a'], role: owner, vms: all}]", "write it as 'CN=a'"},
		{"rules: [{subjects: [ops], role: owner, vms: all}]", "not an attribute such as CN=ops"},
		{"rules: [{subjects: ['title=x'], role: owner, vms: all}]", "use its OID"},
		{"\xff", "UTF-8"},
		{"...", "yaml"},
	} {
		if _, err := readPolicy(t, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.text, err, tt.want)
		}
	}
	if _, err := ReadPolicy(filepath.Join(filetest.Dir(t), "missing.yml"), nil); err == nil {
		t.Error("a missing file is valid")
	}
}

// A policy without its last line is not valid, whatever it says.
func TestLastLineOfPolicy(t *testing.T) {
	const rules = "rules: [{users: [ada], role: owner, vms: all}]"
	for text, valid := range map[string]bool{
		rules + "\n...": true, rules + "\n...\n": true, rules + "\r\n...\r\n": true, rules + "\n... \n\n": true,
		"\ufeff" + rules + "\n...\n": true,
		"":                           false, "\n": false, rules: false, rules + "\n": false, rules + "\n.": false, rules + "\n..": false,
		rules + "\n....": false, rules + "\n ...": false, rules + " ...": false, rules + "\n# ...": false,
		rules + "\n...\n# comment": false, rules + "\n---": false, rules + "\n... x": false,
	} {
		_, err := parsePolicy([]byte(text), nil)
		if (err == nil) != valid || !valid && !strings.Contains(err.Error(), `the last line is not "..."`) {
			t.Errorf("%q: error %v, want valid: %v", text, err, valid)
		}
	}
}

// No policy panics, and a part of a valid policy is either not valid or the same policy.
func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{
		"rules:\n- users: [ada]\n  role: viewer\n  vms: .*-prod\n  methods: [a]\nread_only: true\n...\n",
		"rules:\n- subjects:\n  - CN=a,O=b\n  role: owner\n  vms: |\n    a\n    ...\n...\n", "{}\n...\n...\n",
		"a: &x [1]\nb: *x\n...", "read_only: yes # ...\n...", "rules: [{<<: {role: owner}, users: [a], vms: all}]\n...",
		"rules: [{users: [\"a\n...\n\"], role: owner, vms: all}]\n...", "%YAML 1.1\n---\n{}\n...\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		known := func(string) bool { return true }
		full, err := parsePolicy([]byte(text), known)
		if err != nil {
			return
		}
		for n := range text {
			if !strings.HasSuffix(strings.TrimRight(text[:n], " \t\r\n"), "...") {
				continue // refused, as TestLastLineOfPolicy shows
			}
			if part, err := parsePolicy([]byte(text[:n]), known); err == nil && !reflect.DeepEqual(part, full) {
				t.Fatalf("%q is another policy than %q", text[:n], text)
			}
		}
	})
}
