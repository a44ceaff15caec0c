package fakewmi

import (
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// serverName is the name of the host in absolute paths.
const serverName = "FAKEHOST"

// Codes of WMI, from wbemcli.h.
const (
	wbemFailed           = 0x80041001
	wbemNotFound         = 0x80041002
	wbemAccessDenied     = 0x80041003
	wbemInvalidParameter = 0x80041008
	wbemInvalidNamespace = 0x8004100E
	wbemInvalidClass     = 0x80041010
	wbemInvalidQuery     = 0x80041017
	rpcUnavailable       = 0x800706BA
)

// newException returns the exception for an error of the session. unsupported is the code for ErrUnsupported.
func newException(err error, unsupported uint32) error {
	code := uint32(wbemFailed)
	for sentinel, c := range map[error]uint32{
		wmiquery.ErrNotFound:    wbemNotFound,
		wmiquery.ErrUnsupported: unsupported,
		wmiquery.ErrDenied:      wbemAccessDenied,
		wmiquery.ErrUnavailable: rpcUnavailable,
	} {
		if errors.Is(err, sentinel) {
			code = c
		}
	}
	return &Exception{code, err.Error()}
}

func fail(code uint32, description string) error { return &Exception{code, description} }

func (h *Host) before(operation, subject string) error {
	if h.Before == nil {
		return nil
	}
	return h.Before(operation, subject)
}

// locator returns the SWbemLocator.
func (h *Host) locator() object {
	return members{"connectserver": func(in invocation) (any, error) {
		namespace := in.text(1)
		if err := h.before("connect", namespace); err != nil {
			return nil, err
		}
		if !strings.EqualFold(namespace, wmiquery.Virtualization) && !strings.EqualFold(namespace, wmiquery.CIMV2) {
			return nil, fail(wbemInvalidNamespace, "Invalid namespace")
		}
		session, err := h.Open()
		if err != nil {
			return nil, newException(err, wbemInvalidNamespace)
		}
		return &services{h, namespace, session}, nil
	}}
}

// services is SWbemServices: a connection to a namespace.
type services struct {
	host      *Host
	namespace string
	session   wmiquery.Session
}

func (s *services) released() { s.session.Close() }

func (s *services) member(name string) member {
	return map[string]member{"execquery": s.execQuery, "get": s.get, "execmethod": s.execMethod}[name]
}

// execQuery implements SWbemServices.ExecQuery for queries of the form SELECT columns FROM class, and for those that
// associatorsQuery matches.
func (s *services) execQuery(in invocation) (any, error) {
	query := in.text(0)
	if err := s.host.before("query", query); err != nil {
		return nil, err
	}
	var of, association string
	columns, name, ok := strings.Cut(strings.TrimPrefix(query, "SELECT "), " FROM ")
	if m := associatorsQuery.FindStringSubmatch(query); m != nil {
		of, association, columns, name, ok = m[1], m[2], "*", m[3], true
	}
	if !ok {
		return nil, fail(wbemInvalidQuery, "Invalid query")
	}
	class := s.class(name)
	if class == nil || association != "" && s.class(association) == nil {
		return nil, fail(wbemInvalidClass, "Invalid class")
	}
	selected := map[string]int{}
	for i := range class.NumField() {
		if f := class.Field(i).Name; !s.host.MissingProperties[f] {
			selected[strings.ToLower(f)] = i
		}
	}
	if columns != "*" {
		all := selected
		selected = map[string]int{}
		for c := range strings.SplitSeq(strings.ToLower(columns), ", ") {
			i, ok := all[c]
			if !ok {
				return nil, fail(wbemInvalidQuery, "Invalid query")
			}
			selected[c] = i
		}
	}
	rows := reflect.New(reflect.SliceOf(class))
	var err error
	if association == "" {
		err = s.session.Read(rows.Interface())
	} else {
		by := wmiquery.Class{Namespace: s.namespace, Name: association}
		err = s.session.Associated(rows.Interface(), wmiquery.Relative(of), by)
	}
	invalid, ok := wmiquery.InvalidValues(err)
	if !ok {
		return nil, newException(err, wbemInvalidClass)
	}
	texts := map[property]string{}
	for _, v := range invalid {
		texts[property{v.Row, strings.ToLower(v.Property)}] = v.Text
	}
	instanceTexts := func() ([]wmiquery.Embedded, error) {
		return nil, fail(wbemInvalidParameter, "the query does not select all columns")
	}
	if columns == "*" {
		instanceTexts = sync.OnceValues(func() ([]wmiquery.Embedded, error) {
			return s.session.Texts(reflect.Zero(class).Interface().(wmiquery.Instance).WMIClass())
		})
	}
	return collection(rows.Elem().Len(), func(i int) (any, error) {
		if err := s.host.before("next", strconv.Itoa(i)); err != nil {
			return nil, err
		}
		return &instance{s, selected, rows.Elem().Index(i), i, texts, instanceTexts}, nil
	}, nil), nil
}

// associatorsQuery matches a query for the instances of a class that an association connects with an object.
var associatorsQuery = regexp.MustCompile(`^ASSOCIATORS OF \{([^{}]+)\} WHERE AssocClass = (\w+) ResultClass = (\w+)$`)

// class returns the type of the rows of a class, nil if the namespace does not have the class.
func (s *services) class(name string) reflect.Type {
	for _, c := range msvm.Classes() {
		if strings.EqualFold(c.WMIClass().Name, name) && strings.EqualFold(c.WMIClass().Namespace, s.namespace) {
			return reflect.TypeOf(c)
		}
	}
	return nil
}

// collection returns a collection of n items, such as an SWbemObjectSet.
func collection(n int, item func(i int) (any, error), named func(name string) (any, error)) object {
	return members{
		"count":    value(int32(n)),
		"_newenum": func(invocation) (any, error) { return &enumeration{n: n, item: item}, nil },
		"item": func(in invocation) (any, error) {
			if named == nil {
				return nil, fail(wbemInvalidParameter, "Invalid parameter")
			}
			return named(in.text(0))
		},
	}
}

// instance is the SWbemObject of a row.
type instance struct {
	services *services
	columns  map[string]int // index of the field in row by name of the property in lower case
	row      reflect.Value
	index    int                 // of the row
	invalid  map[property]string // texts of the properties whose values are invalid
	texts    func() ([]wmiquery.Embedded, error)
}

// property identifies a property of a row by its name in lower case.
type property struct {
	row  int
	name string
}

func (o *instance) member(name string) member {
	if name == "gettext_" {
		return o.getText
	}
	i, ok := o.columns[name]
	if !ok {
		return nil
	}
	return func(invocation) (any, error) {
		if err := o.services.host.before("property", name); err != nil {
			return nil, err
		}
		if text, ok := o.invalid[property{o.index, name}]; ok {
			switch o.row.Field(i).Interface().(type) {
			case *string, wmiquery.Ref: // every text is valid, but not an array
				return []any{text}, nil
			}
			return text, nil
		}
		return o.services.scriptValue(o.row.Field(i).Interface()), nil
	}
}

// getText implements SWbemObjectEx.GetText_.
func (o *instance) getText(in invocation) (any, error) {
	if err := o.services.host.before("gettext", strconv.Itoa(o.index)); err != nil {
		return nil, err
	}
	texts, err := o.texts()
	if err != nil {
		return nil, newException(err, wbemInvalidClass)
	}
	return textMember(string(texts[o.index]))(in)
}

// scriptValue converts a value to the type that the scripting objects return for it.
func (s *services) scriptValue(x any) any {
	switch x := x.(type) {
	case wmiquery.Ref:
		return `\\` + serverName + `\` + s.namespace + ":" + string(x)
	case time.Time:
		return cimxml.FormatTime(x)
	case time.Duration:
		text, err := cimxml.FormatInterval(x)
		if err != nil {
			panic(err)
		}
		return text
	}
	switch v := reflect.ValueOf(x); v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return s.scriptValue(v.Elem().Interface())
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		all := []any{}
		for i := range v.Len() {
			all = append(all, s.scriptValue(v.Index(i).Interface()))
		}
		return all
	case reflect.Bool:
		return v.Bool()
	case reflect.String:
		return v.String()
	case reflect.Uint8:
		return uint8(v.Uint())
	case reflect.Int8, reflect.Int16:
		return int16(v.Int())
	case reflect.Uint16, reflect.Uint32:
		return int32(v.Uint())
	case reflect.Int32:
		return int32(v.Int())
	case reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	}
	return nil
}
