package problem

import (
	"encoding/json"
	"maps"
	"net/http"
)

// Response is a complete HTTP response. It can be stored and written again.
type Response struct {
	Status      int    `json:"status"`
	ContentType string `json:"type"`
	Location    string `json:"location,omitempty"`
	RetryAfter  string `json:"retry,omitempty"` // seconds
	Body        []byte `json:"body"`

	Header http.Header `json:"-"` // other headers
}

// JSON returns a response with a value as JSON.
func JSON(status int, value any) Response {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return New(Internal, "cannot encode the response").Response()
	}
	return Response{Status: status, ContentType: "application/json", Body: append(body, '\n')}
}

// Write sends the response. It ignores errors: there is nothing to do for a client that has disconnected.
func (r Response) Write(w http.ResponseWriter) {
	h := w.Header()
	maps.Copy(h, r.Header)
	h.Set("Content-Type", r.ContentType)
	if r.Location != "" {
		h.Set("Location", r.Location)
	}
	if r.RetryAfter != "" {
		h.Set("Retry-After", r.RetryAfter)
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}
