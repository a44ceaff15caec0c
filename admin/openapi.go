package admin

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/version"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// The description of the API in OpenAPI 3.1. It is made of what serves: the routes,
// the verbs, package msvm's table of methods, and the structs of the answers.

const apiDescription = "/api/v1/openapi.json"

// jsonObject is an object of the description.
type jsonObject = map[string]any

// describe is GET /api/v1/openapi.json.
func (s *Server) describe(*http.Request) (answer, *problem) {
	return jsonAnswer(http.StatusOK, s.description()), nil
}

func (s *Server) description() jsonObject {
	d := &describer{schemas: jsonObject{}}
	paths := jsonObject{}
	add := func(method, path string, operation jsonObject) {
		item, _ := paths[path].(jsonObject)
		if item == nil {
			item = jsonObject{}
			paths[path] = item
		}
		item[strings.ToLower(method)] = operation
	}
	for _, r := range s.table() {
		method, path, _ := strings.Cut(r.pattern, " ")
		switch {
		case strings.HasSuffix(path, "/{verb}"):
			for _, v := range verbs() {
				add(method, strings.Replace(path, "{verb}", v.name, 1), d.verb(r, v))
			}
		case strings.HasSuffix(path, "/{method}"):
			for _, m := range msvm.Methods() {
				add(method, strings.Replace(path, "{method}", pathName(m), 1), d.method(r, m))
			}
		default:
			add(method, path, d.operation(r, operationID(method, path), r.summary, nil))
		}
	}
	d.schemas["Problem"] = d.problemSchema()
	return jsonObject{
		"openapi": "3.1.0",
		"info": jsonObject{
			"title":       "Admin endpoint of hyperv_replica_exporter",
			"version":     cmp.Or(version.Version, "unknown"), // must not be empty, and go build alone sets none
			"description": "Controls Hyper-V Replica on one host. Off by default; what destroys is asked for twice; every call is in the audit log before it is made.",
			"license":     jsonObject{"name": "Apache 2.0", "identifier": "Apache-2.0"},
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

// pathName is what a method is called in the path: with its class if two classes
// have one of that name.
func pathName(m msvm.Method) string {
	if _, p := methodNamed(m.Name); p != nil {
		return m.Class + "." + m.Name
	}
	return m.Name
}

// operationID names an operation after its path: get_replicas.
func operationID(method, path string) string {
	words := []string{strings.ToLower(method)}
	for word := range strings.SplitSeq(strings.TrimPrefix(path, "/api/v1"), "/") {
		if word = strings.Trim(word, "{}-"); word != "" {
			words = append(words, word)
		}
	}
	return strings.NewReplacer(".", "_", "-", "_").Replace(strings.Join(words, "_"))
}

// verb describes what is done to a relationship by a name of its own.
func (d *describer) verb(r route, v verb) jsonObject {
	m := findMethod(v.method)
	o := d.operation(r, strings.ReplaceAll(v.name, "-", "_"), sentence(doesOf(m, v.request)), func(body jsonObject) {
		parameters := jsonObject{}
		for _, p := range m.In {
			for _, name := range v.takes {
				if p.Name == name {
					parameters[name] = d.parameter(p)
				}
			}
		}
		delete(body["properties"].(jsonObject), "target")
		if m.Name != destroySystem {
			delete(body["properties"].(jsonObject), "test_result")
		}
		body["properties"].(jsonObject)["parameters"] = closed(parameters, nil)
	})
	o["tags"] = []any{"actions"}
	o["description"] = told(m, v.needs.String())
	return o
}

// method describes a call of a method with parameters of one's own choice.
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
		if m.Name != destroySystem {
			delete(body["properties"].(jsonObject), "test_result")
		}
		if len(required) > 0 {
			body["required"] = []any{"parameters"}
		}
	})
	needs := owner.String() + ", or that of the action that the call amounts to"
	if strings.HasPrefix(m.Name, "Get") {
		needs = viewer.String()
	}
	o["tags"] = []any{m.Class}
	o["description"] = told(m, needs)
	o["deprecated"] = m.ReplacedBy != ""
	return o
}

// told is what one should know before a call.
func told(m msvm.Method, needs string) string {
	text := "Calls " + m.Class + "." + m.Name + ". Needs the role " + needs + "."
	if m.Destroys != "" {
		text += " Destroys " + m.Destroys + ", so it takes two steps."
	}
	return text
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

// operation describes a route. Change may change the schema of the body.
func (d *describer) operation(r route, id, summary string, change func(jsonObject)) jsonObject {
	method, path, _ := strings.Cut(r.pattern, " ")
	o := jsonObject{"operationId": id, "summary": summary, "responses": d.answers(r)}
	var parameters []any
	for part := range strings.SplitSeq(path, "/") {
		if schema, ok := pathSchemas[strings.Trim(part, "{}")]; ok && strings.HasPrefix(part, "{") {
			parameters = append(parameters, jsonObject{"name": strings.Trim(part, "{}"), "in": "path", "required": true, "schema": schema})
		}
	}
	_, acts := r.takes.(body)
	_, cancels := r.takes.(cancellation)
	if acts = acts || cancels; acts {
		parameters = append(parameters, jsonObject{"name": "dry_run", "in": "query", "schema": jsonObject{"type": "boolean"}, "description": "tells what would be done, and does nothing"})
	}
	if _, announces := r.takes.(announcement); acts || announces {
		parameters = append(parameters, jsonObject{
			"name": headerIdempotencyKey, "in": "header", "schema": jsonObject{"type": "string", "minLength": 1, "maxLength": maxIdempotencyKey},
			"description": "the same key and body give the same answer, and one call at most",
		})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if method == http.MethodPost {
		schema := d.inline(r.takes)
		if change != nil {
			change(schema)
		}
		o["requestBody"] = jsonObject{"content": jsonObject{"application/json": jsonObject{"schema": schema}}}
	}
	return o
}

// pathSchemas are those of what stands in a path.
var pathSchemas = map[string]jsonObject{
	"vm_id":        {"type": "string", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"},
	"relationship": {"enum": []any{string(msvm.Primary), string(msvm.Extended)}},
	"id":           {"type": "string"},
}

// answers describes the answers of a route; all else is a problem.
func (d *describer) answers(r route) jsonObject {
	all := jsonObject{"default": jsonObject{
		"description": "A problem, in the form of RFC 9457.",
		"content":     jsonObject{"application/problem+json": jsonObject{"schema": jsonObject{"$ref": "#/components/schemas/Problem"}}},
	}}
	for status, example := range r.gives {
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
		answer := jsonObject{"description": statusText(status), "content": jsonObject{"application/json": jsonObject{"schema": schema}}}
		if status == http.StatusAccepted {
			answer["headers"] = jsonObject{
				"Location":    jsonObject{"schema": jsonObject{"type": "string"}, "description": "where the job is"},
				"Retry-After": jsonObject{"schema": jsonObject{"type": "string"}, "description": "seconds"},
			}
		}
		all[strconv.Itoa(status)] = answer
	}
	return all
}

func statusText(status int) string {
	if status == http.StatusAccepted {
		return "It was begun; the job tells the rest."
	}
	return http.StatusText(status)
}

// embeddedClasses are the classes of which instances can be given.
func embeddedClasses() []wmiquery.Instance {
	return []wmiquery.Instance{
		msvm.ReplicationSettingData{}, msvm.ReplicationServiceSettingData{}, msvm.FailoverNetworkAdapterSettingData{}, msvm.ReplicationAuthorizationSettingData{},
	}
}

// parameter describes a parameter of a method.
func (d *describer) parameter(p msvm.Parameter) jsonObject {
	switch p.Type {
	case msvm.TypeReference:
		what := "the InstanceID of a recovery point"
		if p.Class == "Msvm_ComputerSystem" {
			what = "the GUID of a VM"
		}
		return jsonObject{"type": "string", "minLength": 1, "description": what}
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

// instance describes an instance of a class. A relationship is only named.
func (d *describer) instance(class string) jsonObject {
	for _, i := range embeddedClasses() {
		if i.WMIClass().Name == class {
			return d.class(i)
		}
	}
	return closed(jsonObject{"InstanceID": jsonObject{"type": "string"}}, []any{"InstanceID"})
}

// problemSchema describes errors.
func (d *describer) problemSchema() jsonObject {
	var types []any
	for _, k := range kinds {
		types = append(types, typePrefix+k.slug)
	}
	return jsonObject{
		"type": "object",
		"properties": jsonObject{
			"type":   jsonObject{"enum": types},
			"title":  jsonObject{"type": "string"},
			"status": jsonObject{"type": "integer", "minimum": 400, "maximum": 599},
			"detail": jsonObject{"type": "string"},
			// What is there with some types only.
			"confirmation_token": jsonObject{"type": "string", "description": "of confirmation-required: for the second step"},
			"expires":            jsonObject{"type": "string", "format": "date-time", "description": "when the token is void"},
			"plan":               d.ref(plannedCall{}),
			"current":            d.ref(seen{}),
			"estimated_loss":     d.ref(loss{}),
			"job":                jsonObject{"type": "string", "description": "the job that speaks against it, or that was begun"},
			"works_in_states":    jsonObject{"type": "array", "items": jsonObject{"type": "string"}},
			"works_in_modes":     jsonObject{"type": "array", "items": jsonObject{"type": "string"}},
			"needs_vm_off":       jsonObject{"type": "boolean"},
			"return_code":        jsonObject{"type": "integer", "minimum": 0, "description": "of the method"},
		},
		"required": []any{"type", "title", "status"},
	}
}
