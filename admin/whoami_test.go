package admin

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/go-kit/log"
)

// Every caller that the policy knows can ask who the caller is, and what the policy allows.
func TestWhoAmI(t *testing.T) {
	env := newTestEnv(t)
	env.writePolicy(`
rules:
  - {users: [vic, tim], role: viewer, vms: 'web.*'}
  - {users: [tim], role: operator, vms: all, methods: [suspend, resume], destructive: true}
  - {users: [omar], role: owner, vms: none, host: true}
`)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	const viewer = `{"role": "viewer", "vms": "web.*", "host": false, "destructive": false}`
	for user, want := range map[string]string{
		"vic": `{"name": "vic", "user": "vic", "read_only": false, "permissions": [` + viewer + `]}`,
		"tim": `{"name": "tim", "user": "tim", "read_only": false, "permissions": [` + viewer + `,
			{"role": "operator", "vms": "all", "host": false, "methods": ["suspend", "resume"], "destructive": true}]}`,
		"omar": `{"name": "omar", "user": "omar", "read_only": false, "permissions": [
			{"role": "owner", "vms": "none", "host": true, "destructive": false}]}`,
	} {
		wantCaller(t, env.get("HV01", user, apiWhoAmI), want)
	}
	env.want("a user without a rule", env.get("HV01", "fred", apiWhoAmI), 403, "forbidden")
	env.want("without a password", env.get("HV01", "", apiWhoAmI), 401, "unauthenticated")
	env.writeFile(env.policy, "read_only: true\n"+fullPolicy)
	if err := env.hosts["HV01"].server.Reload(); err != nil {
		t.Fatal(err)
	}
	wantCaller(t, env.get("HV01", "vic", apiWhoAmI), `{"name": "vic", "user": "vic", "read_only": true, "permissions": [
		{"role": "viewer", "vms": "all", "host": true, "destructive": false}]}`)
}

// Without a policy everyone is a viewer of everything.
func TestWhoAmIWithoutAPolicy(t *testing.T) {
	env := newTestEnv(t, func(o *Options) { o.PolicyFile, o.WebConfigFile = "", "" })
	wantCaller(t, env.get("HV01", "", apiWhoAmI), `{"name": "anonymous", "read_only": false, "permissions": [
		{"role": "viewer", "vms": "all", "host": true, "destructive": false}]}`)
}

func wantCaller(t *testing.T, r response, text string) {
	t.Helper()
	var want object
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if r.code != 200 || !reflect.DeepEqual(r.json, want) {
		t.Errorf("got %s, want %s", r, text)
	}
}

// A start and a reload log the rules that have no effect.
func TestPolicyWarningsAreLogged(t *testing.T) {
	var logged strings.Builder
	env := newTestEnv(t, func(o *Options) { o.Logger = log.NewLogfmtLogger(log.NewSyncWriter(&logged)) })
	if strings.Contains(logged.String(), "no effect") {
		t.Errorf("a policy without mistakes has warnings:\n%s", &logged)
	}
	const warning = "msg=\"a part of the policy has no effect\" reason="
	for text, want := range map[string]string{
		"rules: []": `"the policy has no rules, so it denies everything"`,
		"rules: [{users: [vic, Vic], role: viewer, vms: all}]":                                   `"rule 1: user 'Vic': not in basic_auth_users of the web config"`,
		"rules: [{users: [vic], role: viewer, vms: all}, {upns: [a@b], role: viewer, vms: all}]": `"rule 2: UPN 'a@b': the web config does not verify client certificates"`,
		"rules: [{subjects: [CN=a], users: [vic], role: viewer, vms: all}]":                      `"rule 1: subject 'CN=a': the web config does not verify client certificates"`,
	} {
		logged.Reset()
		env.writePolicy(text)
		if err := env.hosts["HV01"].server.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := logged.String(); strings.Count(got, warning) != 1 || !strings.Contains(got, warning+want) {
			t.Errorf("%s: the log has\n%s\nwant %s", text, got, want)
		}
	}
}
