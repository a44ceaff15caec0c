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

// described finds the described operation of a request. It is made once: it has a
// schema for every method.
var described = sync.OnceValues(func() (routers.Router, error) {
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

// held counts what was held against the description, by what it is about.
var held struct {
	sync.Mutex
	alike map[string]int
}

// enough tells whether many like it were held: that takes its time, and the matrix of
// answers has thousands.
func enough(req *http.Request, resp *http.Response) bool {
	held.Lock()
	defer held.Unlock()
	if held.alike == nil {
		held.alike = map[string]int{}
	}
	key := fmt.Sprint(req.Method, " ", path.Base(req.URL.Path), " ", resp.StatusCode)
	held.alike[key]++
	return held.alike[key] > 30
}

// conforms holds a request that was answered against the description: every answer
// is as described, and a request that was let through is, too. Every request of the
// tests comes through here.
func (env *testEnv) conforms(req *http.Request, payload []byte, resp *http.Response, text []byte) {
	env.Helper()
	if enough(req, resp) {
		return
	}
	router, err := described()
	if err != nil {
		env.Fatal(err)
	}
	found, parameters, err := router.FindRoute(req)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		return // asked for on purpose
	}
	if err != nil {
		env.Fatal(err)
	}
	again := req.Clone(env.Context())
	again.Body = io.NopCloser(bytes.NewReader(payload))
	input := &openapi3filter.RequestValidationInput{
		Request: again, Route: found, PathParams: parameters,
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if resp.StatusCode < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(env.Context(), input); err != nil {
			env.Errorf("%s %s was let through and is not as described: %v\n%s", req.Method, req.URL, err, payload)
		}
	}
	output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header, Options: input.Options}
	if err := openapi3filter.ValidateResponse(env.Context(), output.SetBodyBytes(text)); err != nil {
		env.Errorf("%s %s: %d is not as described: %v\n%s", req.Method, req.URL, resp.StatusCode, err, text)
	}
}

// The description is valid OpenAPI 3.1, is served, and has every verb and every
// method with its parameters.
func TestDescription(t *testing.T) {
	if _, err := described(); err != nil {
		t.Fatal(err)
	}
	env := newTestEnv(t)
	env.want("without a rule", env.get("HV01", "stranger", apiDescription), 403, "forbidden")
	served := env.get("HV01", "vic", apiDescription)
	if served.json["openapi"] != "3.1.0" {
		t.Fatalf("it is %.80s", served.text)
	}
	paths := served.json["paths"].(object)
	for _, verb := range operation.Actions() {
		if paths[apiReplicas+"/{vm_id}/{relationship}/actions/"+verb.Name] == nil {
			t.Errorf("%s is missing", verb.Name)
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
				t.Errorf("%s %s: the operationId %s is there twice", method, path, id)
			}
			ids[id] = true
		}
	}
}
