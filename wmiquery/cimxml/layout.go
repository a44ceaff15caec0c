package cimxml

import (
	"fmt"
	"reflect"
	"sync"
)

// layout has what reflection says about the fields of a type of structs.
type layout struct {
	names   []string     // of the fields by index, "" for fields that are not exported
	targets reflect.Type // a struct of the types that the pointers point to: one allocation serves all pointers
}

// layouts has a *layout by reflect.Type. The types are those of the program, so their number is limited.
var layouts sync.Map

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{names: make([]string, t.NumField())}
	targets := make([]reflect.StructField, t.NumField())
	for i := range targets {
		f := t.Field(i)
		if f.IsExported() {
			l.names[i] = f.Name
		}
		targets[i] = reflect.StructField{Name: fmt.Sprintf("Field%d", i), Type: reflect.TypeFor[struct{}]()}
		if f.Type.Kind() == reflect.Pointer {
			targets[i].Type = f.Type.Elem()
		}
	}
	l.targets = reflect.StructOf(targets)
	layouts.Store(t, l)
	return l
}
