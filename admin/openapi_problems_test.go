package admin

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The description of a request names the statuses of its errors, and the problems that have them.
func TestDescriptionNamesProblems(t *testing.T) {
	paths := (&Server{}).description()["paths"].(object)
	for request, want := range map[string]string{
		"get " + apiReplicas:                                               "200 400 401 403 429 default",
		"get " + apiReplicas + "/{vm_id}/{relationship}":                   "200 400 401 403 404 429 default",
		"post " + apiReplicas + "/{vm_id}/{relationship}/actions/failover": "200 202 400 401 403 404 409 412 413 415 422 429 default",
		"post " + apiJobs + "/{id}/unlock":                                 "200 400 401 403 404 409 413 415 429 default",
		"post " + apiBulkFailovers:                                         "200 202 400 401 403 404 409 412 413 415 422 429 default",
		"post " + apiMaintenance:                                           "201 400 401 403 404 409 413 415 422 429 default",
		"get " + apiWhoAmI:                                                 "200 400 401 403 429 default",
	} {
		method, path, _ := strings.Cut(request, " ")
		responses := paths[path].(object)[method].(object)["responses"].(object)
		if got := strings.Join(slices.Sorted(maps.Keys(responses)), " "); got != want {
			t.Errorf("%s: got %s, want %s", request, got, want)
		}
		limited := responses["429"].(object)
		if limited["description"] != "rate-limited: Too many requests." || limited["content"].(object)["text/plain"] == nil {
			t.Errorf("%s: 429 is %v", request, limited)
		}
	}
}
