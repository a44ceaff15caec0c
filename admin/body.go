package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// body is what a request that acts may say.
type body struct {
	DryRun bool `json:"dry_run,omitempty"`
	// ExpectedState and ExpectedMode are names of the state and the mode that the
	// target must have.
	ExpectedState string `json:"expected_state,omitempty"`
	ExpectedMode  string `json:"expected_mode,omitempty"`
	Reason        string `json:"reason,omitempty"`
	// VMName, MaxDataLossSeconds and ConfirmationToken are the second step of what
	// destroys.
	VMName             string   `json:"vm_name,omitempty"`
	MaxDataLossSeconds *float64 `json:"max_data_loss_seconds,omitempty"`
	// AcceptUnknownLoss accepts what nobody can tell: a lag that is not known.
	AcceptUnknownLoss bool   `json:"accept_unknown_loss,omitempty"`
	ConfirmationToken string `json:"confirmation_token,omitempty"`
	// TestResult is how a test failover went, for the record of its clean-up.
	TestResult string `json:"test_result,omitempty"`
	// Target is the GUID of the VM or of the job whose method is called.
	Target     string                     `json:"target,omitempty"`
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
}

var testResults = []string{"passed", "failed"}

// maxText bounds what ends up in the audit log.
const maxText = 1000

// readBody reads the body of a request that acts, and its bytes.
func readBody(r *http.Request) (*body, []byte, *problem) {
	b := &body{}
	text, p := readJSON(r, b)
	if p != nil {
		return nil, nil, p
	}
	if err := uniqueIn(text, "parameters"); err != nil {
		return nil, nil, refuse(kindBadRequest, "body: %v", err)
	}
	if q := r.URL.Query(); len(q) > 0 {
		dry := q["dry_run"]
		if len(q) != 1 || len(dry) != 1 || dry[0] != "true" && dry[0] != "false" {
			return nil, nil, refuse(kindBadRequest, "the URL takes dry_run=true or false, once, and nothing else")
		}
		b.DryRun = b.DryRun || dry[0] == "true"
	}
	return b, text, b.check()
}

// readJSON reads the body of a request into a struct, and gives its bytes. An empty
// body is an empty object; what the struct does not have is refused.
func readJSON(r *http.Request, into any) ([]byte, *problem) {
	text, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, refuse(kindTooLarge, "more than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return nil, refuse(kindBadRequest, "the body cannot be read")
	}
	if len(bytes.TrimSpace(text)) > 0 {
		if err := parseBody(text, into); err != nil {
			return nil, refuse(kindBadRequest, "body: %v", err)
		}
	}
	return text, nil
}

func parseBody(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	if err := unique(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// uniqueIn refuses an object in which a member is an object with a name twice.
func uniqueIn(text []byte, member string) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(text, &top); err != nil {
		return err
	}
	for name, value := range top {
		if strings.EqualFold(name, member) && string(value) != "null" {
			return unique(value)
		}
	}
	return nil
}

func (b *body) check() *problem {
	for _, s := range []string{b.Reason, b.VMName, b.ConfirmationToken, b.Target} {
		if len(s) > maxText {
			return refuse(kindBadRequest, "a text is longer than %d bytes", maxText)
		}
	}
	if b.ExpectedState != "" && !slices.Contains(msvm.ReplicationStates(), b.ExpectedState) {
		return refuse(kindBadRequest, "expected_state %.40q is none of %s", b.ExpectedState, strings.Join(msvm.ReplicationStates(), ", "))
	}
	if b.ExpectedMode != "" && !slices.Contains(msvm.ReplicationModes(), b.ExpectedMode) {
		return refuse(kindBadRequest, "expected_mode %.40q is none of %s", b.ExpectedMode, strings.Join(msvm.ReplicationModes(), ", "))
	}
	if b.TestResult != "" && !slices.Contains(testResults, b.TestResult) {
		return refuse(kindBadRequest, "test_result %.40q is none of %s", b.TestResult, strings.Join(testResults, ", "))
	}
	if m := b.MaxDataLossSeconds; m != nil && (*m < 0 || math.IsNaN(*m) || math.IsInf(*m, 0)) {
		return refuse(kindBadRequest, "max_data_loss_seconds is no number from 0")
	}
	return nil
}

// expects compares the target with what the client expects it to be.
func (b *body) expects(s *seen) *problem {
	switch {
	case b.ExpectedState == "" && b.ExpectedMode == "":
		return nil
	case s == nil:
		return refuse(kindBadRequest, "this is about no relationship, which could have an expected state or mode")
	case b.ExpectedState != "" && b.ExpectedState != s.State:
		return refuse(kindPrecondition, "the state is %s, not %s", s.State, b.ExpectedState).with("current", s)
	case b.ExpectedMode != "" && b.ExpectedMode != s.Mode:
		return refuse(kindPrecondition, "the mode is %s, not %s", s.Mode, b.ExpectedMode).with("current", s)
	}
	return nil
}
