package capture

import (
	"reflect"

	"hyperv_replica_exporter/wmiquery"
	"hyperv_replica_exporter/wmiquery/replay"
)

// TextReplacer replaces the names of a host in texts, as a capture does in messages.
type TextReplacer struct{ names *replacer }

// Table has what was read of a class of package msvm.
type Table struct {
	Class   wmiquery.Class
	Rows    any // a pointer to a slice of instances
	Invalid []wmiquery.InvalidValue
}

// NewTextReplacer returns a TextReplacer that knows hostNames, see [Options], and the names in tables.
func NewTextReplacer(hostNames []string, tables []Table) (*TextReplacer, error) {
	r := newReplacer(false, hostNames)
	var recording replay.Recording
	for _, t := range tables {
		all, err := instances(t.Class.Name, reflect.ValueOf(t.Rows).Elem(), wmiquery.NewInvalidValuesError(t.Invalid))
		if err != nil {
			return nil, err
		}
		recording.Classes = append(recording.Classes, replay.RecordedClass{Class: t.Class, Instances: all})
	}
	if _, err := r.recording(recording); err != nil {
		return nil, err
	}
	return &TextReplacer{r}, nil
}

// Message returns a message with names replaced.
func (t *TextReplacer) Message(s string) string { return t.names.message(s) }

// Path returns a key or an object path with names replaced. In contrast to Message, it keeps what follows a backslash:
// that is part of a key, and not the path of a folder.
func (t *TextReplacer) Path(s string) string {
	r := t.names
	return scan(s, r.guidAt, r.hostNameAt, r.hostPartAt, r.known.at, r.addressAt, r.thumbprintAt)
}
