package admin

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The description of the API in OpenAPI 3.1 is generated from the code: the routes, the actions, package msvm's table
// of methods, and the structs of the requests and responses.

// jsonObject is an object of the description.
type jsonObject = map[string]any

// describe handles GET /api/v1/openapi.json.
func (s *Server) describe(*http.Request) (problem.Response, *problem.Problem) {
	return problem.JSON(http.StatusOK, s.description()), nil
}

// description returns the description of the API.
func (s *Server) description() jsonObject {
	d := &describer{schemaGenerator{schemas: jsonObject{}}}
	paths := jsonObject{}
	add := func(method, path string, operation jsonObject) {
		item, _ := paths[path].(jsonObject)
		if item == nil {
			item = jsonObject{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = operation
	}
	for _, r := range s.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		switch {
		case strings.HasSuffix(path, "/{action}"):
			for _, a := range operation.Actions() {
				add(method, strings.Replace(path, "{action}", a.Name, 1), d.action(r, a))
			}
		case strings.HasSuffix(path, "/{method}"):
			for _, m := range msvm.Methods() {
				add(method, strings.Replace(path, "{method}", operation.MethodPath(m), 1), d.method(r, m))
			}
		default:
			add(method, path, d.operation(r, operationID(method, path), r.summary, nil))
		}
	}
	d.schemas["Problem"] = d.problemSchema()
	return jsonObject{
		"openapi": "3.1.0",
		"info": jsonObject{
			"title":   "Admin endpoint of hyperv_replica_exporter",
			"version": cmp.Or(version.Version, "unknown"), // must not be empty; a plain go build sets no version
			"description": "Controls Hyper-V Replica on one host. Destructive actions must be confirmed. " +
				"Every action is written to the audit log before it is executed.",
			"license": jsonObject{"name": "Apache 2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []any{jsonObject{"url": "/"}},
		"security": []any{jsonObject{"password": []any{}}, jsonObject{"certificate": []any{}}},
		"paths":    paths,
		"components": jsonObject{
			"schemas": d.schemas,
			"securitySchemes": jsonObject{
				"password":    jsonObject{"type": "http", "scheme": "basic"},
				"certificate": jsonObject{"type": "mutualTLS"},
			},
		},
	}
}

// operationID returns the ID of an operation from its path, such as get_replicas.
func operationID(method, path string) string {
	words := []string{strings.ToLower(method)}
	for word := range strings.SplitSeq(strings.TrimPrefix(path, "/api/v1"), "/") {
		if word = strings.Trim(word, "{}-"); word != "" {
			words = append(words, word)
		}
	}
	return strings.NewReplacer(".", "_", "-", "_").Replace(strings.Join(words, "_"))
}

// describer describes the operations of the API.
type describer struct{ schemaGenerator }

// action describes an action.
func (d *describer) action(r route, a operation.Action) jsonObject {
	m := a.Definition()
	o := d.operation(r, strings.ReplaceAll(a.Name, "-", "_"), sentence(a.Summary()), func(body jsonObject) {
		parameters := jsonObject{}
		for _, p := range m.In {
			for _, name := range a.Parameters {
				if p.Name == name {
					parameters[name] = d.parameter(p)
				}
			}
		}
		delete(body["properties"].(jsonObject), "target")
		if m.Name != msvm.MethodDestroySystem {
			delete(body["properties"].(jsonObject), "test_result")
		}
		body["properties"].(jsonObject)["parameters"] = closed(parameters, nil)
	})
	o["tags"] = []any{"actions"}
	o["description"] = callDescription(m, a.Destroys(nil), a.Role.String())
	return o
}

// method describes a method.
func (d *describer) method(r route, m msvm.Method) jsonObject {
	o := d.operation(r, m.Class+"_"+m.Name, sentence(m.Summary), func(body jsonObject) {
		parameters, required := jsonObject{}, []any{}
		for _, p := range m.In {
			parameters[p.Name] = d.parameter(p)
			if p.Optional {
				parameters[p.Name] = jsonObject{"anyOf": []any{parameters[p.Name], jsonObject{"type": "null"}}}
			} else {
				required = append(required, p.Name)
			}
		}
		body["properties"].(jsonObject)["parameters"] = closed(parameters, required)
		if m.Name != msvm.MethodDestroySystem {
			delete(body["properties"].(jsonObject), "test_result")
		}
		if len(required) > 0 {
			body["required"] = []any{"parameters"}
		}
	})
	role := authz.RoleOwner.String() + ", or the role of the action that does the same"
	if m.IsGet() {
		role = authz.RoleViewer.String()
	}
	o["tags"] = []any{m.Class}
	o["description"] = callDescription(m, m.Destroys, role)
	o["deprecated"] = m.ReplacedBy != ""
	return o
}

// callDescription describes the call of a method that can destroy something; "" stands for nothing.
func callDescription(m msvm.Method, destroys, role string) string {
	text := "Calls " + m.Class + "." + m.Name + ". Requires the role " + role + "."
	if destroys != "" {
		text += " Destroys " + destroys + ", so it must be confirmed."
	}
	return text
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// operation describes a route. If change is not nil, it changes the schema of the body.
func (d *describer) operation(r route, id, summary string, change func(jsonObject)) jsonObject {
	method, path, _ := strings.Cut(r.pattern, " ")
	o := jsonObject{"operationId": id, "summary": summary, "responses": d.responses(r)}
	parameters := queryParameters(r)
	for part := range strings.SplitSeq(path, "/") {
		if schema, ok := pathSchemas()[strings.Trim(part, "{}")]; ok && strings.HasPrefix(part, "{") {
			parameters = append(parameters,
				jsonObject{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "schema": schema})
		}
	}
	_, executes := r.request.(operation.Request)
	_, cancels := r.request.(cancelRequest)
	_, announces := r.request.(announcement)
	_, bulk := r.request.(bulkRequest)
	if executes || cancels {
		parameters = append(parameters, jsonObject{
			"name": "dry_run", "in": "query", "schema": jsonObject{"type": "boolean"},
			"description": "Return what the request would do, without doing it.",
		})
	}
	if executes || cancels || announces || bulk {
		parameters = append(parameters, jsonObject{
			"name": headerIdempotencyKey, "in": "header",
			"schema":      jsonObject{"type": "string", "minLength": 1, "maxLength": maxIdempotencyKey},
			"description": "Requests with the same key and body get the same response and call the host at most once.",
		})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if method == http.MethodPost {
		schema := d.inline(r.request)
		if change != nil {
			change(schema)
		}
		o["requestBody"] = jsonObject{"content": jsonObject{"application/json": jsonObject{"schema": schema}}}
	}
	return o
}

// responses describes the responses of a route. Every other response is a problem.
func (d *describer) responses(r route) jsonObject {
	all := jsonObject{"default": problemResponse("A problem as defined by RFC 9457.")}
	for status, types := range problemsOf(r) {
		all[strconv.Itoa(status)] = describeProblems(status, types)
	}
	for status, example := range r.responses {
		schema := jsonObject{}
		if several, ok := example.([]any); ok {
			var refs []any
			for _, one := range several {
				refs = append(refs, d.ref(one))
			}
			schema["anyOf"] = refs
		} else {
			schema = d.ref(example)
		}
		response := jsonObject{
			"description": statusText(status), "content": jsonObject{"application/json": jsonObject{"schema": schema}},
		}
		if status == http.StatusAccepted {
			response["headers"] = jsonObject{
				"Location":    jsonObject{"schema": jsonObject{"type": "string"}, "description": "URL of the job or bulk failover"},
				"Retry-After": jsonObject{"schema": jsonObject{"type": "string"}, "description": "seconds"},
			}
		}
		all[strconv.Itoa(status)] = response
	}
	return all
}

func statusText(status int) string {
	if status == http.StatusAccepted {
		return "The action was started. The URL in Location shows its progress."
	}
	return http.StatusText(status)
}

// parameter describes a parameter of a method.
func (d *describer) parameter(p msvm.Parameter) jsonObject {
	switch p.Type {
	case msvm.TypeReference:
		description := "InstanceID of a recovery point"
		if p.Class == msvm.ClassComputerSystem {
			description = "GUID of a VM"
		}
		return jsonObject{"type": "string", "minLength": 1, "description": description}
	case msvm.TypeEmbedded:
		return d.instance(p.Class)
	case msvm.TypeEmbeddedArray:
		return jsonObject{"type": "array", "items": d.instance(p.Class)}
	case msvm.TypeStringArray:
		return jsonObject{"type": "array", "items": jsonObject{"type": "string"}}
	case msvm.TypeBoolean:
		return jsonObject{"type": "boolean"}
	case msvm.TypeUint16:
		return jsonObject{"type": "integer", "minimum": 0, "maximum": 65535}
	case msvm.TypeDatetime:
		return jsonObject{"type": "string", "format": "date-time"}
	}
	return jsonObject{"type": "string"}
}

// instance describes an embedded instance of a class. A relationship has only its InstanceID.
func (d *describer) instance(class string) jsonObject {
	for _, i := range operation.EmbeddedClasses() {
		if i.WMIClass().Name == class {
			return d.class(i)
		}
	}
	return closed(jsonObject{"InstanceID": jsonObject{"type": "string"}}, []any{"InstanceID"})
}
