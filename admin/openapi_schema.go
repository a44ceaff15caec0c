package admin

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"strings"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// schemaGenerator generates JSON schemas from Go types. Named structs are added to schemas and used by reference.
type schemaGenerator struct{ schemas jsonObject }

// closed returns the schema of an object with these properties and no others.
func closed(properties jsonObject, required []any) jsonObject {
	o := jsonObject{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// described returns the schema of a type with a description.
func described(jsonType, description string) jsonObject {
	return jsonObject{"type": jsonType, "description": description}
}

// ref returns a reference to the schema of an example's type.
func (g *schemaGenerator) ref(example any) jsonObject { return g.of(reflect.TypeOf(example)) }

// inline returns a new schema of a struct, which the caller may change.
func (g *schemaGenerator) inline(example any) jsonObject {
	return g.properties(reflect.TypeOf(example))
}

// schemaName returns the name of a struct in the description. Clients are generated from these names, so they do not
// change when a type is renamed.
func schemaName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[operation.TargetState]():
		return "Seen"
	case reflect.TypeFor[operation.DataLoss]():
		return "Loss"
	case reflect.TypeFor[job.Record]():
		return "Job"
	case reflect.TypeFor[actionView]():
		return "Operations"
	case reflect.TypeFor[refusedAction]():
		return "RefusedOperation"
	case reflect.TypeFor[recoveryPointView]():
		return "Point"
	case reflect.TypeFor[statisticsView]():
		return "MsvmStatistics"
	case reflect.TypeFor[dryRunResult]():
		return "DryRun"
	case reflect.TypeFor[reloadResult]():
		return "Reloaded"
	}
	return strings.NewReplacer("View", "", "List", "s").Replace(strings.ToUpper(t.Name()[:1]) + t.Name()[1:])
}

// of returns the schema of a type. A type without a JSON schema can be any value.
func (g *schemaGenerator) of(t reflect.Type) jsonObject {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return jsonObject{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return jsonObject{"type": "string", "description": "Interval such as 6h30m."}
	case t == reflect.TypeFor[json.RawMessage]():
		return jsonObject{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonObject{"anyOf": []any{g.of(t.Elem()), jsonObject{"type": "null"}}}
	case reflect.Slice:
		return jsonObject{"type": []any{"array", "null"}, "items": g.of(t.Elem())}
	case reflect.Map:
		return jsonObject{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.String:
		return jsonObject{"type": "string"}
	case reflect.Bool:
		return jsonObject{"type": "boolean"}
	case reflect.Float64:
		return jsonObject{"type": "number"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return jsonObject{"type": "integer", "minimum": 0, "maximum": uint64(math.MaxUint64) >> (64 - t.Bits())}
	case reflect.Uint64:
		return jsonObject{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return jsonObject{"type": "integer"}
	case reflect.Struct:
		name := schemaName(t)
		if g.schemas[name] == nil {
			g.schemas[name] = jsonObject{} // the type may refer to itself
			g.schemas[name] = g.properties(t)
		}
		return jsonObject{"$ref": "#/components/schemas/" + name}
	}
	return jsonObject{}
}

// properties returns the schema of a struct as encoding/json writes it. A field with omitempty can be absent. A pointer
// without omitempty can be null.
func (g *schemaGenerator) properties(t reflect.Type) jsonObject {
	properties, required := jsonObject{}, []any{}
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && tag == "" {
			part, optional := f.Type, false
			if part.Kind() == reflect.Pointer {
				part, optional = part.Elem(), true
			}
			inner := g.properties(part)
			maps.Copy(properties, inner["properties"].(jsonObject))
			if more, ok := inner["required"].([]any); ok && !optional {
				required = append(required, more...)
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		properties[name] = g.of(f.Type)
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return closed(properties, required)
}

// class returns the schema of a WMI class. All properties are optional.
func (g *schemaGenerator) class(i wmiquery.Instance) jsonObject {
	name := i.WMIClass().Name
	if g.schemas[name] == nil {
		s := g.properties(reflect.TypeOf(i))
		delete(s, "required")
		g.schemas[name] = s
	}
	return jsonObject{"$ref": "#/components/schemas/" + name}
}

// pathSchemas returns the schemas of path parameters.
func pathSchemas() map[string]jsonObject {
	return map[string]jsonObject{
		"vm_id":        {"type": "string", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"},
		"relationship": {"enum": []any{string(msvm.Primary), string(msvm.Extended)}},
		"id":           {"type": "string"},
	}
}
