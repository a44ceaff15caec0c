// Package problem has the errors of the API in the form of RFC 9457, and HTTP responses that can be stored.
package problem

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// Problem is an error response as defined by RFC 9457.
type Problem struct {
	Type   Type
	Detail string

	members map[string]any // extension members
	header  http.Header
}

// New returns a problem with a formatted detail.
func New(t Type, format string, args ...any) *Problem {
	return &Problem{Type: t, Detail: fmt.Sprintf(format, args...)}
}

// With adds an extension member and returns p.
func (p *Problem) With(name string, value any) *Problem {
	if p.members == nil {
		p.members = map[string]any{}
	}
	p.members[name] = value
	return p
}

// Member returns an extension member, nil if p does not have it.
func (p *Problem) Member(name string) any { return p.members[name] }

// WithHeader adds a header and returns p.
func (p *Problem) WithHeader(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// Response returns the problem as a response.
func (p *Problem) Response() Response {
	members := map[string]any{}
	maps.Copy(members, p.members)
	members["type"], members["title"], members["status"] = p.Type.URI(), p.Type.Title, p.Type.Status
	if p.Detail != "" {
		members["detail"] = p.Detail
	}
	r := JSON(p.Type.Status, members)
	r.ContentType, r.Header = "application/problem+json", p.header
	return r
}

// asError carries a problem as an error. Problem itself is no error, so that a nil *Problem cannot become an error
// that is not nil.
type asError struct{ p *Problem }

func (e *asError) Error() string { return e.p.Detail }

// AsError returns p as an error. FromError returns p again.
func AsError(p *Problem) error { return &asError{p} }

// FromError returns the problem that an error carries. It returns false if it carries none.
func FromError(err error) (*Problem, bool) {
	if e, ok := errors.AsType[*asError](err); ok {
		return e.p, true
	}
	return nil, false
}
