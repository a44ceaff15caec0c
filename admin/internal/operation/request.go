package operation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Request is the body of a request for an action or a method. All fields are optional.
type Request struct {
	DryRun bool `json:"dry_run,omitempty"`
	// ExpectedState and ExpectedMode are the names of the state and mode that the target must have.
	ExpectedState string `json:"expected_state,omitempty"`
	ExpectedMode  string `json:"expected_mode,omitempty"`
	Reason        string `json:"reason,omitempty"`
	// VMName, MaxDataLossSeconds, AcceptUnknownLoss and ConfirmationToken confirm a destructive action.
	VMName             string   `json:"vm_name,omitempty"`
	MaxDataLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	// AcceptUnknownLoss accepts the data loss if the lag is not known.
	AcceptUnknownLoss bool   `json:"accept_unknown_loss,omitempty"`
	ConfirmationToken string `json:"confirmation_token,omitempty"`
	// OldPrimaryIsOff confirms the start of a VM that has failed over.
	OldPrimaryIsOff bool `json:"old_primary_is_off,omitempty"`
	// TestResult is the result of a test failover, for the record of its clean-up.
	TestResult string `json:"test_result,omitempty"`
	// Target is the GUID of the VM or of the job that a method is called on.
	Target     string     `json:"target,omitempty"`
	Parameters Parameters `json:"parameters,omitempty"`
}

// Parameters are the parameters of a method by their names, in JSON.
type Parameters map[string]json.RawMessage

// UnmarshalJSON decodes an object without duplicate names. Null leaves the parameters unchanged.
func (p *Parameters) UnmarshalJSON(text []byte) (err error) {
	if string(text) != "null" {
		*p, err = decodeObject(text)
	}
	return err
}

// MaxTextBytes is the maximum length of a text that is written to the audit log.
const MaxTextBytes = 1000

// ReadRequest reads the request for an action or a method. It also returns the bytes of the body.
func ReadRequest(r *http.Request) (*Request, []byte, *problem.Problem) {
	req := &Request{}
	text, p := readBody(r, req)
	if p != nil {
		return nil, nil, p
	}
	if query := r.URL.Query(); len(query) > 0 {
		dryRun := query["dry_run"]
		if len(query) != 1 || len(dryRun) != 1 || dryRun[0] != "true" && dryRun[0] != "false" {
			return nil, nil, problem.New(problem.BadRequest, "query: only dry_run=true or dry_run=false is allowed, once")
		}
		req.DryRun = req.DryRun || dryRun[0] == "true"
	}
	return req, text, req.Validate()
}

// ReadJSON decodes the body of a request without a query into a struct, and returns its bytes. An empty body is an
// empty object. Unknown fields are rejected.
func ReadJSON(r *http.Request, into any) ([]byte, *problem.Problem) {
	if r.URL.RawQuery != "" {
		return nil, problem.New(problem.BadRequest, "query: not for this request")
	}
	return readBody(r, into)
}

func readBody(r *http.Request, into any) ([]byte, *problem.Problem) {
	text, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, problem.New(problem.TooLarge, "body: larger than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, problem.New(problem.BadRequest, "body: cannot be read")
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := decodeStrict(text, into); err != nil {
			return nil, problem.New(problem.BadRequest, "body: %v", err)
		}
	}
	return text, nil
}

// decodeStrict decodes exactly one JSON object into a struct. Each name must be that of a field, with the same case:
// package json also accepts names that differ in case, of which a reader of the request or another program could use
// another value.
func decodeStrict(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("not valid UTF-8")
	}
	members, err := decodeObject(text)
	if err != nil {
		return err
	}
	for field := range reflect.TypeOf(into).Elem().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(members, name)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		return fmt.Errorf("unknown field %.80q", name)
	}
	return json.Unmarshal(text, into)
}

// decodeObject decodes exactly one JSON object without duplicate names. Parsers differ on which of the values counts.
func decodeObject(text json.RawMessage) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%.40q is not a JSON object", text)
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, duplicate := members[name]; duplicate {
			return nil, fmt.Errorf("duplicate name %.40q", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected text after the JSON object")
	}
	return members, nil
}

// IsBlank reports whether a text has no character that can be seen.
func IsBlank(text string) bool {
	const brailleBlank = '\u2800' // a symbol without a dot
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != brailleBlank &&
			!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}

// Validate returns a problem if a field has a value that is never valid.
func (req *Request) Validate() *problem.Problem {
	for _, s := range []string{req.Reason, req.VMName, req.ConfirmationToken, req.Target} {
		if len(s) > MaxTextBytes {
			return problem.New(problem.BadRequest, "body: a text is longer than %d bytes", MaxTextBytes)
		}
	}
	if req.Reason != "" && IsBlank(req.Reason) {
		return problem.New(problem.BadRequest, "reason: is blank")
	}
	for _, f := range []struct {
		field, value string
		allowed      []string
	}{
		{"expected_state", req.ExpectedState, msvm.ReplicationStates()},
		{"expected_mode", req.ExpectedMode, msvm.ReplicationModes()},
		{"test_result", req.TestResult, []string{"passed", "failed"}},
	} {
		if f.value != "" && !slices.Contains(f.allowed, f.value) {
			return problem.New(problem.BadRequest, "%s: %.40q is not one of %s", f.field, f.value, strings.Join(f.allowed, ", "))
		}
	}
	if m := req.MaxDataLossSeconds; m != nil && (*m < 0 || math.IsNaN(*m) || math.IsInf(*m, 0)) {
		return problem.New(problem.BadRequest, "max_data_loss_seconds: must not be negative")
	}
	return nil
}

// CheckExpected returns a problem if the target does not have the expected state and mode. The target is nil if the
// request is about no relationship.
func (req *Request) CheckExpected(t *TargetState) *problem.Problem {
	switch {
	case req.ExpectedState == "" && req.ExpectedMode == "":
		return nil
	case t == nil:
		return problem.New(problem.BadRequest, "expected_state and expected_mode: only for a request about a relationship")
	case req.ExpectedState != "" && req.ExpectedState != t.State:
		return problem.New(problem.PreconditionFailed, "the state is %s, expected %s", t.State, req.ExpectedState).
			With("current", t)
	case req.ExpectedMode != "" && req.ExpectedMode != t.Mode:
		return problem.New(problem.PreconditionFailed, "the mode is %s, expected %s", t.Mode, req.ExpectedMode).
			With("current", t)
	}
	return nil
}

// CheckDataLoss returns a problem if the request does not accept the possible data loss.
func (req *Request) CheckDataLoss(t *TargetState) *problem.Problem {
	switch {
	case req.MaxDataLossSeconds == nil:
		return problem.New(problem.ConfirmationInvalid, "max_data_loss_seconds is missing")
	case t.LagSeconds == nil && !req.AcceptUnknownLoss:
		return problem.New(problem.DataLossExceeded,
			"the possible data loss is unknown; set accept_unknown_loss to accept it").With("current", t)
	case t.LagSeconds != nil && *t.LagSeconds > *req.MaxDataLossSeconds:
		return problem.New(problem.DataLossExceeded, "changes of the last %.0f s could be lost, but only %.0f s are accepted",
			*t.LagSeconds, *req.MaxDataLossSeconds).With("current", t)
	}
	return nil
}
