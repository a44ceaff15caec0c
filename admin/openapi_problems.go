package admin

import (
	"net/http"
	"slices"
	"strings"

	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// problemsOf returns the problems of a route with a status of 4xx, by status.
func problemsOf(r route) map[int][]problem.Type {
	types := []problem.Type{
		problem.BadRequest, problem.Unauthenticated, problem.Forbidden, problem.HostNotAllowed, problem.CrossOrigin,
		problem.RateLimited,
	}
	_, executes := r.request.(operation.Request)
	_, cancels := r.request.(cancelRequest)
	_, unlocks := r.request.(unlockRequest)
	_, announces := r.request.(announcement)
	_, bulk := r.request.(bulkRequest)
	if strings.Contains(r.pattern, "{") || announces || bulk {
		types = append(types, problem.NotFound)
	}
	if strings.HasPrefix(r.pattern, "GET "+apiReplicas) || r.pattern == "GET "+apiAuthorization || executes || cancels ||
		announces || bulk {
		types = append(types, problem.AccessDenied)
	}
	if r.request != nil {
		types = append(types, problem.TooLarge, problem.UnsupportedMediaType)
	}
	if executes || cancels || announces || bulk {
		types = append(types, problem.IdempotencyConflict, problem.IdempotencyReuse)
	}
	if executes || cancels || unlocks || bulk || strings.HasSuffix(r.pattern, "/end") {
		types = append(types, problem.InvalidState)
	}
	if executes || unlocks || bulk {
		types = append(types, problem.ConfirmationRequired, problem.ConfirmationInvalid)
	}
	if executes || bulk {
		types = append(types, problem.InvalidParameter, problem.Busy, problem.DataLossExceeded)
	}
	if executes {
		types = append(types, problem.ResynchronizationRunning, problem.PreconditionFailed)
	}
	byStatus := map[int][]problem.Type{}
	for _, t := range problem.Types() { // in the order of the documentation
		if slices.Contains(types, t) {
			byStatus[t.Status] = append(byStatus[t.Status], t)
		}
	}
	return byStatus
}

// describeProblems describes the response with a status. Before a request reaches the endpoint, the exporter toolkit
// authenticates it, and its responses are plain text.
func describeProblems(status int, types []problem.Type) jsonObject {
	var all []string
	for _, t := range types {
		all = append(all, t.Slug+": "+t.Title)
	}
	response := problemResponse(strings.Join(all, ". ") + ".")
	if status == http.StatusUnauthorized || status == http.StatusTooManyRequests {
		response["content"].(jsonObject)["text/plain"] = jsonObject{"schema": jsonObject{"type": "string"}}
	}
	return response
}

// problemResponse describes a response that is a problem.
func problemResponse(description string) jsonObject {
	return jsonObject{
		"description": description,
		"content": jsonObject{
			"application/problem+json": jsonObject{"schema": jsonObject{"$ref": "#/components/schemas/Problem"}},
		},
	}
}

// problemSchema describes problems.
func (d *describer) problemSchema() jsonObject {
	var types []any
	for _, t := range problem.Types() {
		types = append(types, t.URI())
	}
	return jsonObject{
		"type": "object",
		"properties": jsonObject{
			"type":   jsonObject{"enum": types},
			"title":  jsonObject{"type": "string"},
			"status": jsonObject{"type": "integer", "minimum": 400, "maximum": 599},
			"detail": jsonObject{"type": "string"},
			// Members of some types only.
			"confirmation_token": described("string", "Token that confirms the action (confirmation-required only)."),
			"expires": jsonObject{
				"type": "string", "format": "date-time", "description": "Time at which the token expires.",
			},
			"vm_count":        described("integer", "Number of VMs that fail over (bulk failovers only)."),
			"counts":          d.ref(bulkPlan{}.Counts),
			"vms":             d.ref(bulkPlan{}.VMs),
			"plan":            d.ref(operation.PlannedCall{}),
			"current":         d.ref(operation.TargetState{}),
			"estimated_loss":  d.ref(operation.DataLoss{}),
			"job":             described("string", "URL of the conflicting job, or of the job that was started."),
			"works_in_states": jsonObject{"type": "array", "items": jsonObject{"type": "string"}},
			"works_in_modes":  jsonObject{"type": "array", "items": jsonObject{"type": "string"}},
			"needs_vm_off":    jsonObject{"type": "boolean"},
			"return_code":     jsonObject{"type": "integer", "minimum": 0, "description": "Return code of the method."},
		},
		"required": []any{"type", "title", "status"},
	}
}
