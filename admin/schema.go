package admin

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery"
)

// describer makes JSON schemas of Go types. Structs of their own name are put into
// schemas, and referred to.
type describer struct{ schemas jsonObject }

// closed is an object that has these properties and no others.
func closed(properties jsonObject, required []any) jsonObject {
	o := jsonObject{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// ref is a reference to the schema of an example's type.
func (d *describer) ref(example any) jsonObject { return d.of(reflect.TypeOf(example)) }

// inline is the schema of a struct itself, which may be changed.
func (d *describer) inline(example any) jsonObject { return d.properties(reflect.TypeOf(example)) }

// schemaNames are the names of structs that are not those of their types.
var schemaNames = strings.NewReplacer("Model", "", "Record", "", "List", "s")

// of is the schema of a type. What JSON cannot tell is any value.
func (d *describer) of(t reflect.Type) jsonObject {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return jsonObject{"type": "string", "format": "date-time"}
	case t == durationType:
		return jsonObject{"type": "string", "description": "such as 6h30m"}
	case t == reflect.TypeFor[json.RawMessage]():
		return jsonObject{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return jsonObject{"anyOf": []any{d.of(t.Elem()), jsonObject{"type": "null"}}}
	case reflect.Slice:
		return jsonObject{"type": []any{"array", "null"}, "items": d.of(t.Elem())}
	case reflect.Map:
		return jsonObject{"type": "object", "additionalProperties": d.of(t.Elem())}
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
		name := schemaNames.Replace(strings.ToUpper(t.Name()[:1]) + t.Name()[1:])
		if d.schemas[name] == nil {
			d.schemas[name] = jsonObject{} // it may refer to itself
			d.schemas[name] = d.properties(t)
		}
		return jsonObject{"$ref": "#/components/schemas/" + name}
	}
	return jsonObject{}
}

// properties is the schema of a struct as encoding/json writes it: what has
// omitempty may be missing; a pointer without may be null.
func (d *describer) properties(t reflect.Type) jsonObject {
	properties, required := jsonObject{}, []any{}
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && tag == "" {
			part, optional := f.Type, false
			if part.Kind() == reflect.Pointer {
				part, optional = part.Elem(), true
			}
			inner := d.properties(part)
			maps.Copy(properties, inner["properties"].(jsonObject))
			if more, ok := inner["required"].([]any); ok && !optional {
				required = append(required, more...)
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		properties[name] = d.of(f.Type)
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return closed(properties, required)
}

// class is the schema of a class of WMI, of which any property may be given.
func (d *describer) class(i wmiquery.Instance) jsonObject {
	name := i.WMIClass().Name
	if d.schemas[name] == nil {
		s := d.properties(reflect.TypeOf(i))
		delete(s, "required")
		d.schemas[name] = s
	}
	return jsonObject{"$ref": "#/components/schemas/" + name}
}
