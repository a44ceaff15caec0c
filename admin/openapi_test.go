//go:build !windows

package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/errors"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// described is the validator of the description, made once: it has a schema for
// every method.
var described = sync.OnceValues(func() (validator.Validator, error) {
	text, err := json.Marshal((&Server{}).description())
	if err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
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
func (l *lab) conforms(req *http.Request, payload []byte, resp *http.Response, text []byte) {
	l.Helper()
	if enough(req, resp) {
		return
	}
	v, err := described()
	if err != nil {
		l.Fatal(err)
	}
	answer := *resp
	answer.Body = io.NopCloser(bytes.NewReader(text))
	_, errs := v.ValidateHttpResponse(req, &answer)
	for _, e := range errs {
		if !missing(e) {
			l.Errorf("%s %s: %d is not as described: %s: %s\n%s", req.Method, req.URL, resp.StatusCode, e.Message, reasons(e), text)
		}
	}
	if resp.StatusCode >= http.StatusBadRequest || len(bytes.TrimSpace(payload)) == 0 {
		return
	}
	again := req.Clone(l.Context())
	again.Body = io.NopCloser(bytes.NewReader(payload))
	_, errs = v.ValidateHttpRequest(again)
	for _, e := range errs {
		l.Errorf("%s %s was let through and is not as described: %s: %s\n%s", req.Method, req.URL, e.Message, reasons(e), payload)
	}
}

// missing: paths and methods that there are not are asked for on purpose.
func missing(e *errors.ValidationError) bool {
	return e.IsPathMissingError() || e.IsOperationMissingError()
}

func reasons(e *errors.ValidationError) string {
	all := e.Reason
	for _, s := range e.SchemaValidationErrors {
		all += "; " + s.KeywordLocation + ": " + s.Reason
	}
	return all
}

// The description is valid OpenAPI 3.1, is served, and has every verb and every
// method with its parameters.
func TestDescription(t *testing.T) {
	v, err := described()
	if err != nil {
		t.Fatal(err)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s", e.Message, reasons(e))
		}
	}
	l := newLab(t)
	l.want("without a rule", l.get("HV01", "stranger", apiDescription), 403, "forbidden")
	served := l.get("HV01", "vic", apiDescription)
	if served.json["openapi"] != "3.1.0" {
		t.Fatalf("it is %.80s", served.text)
	}
	paths := served.json["paths"].(m)
	for _, verb := range verbs() {
		if paths[apiReplicas+"/{vm_id}/{relationship}/actions/"+verb.name] == nil {
			t.Errorf("%s is missing", verb.name)
		}
	}
	for _, method := range msvm.Methods() {
		item, _ := paths["/api/v1/methods/"+pathName(method)].(m)
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
		for method, operation := range item.(m) {
			id := operation.(m)["operationId"].(string)
			if ids[id] {
				t.Errorf("%s %s: the operationId %s is there twice", method, path, id)
			}
			ids[id] = true
		}
	}
}
