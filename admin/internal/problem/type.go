package problem

import (
	"net/http"
	"slices"
)

// Type is the type of a problem. A published type never changes.
type Type struct {
	Slug   string // last part of the URI
	Status int    // HTTP status
	Title  string
}

// TypePrefix is the part of the URI before the slug. It is the same for all types.
const TypePrefix = "urn:hyperv-replica-exporter:problem:"

// URI returns the member "type" of a problem.
func (t Type) URI() string { return TypePrefix + t.Slug }

// The problem types.
var (
	BadRequest               = Type{"bad-request", http.StatusBadRequest, "Malformed request"}
	InvalidParameter         = Type{"invalid-parameter", http.StatusBadRequest, "Parameter is not valid"}
	Unauthenticated          = Type{"unauthenticated", http.StatusUnauthorized, "Authentication required"}
	Forbidden                = Type{"forbidden", http.StatusForbidden, "Not allowed by the policy"}
	HostNotAllowed           = Type{"host-not-allowed", http.StatusForbidden, "Host header is not allowed"}
	CrossOrigin              = Type{"cross-origin", http.StatusForbidden, "Cross-origin request rejected"}
	AccessDenied             = Type{"access-denied", http.StatusForbidden, "Hyper-V denied access"}
	NotFound                 = Type{"not-found", http.StatusNotFound, "Not found"}
	MethodNotAllowed         = Type{"method-not-allowed", http.StatusMethodNotAllowed, "HTTP method not allowed"}
	InvalidState             = Type{"invalid-state", http.StatusConflict, "Not possible in the current state"}
	Busy                     = Type{"busy", http.StatusConflict, "Another action on this VM is in progress"}
	ResynchronizationRunning = Type{
		"resynchronization-running", http.StatusConflict, "Another resynchronization is in progress",
	}
	ConfirmationRequired = Type{"confirmation-required", http.StatusConflict, "Confirmation required"}
	ConfirmationInvalid  = Type{"confirmation-invalid", http.StatusConflict, "Confirmation is not valid"}
	IdempotencyConflict  = Type{"idempotency-conflict", http.StatusConflict, "No outcome yet for this Idempotency-Key"}
	PreconditionFailed   = Type{"precondition-failed", http.StatusPreconditionFailed, "Target is not as expected"}
	DataLossExceeded     = Type{
		"data-loss-exceeded", http.StatusPreconditionFailed, "Possible data loss exceeds the accepted limit",
	}
	TooLarge             = Type{"too-large", http.StatusRequestEntityTooLarge, "Request body is too large"}
	UnsupportedMediaType = Type{
		"unsupported-media-type", http.StatusUnsupportedMediaType, "Request body must be application/json",
	}
	IdempotencyReuse = Type{
		"idempotency-reuse", http.StatusUnprocessableEntity, "Idempotency-Key was used for another request",
	}
	RateLimited      = Type{"rate-limited", http.StatusTooManyRequests, "Too many requests"}
	Internal         = Type{"internal", http.StatusInternalServerError, "Internal error"}
	NotSupported     = Type{"not-supported", http.StatusNotImplemented, "Not supported by this host"}
	HostFailed       = Type{"host-failed", http.StatusBadGateway, "Hyper-V reported an error"}
	AuditUnavailable = Type{"audit-unavailable", http.StatusServiceUnavailable, "Audit log cannot be written"}
	HostUnavailable  = Type{"host-unavailable", http.StatusServiceUnavailable, "Hyper-V is not available"}
	TooManyActions   = Type{"too-many-actions", http.StatusServiceUnavailable, "Too many actions in progress"}
	OutcomeUnknown   = Type{"outcome-unknown", http.StatusServiceUnavailable, "Outcome is unknown"}
	HostTimeout      = Type{"host-timeout", http.StatusGatewayTimeout, "Hyper-V did not answer in time"}
)

// Types returns all problem types, ordered by status.
func Types() []Type {
	all := []Type{
		BadRequest, InvalidParameter, Unauthenticated, Forbidden, HostNotAllowed, CrossOrigin, AccessDenied, NotFound,
		MethodNotAllowed, InvalidState, Busy, ResynchronizationRunning, ConfirmationRequired, ConfirmationInvalid,
		IdempotencyConflict, PreconditionFailed, DataLossExceeded, TooLarge, UnsupportedMediaType, IdempotencyReuse,
		RateLimited, Internal, NotSupported, HostFailed, AuditUnavailable, HostUnavailable, TooManyActions,
		OutcomeUnknown, HostTimeout,
	}
	slices.SortStableFunc(all, func(a, b Type) int { return a.Status - b.Status })
	return all
}
