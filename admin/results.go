package admin

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// showOut shows out parameters: embedded instances as objects.
func showOut(m msvm.Method, out map[string]any) map[string]any {
	shown := map[string]any{}
	for _, p := range m.Out {
		if value := out[p.Name]; value != nil {
			shown[p.Name] = showValue(p, value)
		}
	}
	return shown
}

// showValue shows an out parameter.
func showValue(p msvm.Parameter, value any) any {
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

// showInstance shows an embedded instance as an object, or as its text if it cannot
// be read.
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
				all[n] = showText(p.Type, value)
			}
			shown[p.Name] = all
		default:
			shown[p.Name] = showText(p.Type, p.Values[0])
		}
	}
	return shown
}

// showText shows a value by its CIM type; as text if it is not what its type says.
func showText(cimType, text string) any {
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
