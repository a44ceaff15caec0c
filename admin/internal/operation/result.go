package operation

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// Result returns the out parameters of a method for JSON. Embedded instances become objects.
func Result(m msvm.Method, out map[string]any) map[string]any {
	shown := map[string]any{}
	for _, p := range m.Out {
		if value := out[p.Name]; value != nil {
			shown[p.Name] = showOutParameter(p, value)
		}
	}
	return shown
}

func showOutParameter(p msvm.Parameter, value any) any {
	switch v := value.(type) {
	case string:
		if p.Type == msvm.TypeEmbedded {
			return showInstance(v)
		}
	case []string:
		if p.Type != msvm.TypeEmbeddedArray {
			return v
		}
		all := []any{}
		for _, text := range v {
			if text != "" {
				all = append(all, showInstance(text))
			}
		}
		return all
	}
	return value
}

// showInstance returns an embedded instance as an object. It returns the text if the text cannot be parsed.
func showInstance(text string) any {
	i, err := cimxml.Parse(text)
	if err != nil {
		return text
	}
	shown := map[string]any{}
	for _, p := range i.Properties {
		switch {
		case p.Null:
			shown[p.Name] = nil
		case p.Array:
			all := make([]any, len(p.Values))
			for n, value := range p.Values {
				all[n] = showCIMValue(p.Type, value)
			}
			shown[p.Name] = all
		default:
			shown[p.Name] = showCIMValue(p.Type, p.Values[0])
		}
	}
	return shown
}

// showCIMValue returns a value according to its CIM type. It returns the text if the value does not match the type.
func showCIMValue(cimType, text string) any {
	trimmed := strings.TrimSpace(text)
	switch {
	case cimType == "boolean":
		return strings.EqualFold(trimmed, "true")
	case cimType == "datetime":
		if t, err := cimxml.ParseTime(trimmed); err == nil {
			if at, ok := msvm.Known(&t); ok {
				return at.Format(time.RFC3339Nano)
			}
			return nil
		}
	case slices.Contains([]string{"uint8", "uint16", "uint32", "uint64", "sint8", "sint16", "sint32", "sint64"}, cimType):
		if json.Valid([]byte(trimmed)) {
			return json.Number(trimmed)
		}
	}
	return text
}
