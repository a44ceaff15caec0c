package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// kind is a kind of error: its type never changes once it has been published.
type kind struct {
	slug   string
	status int
	title  string
}

// typePrefix stands before every slug.
const typePrefix = "urn:hyperv-replica-exporter:problem:"

// The kinds of errors.
var (
	kindBadRequest       = newKind("bad-request", http.StatusBadRequest, "The request is not well-formed")
	kindParameter        = newKind("invalid-parameter", http.StatusBadRequest, "A parameter is not valid")
	kindUnauthenticated  = newKind("unauthenticated", http.StatusUnauthorized, "Who asks is not proven")
	kindForbidden        = newKind("forbidden", http.StatusForbidden, "The policy does not allow this")
	kindHost             = newKind("host-not-allowed", http.StatusForbidden, "The Host header names no host of this endpoint")
	kindCrossOrigin      = newKind("cross-origin", http.StatusForbidden, "Requests of other web pages are refused")
	kindHostDenied       = newKind("access-denied", http.StatusForbidden, "Hyper-V denied access")
	kindNotFound         = newKind("not-found", http.StatusNotFound, "There is no such thing")
	kindMethod           = newKind("method-not-allowed", http.StatusMethodNotAllowed, "The HTTP method is not allowed here")
	kindState            = newKind("invalid-state", http.StatusConflict, "This cannot be done in the present state")
	kindBusy             = newKind("busy", http.StatusConflict, "Another action about this VM is under way")
	kindResync           = newKind("resynchronization-running", http.StatusConflict, "Another resynchronization is under way")
	kindConfirm          = newKind("confirmation-required", http.StatusConflict, "This destroys something and must be confirmed")
	kindBadConfirmation  = newKind("confirmation-invalid", http.StatusConflict, "The confirmation does not hold")
	kindReplayRunning    = newKind("idempotency-conflict", http.StatusConflict, "The request with this Idempotency-Key has no outcome")
	kindPrecondition     = newKind("precondition-failed", http.StatusPreconditionFailed, "The target is not as expected")
	kindDataLoss         = newKind("data-loss-exceeded", http.StatusPreconditionFailed, "More could be lost than is accepted")
	kindTooLarge         = newKind("too-large", http.StatusRequestEntityTooLarge, "The body is too large")
	kindMediaType        = newKind("unsupported-media-type", http.StatusUnsupportedMediaType, "The body must be application/json")
	kindIdempotencyReuse = newKind("idempotency-reuse", http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request")
	kindRate             = newKind("rate-limited", http.StatusTooManyRequests, "Too many requests")
	kindInternal         = newKind("internal", http.StatusInternalServerError, "The endpoint failed")
	kindUnsupported      = newKind("not-supported", http.StatusNotImplemented, "This host does not support it")
	kindHostFailed       = newKind("host-failed", http.StatusBadGateway, "Hyper-V failed")
	kindAudit            = newKind("audit-unavailable", http.StatusServiceUnavailable, "The audit log cannot be written, so nothing is done")
	kindUnavailable      = newKind("host-unavailable", http.StatusServiceUnavailable, "Hyper-V cannot be reached")
	kindLimit            = newKind("too-many-actions", http.StatusServiceUnavailable, "Too many actions are under way")
	kindUnknown          = newKind("outcome-unknown", http.StatusServiceUnavailable, "Whether it was done is not known")
	kindTimeout          = newKind("host-timeout", http.StatusGatewayTimeout, "Hyper-V did not answer in time")
)

// kinds are all kinds of errors.
var kinds []kind

func newKind(slug string, status int, title string) kind {
	k := kind{slug, status, title}
	kinds = append(kinds, k)
	return k
}

// problem is an error as RFC 9457 writes it.
type problem struct {
	kind   kind
	detail string
	extra  map[string]any // extension members
	header http.Header
}

// refuse makes a problem.
func refuse(k kind, format string, args ...any) *problem {
	return &problem{kind: k, detail: fmt.Sprintf(format, args...)}
}

// with adds an extension member.
func (p *problem) with(name string, value any) *problem {
	if p.extra == nil {
		p.extra = map[string]any{}
	}
	p.extra[name] = value
	return p
}

// heading adds a header.
func (p *problem) heading(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// answer is a response that is complete: it can be written, kept and written
// again.
type answer struct {
	Status   int    `json:"status"`
	Type     string `json:"type"`
	Location string `json:"location,omitempty"`
	Retry    string `json:"retry,omitempty"`
	Body     []byte `json:"body"`

	header http.Header
}

// answer is the response that a problem makes.
func (p *problem) answer() answer {
	members := map[string]any{}
	maps.Copy(members, p.extra)
	members["type"], members["title"], members["status"] = typePrefix+p.kind.slug, p.kind.title, p.kind.status
	if p.detail != "" {
		members["detail"] = p.detail
	}
	a := jsonAnswer(p.kind.status, members)
	a.Type, a.header = "application/problem+json", p.header
	return a
}

// jsonAnswer is a response with a value as JSON.
func jsonAnswer(status int, value any) answer {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return refuse(kindInternal, "the answer cannot be written").answer()
	}
	return answer{Status: status, Type: "application/json", Body: append(body, '\n')}
}

// write sends the response. Nothing can be done for a client that has left.
func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	maps.Copy(h, a.header)
	h.Set("Content-Type", a.Type)
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	if a.Retry != "" {
		h.Set("Retry-After", a.Retry)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}
