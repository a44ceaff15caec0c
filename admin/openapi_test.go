package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// apiRouter finds the operation that describes a request. It is created once because it has a schema for every method.
var apiRouter = sync.OnceValues(func() (routers.Router, error) {
	text, err := json.Marshal((&Server{}).description())
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
})

// validated counts the validated responses by request and status.
var validated struct {
	sync.Mutex
	count map[string]int
}

// validatedOften reports whether many similar responses were validated. Validation is slow, and the response matrix has
// thousands of requests.
func validatedOften(req *http.Request, resp *http.Response) bool {
	validated.Lock()
	defer validated.Unlock()
	if validated.count == nil {
		validated.count = map[string]int{}
	}
	key := fmt.Sprint(req.Method, " ", path.Base(req.URL.Path), " ", resp.StatusCode)
	validated.count[key]++
	return validated.count[key] > 30
}

// checkOpenAPI validates a response, and an accepted request, against the description. It runs for every request of the
// tests.
func (env *testEnv) checkOpenAPI(req *http.Request, payload []byte, resp *http.Response, text []byte) {
	env.Helper()
	if validatedOften(req, resp) {
		return
	}
	router, err := apiRouter()
	if err != nil {
		env.Fatal(err)
	}
	found, parameters, err := router.FindRoute(req)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		return // the test requests an unknown route
	}
	if err != nil {
		env.Fatal(err)
	}
	if status := resp.StatusCode; status/100 == 4 && found.Operation.Responses.Status(status) == nil {
		env.Errorf("%s %s: the description does not name the status %d", req.Method, found.Path, status)
	}
	copied := req.Clone(env.Context())
	copied.Body = io.NopCloser(bytes.NewReader(payload))
	input := &openapi3filter.RequestValidationInput{
		Request: copied, Route: found, PathParams: parameters,
		Options: &openapi3filter.Options{
			MultiError: true, IncludeResponseStatus: true,
			RejectWhenRequestBodyNotSpecified: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
		},
	}
	if resp.StatusCode < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(env.Context(), input); err != nil {
			env.Errorf("%s %s was accepted but does not match the description: %v\n%s", req.Method, req.URL, err, payload)
		}
	}
	output := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode,
		Header: resp.Header, Options: input.Options,
	}
	if err := openapi3filter.ValidateResponse(env.Context(), output.SetBodyBytes(text)); err != nil {
		env.Errorf("%s %s: the response %d does not match the description: %v\n%s",
			req.Method, req.URL, resp.StatusCode, err, text)
	}
}

// The description is valid OpenAPI 3.1 and has every action and every method with its parameters.
func TestOpenAPIDescription(t *testing.T) {
	if _, err := apiRouter(); err != nil {
		t.Fatal(err)
	}
	env := newTestEnv(t)
	env.want("description for a user without a rule", env.get("HV01", "stranger", apiDescription), 403, "forbidden")
	served := env.get("HV01", "vic", apiDescription)
	if served.json["openapi"] != "3.1.0" {
		t.Fatalf("the description is %.80s", served.text)
	}
	paths := served.json["paths"].(object)
	for _, action := range operation.Actions() {
		if paths[apiReplicas+"/{vm_id}/{relationship}/actions/"+action.Name] == nil {
			t.Errorf("%s is missing", action.Name)
		}
	}
	for _, method := range msvm.Methods() {
		item, _ := paths["/api/v1/methods/"+operation.MethodPath(method)].(object)
		if item == nil {
			t.Errorf("%s is missing", method.Name)
			continue
		}
		for _, p := range method.In {
			if text, err := json.Marshal(item); err != nil || !strings.Contains(string(text), `"`+p.Name+`"`) {
				t.Errorf("%s: the parameter %s is missing, %v", method.Name, p.Name, err)
			}
		}
	}
	ids := map[string]bool{}
	for path, item := range paths {
		for method, operation := range item.(object) {
			id := operation.(object)["operationId"].(string)
			if ids[id] {
				t.Errorf("%s %s: duplicate operationId %s", method, path, id)
			}
			ids[id] = true
		}
	}
}
