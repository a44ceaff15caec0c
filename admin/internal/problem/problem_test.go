package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"hyperv_replica_exporter/wmiquery"
)

// A published type and its status never change.
func TestTypesAndStatus(t *testing.T) {
	want := []struct {
		t      Type
		slug   string
		status int
		title  string
	}{
		{BadRequest, "bad-request", 400, "Malformed request"},
		{InvalidParameter, "invalid-parameter", 400, "Parameter is not valid"},
		{Unauthenticated, "unauthenticated", 401, "Authentication required"},
		{Forbidden, "forbidden", 403, "Not allowed by the policy"},
		{HostNotAllowed, "host-not-allowed", 403, "Host header is not allowed"},
		{CrossOrigin, "cross-origin", 403, "Cross-origin request rejected"},
		{AccessDenied, "access-denied", 403, "Hyper-V denied access"},
		{NotFound, "not-found", 404, "Not found"},
		{MethodNotAllowed, "method-not-allowed", 405, "HTTP method not allowed"},
		{InvalidState, "invalid-state", 409, "Not possible in the current state"},
		{Busy, "busy", 409, "Another action on this VM is in progress"},
		{ResynchronizationRunning, "resynchronization-running", 409, "Another resynchronization is in progress"},
		{ConfirmationRequired, "confirmation-required", 409, "Confirmation required"},
		{ConfirmationInvalid, "confirmation-invalid", 409, "Confirmation is not valid"},
		{IdempotencyConflict, "idempotency-conflict", 409, "No outcome yet for this Idempotency-Key"},
		{PreconditionFailed, "precondition-failed", 412, "Target is not as expected"},
		{DataLossExceeded, "data-loss-exceeded", 412, "Possible data loss exceeds the accepted limit"},
		{TooLarge, "too-large", 413, "Request body is too large"},
		{UnsupportedMediaType, "unsupported-media-type", 415, "Request body must be application/json"},
		{IdempotencyReuse, "idempotency-reuse", 422, "Idempotency-Key was used for another request"},
		{RateLimited, "rate-limited", 429, "Too many requests"},
		{Internal, "internal", 500, "Internal error"},
		{NotSupported, "not-supported", 501, "Not supported by this host"},
		{HostFailed, "host-failed", 502, "Hyper-V reported an error"},
		{AuditUnavailable, "audit-unavailable", 503, "Audit log cannot be written"},
		{HostUnavailable, "host-unavailable", 503, "Hyper-V is not available"},
		{TooManyActions, "too-many-actions", 503, "Too many actions in progress"},
		{OutcomeUnknown, "outcome-unknown", 503, "Outcome is unknown"},
		{HostTimeout, "host-timeout", 504, "Hyper-V did not answer in time"},
	}
	types := Types()
	if len(types) != len(want) {
		t.Errorf("got %d types, want %d", len(types), len(want))
	}
	for _, x := range want {
		if x.t != (Type{x.slug, x.status, x.title}) || x.t.URI() != "urn:hyperv-replica-exporter:problem:"+x.slug {
			t.Errorf("got %+v, want %+v", x.t, x)
		}
		if !slices.Contains(types, x.t) {
			t.Errorf("%s is not listed", x.slug)
		}
	}
	if !slices.IsSortedFunc(types, func(a, b Type) int { return a.Status - b.Status }) {
		t.Errorf("not in the order of the status: %+v", types)
	}
}

// A response has the members of RFC 9457, and its own members cannot replace them.
func TestResponseOfAProblem(t *testing.T) {
	p := New(Busy, "vm %s: busy", "X").With("job", "/jobs/1").With("status", 200).WithHeader("Retry-After", "5")
	w := httptest.NewRecorder()
	p.Response().Write(w)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != 409 || w.Header().Get("Content-Type") != "application/problem+json" ||
		w.Header().Get("Retry-After") != "5" || got["type"] != "urn:hyperv-replica-exporter:problem:busy" ||
		got["title"] != "Another action on this VM is in progress" || got["status"] != 409.0 ||
		got["detail"] != "vm X: busy" || got["job"] != "/jobs/1" || len(got) != 5 {
		t.Errorf("got %d %v %v", w.Code, w.Header(), got)
	}
	if text := string(New(Busy, "").Response().Body); strings.Contains(text, "detail") {
		t.Errorf("a problem without a detail is %s", text)
	}
	if p := FromHost("read", &wmiquery.CodeError{Code: 32774}); p.Type.Slug != "host-failed" {
		t.Errorf("an object in use is %+v", p)
	}
	if p, ok := FromError(fmt.Errorf("read: %w", AsError(p))); !ok || p.Type != Busy {
		t.Errorf("the problem is lost in an error: %+v", p)
	}
	if p, ok := FromError(errors.New("x")); ok || p != nil {
		t.Errorf("got %+v for another error", p)
	}
	if p, ok := FromError(nil); ok || p != nil {
		t.Errorf("got %+v for no error", p)
	}
}

// The problem for an error of a read, and of a call. A call that the host has rejected had no effect. After any other
// error of a call the outcome is unknown, because the call may have taken effect.
func TestProblemsOfErrors(t *testing.T) {
	for _, tt := range []struct {
		err        error
		read, call string
	}{
		{wmiquery.ErrDenied, "access-denied", "access-denied"},
		{wmiquery.ErrInvalidState, "invalid-state", "invalid-state"},
		{wmiquery.ErrNotFound, "not-found", "not-found"},
		{wmiquery.ErrUnsupported, "not-supported", "not-supported"},
		{wmiquery.ErrBusy, "host-unavailable", "host-unavailable"},
		{wmiquery.ErrTimeout, "host-timeout", "outcome-unknown"},
		{wmiquery.ErrUnavailable, "host-unavailable", "outcome-unknown"},
		{context.DeadlineExceeded, "host-timeout", "outcome-unknown"},
		{context.Canceled, "host-unavailable", "outcome-unknown"},
		{errors.New("broken"), "host-failed", "outcome-unknown"},
	} {
		err := fmt.Errorf("session: %w", tt.err)
		if p := FromHost("read", err); p.Type.Slug != tt.read || p.Detail != "read: session: "+tt.err.Error() {
			t.Errorf("%v in a read: got %+v, want %s", tt.err, p, tt.read)
		}
		if p := FromCall("X", err); p.Type.Slug != tt.call {
			t.Errorf("%v in a call: got %+v, want %s", tt.err, p, tt.call)
		}
	}
}

// The problem for each return code.
//
// Sources: MicrosoftDocs/win32, HyperV_v2, the return values of the methods of Msvm_ReplicationService, and those of
// requeststatechange-msvm-concretejob.md for 1, 5 and 4097.
func TestProblemsOfReturnCodes(t *testing.T) {
	for code, want := range map[uint32]string{
		32768: "host-failed",       // failed
		32769: "access-denied",     // access denied
		32770: "not-supported",     // not supported
		32771: "outcome-unknown",   // status is unknown
		32772: "outcome-unknown",   // timeout
		32773: "invalid-parameter", // invalid parameter
		32774: "busy",              // system is in use
		32775: "invalid-state",     // invalid state for this operation
		32776: "invalid-parameter", // incorrect data type
		32777: "host-unavailable",  // system is not available
		32778: "host-unavailable",  // out of memory
		32779: "not-found",         // file not found
		1:     "not-supported",     // not supported
		5:     "invalid-parameter", // invalid parameter
		4097:  "invalid-state",     // invalid state transition
		2:     "host-failed", 3: "host-failed", 4: "host-failed", 6: "host-failed", 4098: "host-failed",
		32780: "host-failed", 65535: "host-failed",
	} {
		p := FromCode("X", code)
		if p.Type.Slug != want || p.Member("return_code") != code {
			t.Errorf("%d: got %+v with return code %v, want %s", code, p, p.Member("return_code"), want)
		}
	}
}

// A response that was stored is written again with the same status, body, location and time to wait.
func TestStoredResponse(t *testing.T) {
	r := JSON(202, map[string]int{"a": 1})
	r.Location, r.RetryAfter = "/jobs/1", "2"
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again Response
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	again.Write(w)
	if w.Code != 202 || w.Body.String() != "{\n  \"a\": 1\n}\n" || w.Header().Get("Location") != "/jobs/1" ||
		w.Header().Get("Retry-After") != "2" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %v %q", w.Code, w.Header(), w.Body)
	}
	if r := JSON(200, func() {}); r.Status != 500 || r.ContentType != "application/problem+json" {
		t.Errorf("a value without JSON: got %+v", r)
	}
}

// Each header of a response is written if it has a value, whatever the others are.
func TestHeadersOfAResponse(t *testing.T) {
	for _, r := range []Response{
		{Status: 200, ContentType: "a"},
		{Status: 202, ContentType: "b", Location: "/jobs/1"},
		{Status: 200, ContentType: "c", RetryAfter: "2"},
		{Status: 202, ContentType: "d", Location: "/jobs/2", RetryAfter: "5"},
	} {
		w := httptest.NewRecorder()
		r.Write(w)
		if got := w.Header(); w.Code != r.Status || got.Get("Content-Type") != r.ContentType ||
			got.Get("Location") != r.Location || got.Get("Retry-After") != r.RetryAfter {
			t.Errorf("%+v: got %d %v", r, w.Code, got)
		}
		if _, present := w.Header()["Location"]; present != (r.Location != "") {
			t.Errorf("%+v: an empty Location is written", r)
		}
	}
}
