package operation

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func read(t *testing.T, query, body string) (*Request, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/"+query, strings.NewReader(body))
	req, text, p := ReadRequest(r)
	if p == nil && string(text) != body {
		t.Errorf("%s: the body is returned as %q", body, text)
	}
	return req, slugOf(p)
}

// Limits of the fields of a request. Texts have at most 1000 bytes.
func TestLimitsOfRequests(t *testing.T) {
	for body, ok := range map[string]bool{
		"": true, " \n": true, "{}": true, "null": false, "[]": false, "{": false, "{} x": false, "{}{}": false,
		`{"reason": "` + strings.Repeat("x", 1000) + `"}`:             true,
		`{"reason": "` + strings.Repeat("x", 1001) + `"}`:             false,
		`{"reason": "` + strings.Repeat("é", 500) + `"}`:              true,
		`{"reason": "` + strings.Repeat("é", 501) + `"}`:              false,
		`{"vm_name": "` + strings.Repeat("x", 1001) + `"}`:            false,
		`{"target": "` + strings.Repeat("x", 1001) + `"}`:             false,
		`{"confirmation_token": "` + strings.Repeat("x", 1001) + `"}`: false,
		`{"max_data_loss_seconds": 0}`:                                true,
		`{"max_data_loss_seconds": 0.5}`:                              true,
		`{"max_data_loss_seconds": -0.5}`:                             false,
		`{"max_data_loss_seconds": -1}`:                               false,
		`{"max_data_loss_seconds": null}`:                             true,
		`{"max_data_loss_seconds": "60"}`:                             false,
		`{"max_data_loss_seconds": 1e999}`:                            false,
		`{"expected_state": "replicating"}`:                           true,
		`{"expected_state": "Replicating"}`:                           false,
		`{"expected_state": ""}`:                                      true,
		`{"expected_state": "3"}`:                                     false,
		`{"expected_mode": "extended_replica"}`:                       true,
		`{"expected_mode": "extended"}`:                               false,
		`{"test_result": "passed"}`:                                   true,
		`{"test_result": "failed"}`:                                   true,
		`{"test_result": "ok"}`:                                       false,
		`{"dry_run": "true"}`:                                         false,
		`{"dry_run": true, "dry_run": true}`:                          false,
		`{"dry_run": true, "DRY_RUN": true}`:                          false,
		`{"dryrun": true}`:                                            false,
		`{"REASON": "a"}`:                                             false,
		`{"rea\u017fon": "a"}`:                                        false, // a long s
		`{"reason": "a", "rea\u017fon": "b"}`:                         false,
		`{"reason": ""}`:                                              true,
		`{"reason": " \t\n"}`:                                         false,
		`{"reason": "\u00a0\u200b\u2003"}`:                            false, // spaces, one of them of no width
		`{"reason": "\u3164\u2800\ufe0f"}`:                            false, // a Hangul filler, a braille blank
		`{"reason": " - "}`:                                           true,
		`{"parameters": null}`:                                        true,
		`{"parameters": {"a": 1, "A": 2}}`:                            true, // at most one of them is a parameter
		`{"parameters": {"a": 1, "a": 2}}`:                            false,
		`{"PARAMETERS": {"a": 1, "A": 2}}`:                            false,
		`{"parameters": {"a": 1, "b": 1}}`:                            true,
		`{"parameters": []}`:                                          false,
		"{\"reason\": \"\xff\"}":                                      false,
	} {
		_, slug := read(t, "", body)
		if (slug == "") != ok || !ok && slug != "bad-request" {
			t.Errorf("%.60s: got problem %q, want accepted: %v", body, slug, ok)
		}
	}
}

// A dry run can be requested in the body or in the query. Anything else in the query is refused: a misspelt dry_run
// would execute the action.
func TestDryRunInBodyOrQuery(t *testing.T) {
	for _, tt := range []struct {
		query, body string
		dryRun, ok  bool
	}{
		{"", "", false, true},
		{"", `{"dry_run": true}`, true, true},
		{"?dry_run=true", "", true, true},
		{"?dry_run=false", "", false, true},
		{"?dry_run=false", `{"dry_run": true}`, true, true},
		{"?dry_run=true", `{"dry_run": false}`, true, true},
		{"?dry_run", "", false, false},
		{"?dry_run=1", "", false, false},
		{"?dry_run=True", "", false, false},
		{"?dryrun=true", "", false, false},
		{"?dry_run=true&dry_run=false", "", false, false},
		{"?dry_run=true&x=1", "", false, false},
		{"?x", "", false, false},
	} {
		req, slug := read(t, tt.query, tt.body)
		if (slug == "") != tt.ok || tt.ok && req.DryRun != tt.dryRun {
			t.Errorf("%s %s: got %+v, problem %q", tt.query, tt.body, req, slug)
		}
	}
}

// The possible data loss must not be above the limit of the request. A loss that is not known needs
// accept_unknown_loss, whatever the limit is.
func TestDataLossLimit(t *testing.T) {
	for _, tt := range []struct {
		lag, limit *float64
		unknown    bool
		want       string
	}{
		{new(60.0), new(59.0), false, "data-loss-exceeded"},
		{new(60.0), new(59.999), true, "data-loss-exceeded"},
		{new(60.0), new(60.0), false, ""},
		{new(60.0), new(61.0), false, ""},
		{new(0.0), new(0.0), false, ""},
		{new(0.001), new(0.0), false, "data-loss-exceeded"},
		{new(60.0), nil, false, "confirmation-invalid"},
		{new(0.0), nil, true, "confirmation-invalid"},
		{nil, new(1e9), false, "data-loss-exceeded"},
		{nil, new(0.0), true, ""},
		{nil, nil, true, "confirmation-invalid"},
	} {
		req := &Request{MaxDataLossSeconds: tt.limit, AcceptUnknownLoss: tt.unknown}
		p := req.CheckDataLoss(&TargetState{DataLoss: DataLoss{LagSeconds: tt.lag}})
		if slugOf(p) != tt.want {
			t.Errorf("lag %v, limit %v, unknown accepted %v: got problem %+v, want %q",
				show(tt.lag), show(tt.limit), tt.unknown, p, tt.want)
		}
	}
}

// The state and the mode of the target must be the expected ones.
func TestExpectedStateAndMode(t *testing.T) {
	target := &TargetState{State: "replicating", Mode: "replica"}
	for _, tt := range []struct {
		state, mode string
		target      *TargetState
		want        string
	}{
		{"", "", target, ""},
		{"", "", nil, ""},
		{"replicating", "", target, ""},
		{"", "replica", target, ""},
		{"replicating", "replica", target, ""},
		{"suspended", "", target, "precondition-failed"},
		{"", "primary", target, "precondition-failed"},
		{"replicating", "primary", target, "precondition-failed"},
		{"suspended", "replica", target, "precondition-failed"},
		{"replicating", "", nil, "bad-request"},
		{"", "replica", nil, "bad-request"},
	} {
		req := &Request{ExpectedState: tt.state, ExpectedMode: tt.mode}
		if p := req.CheckExpected(tt.target); slugOf(p) != tt.want {
			t.Errorf("expected %q and %q: got problem %+v, want %q", tt.state, tt.mode, p, tt.want)
		}
	}
}

// Fields that belong to another kind of request are refused.
func TestFieldsOfOtherRequests(t *testing.T) {
	h, _ := hostOfKind("primary", 3, 3)
	s := h.snapshot(t)
	r := find(t, s, vmA, "primary")
	for name, req := range map[string]*Request{
		"target": {Target: vmA}, "test result": {TestResult: "passed"},
	} {
		if _, p := PlanAction(t.Context(), h, s, action(t, "suspend"), r, req); slugOf(p) != "bad-request" {
			t.Errorf("%s: got problem %+v, want bad-request", name, p)
		}
	}
	for parameters, want := range map[string]string{
		`{"RequestedState": 4}`: "invalid-parameter", `{"TimeoutPeriod": null}`: "invalid-parameter", `{}`: "",
		`{"ReplicationRelationship": null}`: "invalid-parameter",
	} {
		req := &Request{Parameters: rawParameters(t, parameters)}
		if _, p := PlanAction(t.Context(), h, s, action(t, "suspend"), r, req); slugOf(p) != want {
			t.Errorf("suspend with %s: got problem %+v, want %q", parameters, p, want)
		}
	}
}

// A body is one JSON object, also if it has no parameters.
func TestBodyIsOneObject(t *testing.T) {
	for body, want := range map[string]string{
		"": "", " ": "", `{"a": 1}`: "", `{"a": 1} `: "", `{"a": 1} {}`: "bad-request", `{"a": 1}, `: "bad-request",
		`{"a": 1} x`: "bad-request", `{"a": 1, "A": 1}`: "bad-request", `{"b": 1}`: "bad-request", `null`: "bad-request",
		"{\"a\": 1}\xff": "bad-request",
	} {
		var into struct {
			A int `json:"a"`
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		if _, p := ReadJSON(r, &into); slugOf(p) != want {
			t.Errorf("%q: got problem %+v, want %q", body, p, want)
		}
	}
}
