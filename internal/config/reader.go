package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kingpin/v2"
	"github.com/alecthomas/units"
	"go.yaml.in/yaml/v4"
)

// reader turns the YAML of a file into settings.
type reader struct {
	flags    map[string]kingpin.Value
	known    []string        // keys, sorted
	sections map[string]bool // all that can be before a dot of a key
	settings map[string]setting
	errs     []error
}

func newReader(flags []*kingpin.FlagModel) *reader {
	r := &reader{flags: map[string]kingpin.Value{}, sections: map[string]bool{}, settings: map[string]setting{}}
	for _, f := range flags {
		r.flags[f.Name] = f.Value
		for i, c := range f.Name {
			if c == '.' {
				r.sections[f.Name[:i]] = true
			}
		}
	}
	r.known = slices.Sorted(maps.Keys(r.flags))
	return r
}

// read reads the text of a file. Its error has all mistakes, or the first one that makes it no YAML.
func (r *reader) read(text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil // empty, or only comments
	} else if err != nil {
		return explain(err, text)
	}
	if err := decoder.Decode(&more); err == nil {
		return fmt.Errorf("line %d: a second document; remove the line ---", more.Line)
	} else if !errors.Is(err, io.EOF) {
		return explain(err, text)
	}
	root := &document
	if document.Kind == yaml.DocumentNode && len(document.Content) > 0 {
		root = document.Content[0]
	}
	switch {
	case isNull(root):
		return nil
	case root.Kind != yaml.MappingNode:
		return fmt.Errorf("line %d: must be keys with values, such as log: {level: info}", root.Line)
	}
	r.readSection("", root)
	return allErrors(r.errs)
}

func (r *reader) fail(n *yaml.Node, format string, a ...any) {
	r.errs = append(r.errs, fmt.Errorf("line %d: %w", n.Line, fmt.Errorf(format, a...)))
}

// readSection reads the keys of a section; prefix is "" or ends in a dot.
func (r *reader) readSection(prefix string, section *yaml.Node) {
	for i := 0; i+1 < len(section.Content); i += 2 {
		key, value := section.Content[i], section.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.fail(key, "a key must be a name")
			continue
		}
		name := prefix + key.Value
		_, isFlag := r.flags[name]
		switch {
		case key.ShortTag() == "!!merge" || value.Kind == yaml.AliasNode:
			r.fail(key, "%s: references (* and <<) are not supported; write the value", name)
		case r.sections[name] && value.Kind == yaml.MappingNode:
			r.readSection(name+".", value)
		case isFlag:
			r.readSetting(name, key, value)
		case r.sections[name] && isNull(value):
			// All keys of the section are commented out.
		case r.sections[name]:
			r.fail(key, "%s: is a section with keys of its own, such as %s", name, r.firstIn(name))
		default:
			r.failUnknown(key, name)
		}
	}
}

// firstIn returns the first key of a section.
func (r *reader) firstIn(section string) string {
	return r.known[slices.IndexFunc(r.known, func(k string) bool { return strings.HasPrefix(k, section+".") })]
}

func (r *reader) failUnknown(key *yaml.Node, name string) {
	if k := nearest(name, slices.Concat(r.known, slices.Sorted(maps.Keys(r.sections)))); k != "" {
		r.fail(key, "%.100q: unknown key; the nearest one is %s", name, k)
		return
	}
	r.fail(key, "%.100q: unknown key; the keys are the names of the flags, see --help", name)
}

// readSetting reads the value of a flag, a list if it is a flag that can be repeated.
func (r *reader) readSetting(name string, key, value *yaml.Node) {
	if before, ok := r.settings[name]; ok {
		r.fail(key, "%s: is also on line %d; remove one of them", name, before.line)
		return
	}
	s := setting{line: key.Line}
	elements := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		if !IsRepeatable(r.flags[name]) {
			r.fail(key, "%s: must be one value, not a list", name)
			return
		}
		elements = value.Content
	}
	for _, e := range elements {
		if err := r.checkValue(name, e); err != nil {
			r.fail(e, "%s: %w", name, err)
			return
		}
		s.values = append(s.values, e.Value)
	}
	r.settings[name] = s
}

// checkValue checks a value as the flag does on the command line.
func (r *reader) checkValue(name string, n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return errors.New("references (* and <<) are not supported; write the value")
	case isNull(n):
		return errors.New(`has no value; write one, "" for an empty text, or remove the key`)
	case n.Kind != yaml.ScalarNode:
		return errors.New("must be a value, without keys or a list in it")
	case strings.ContainsFunc(n.Value, isEscaped):
		return fmt.Errorf("%q has a control character; write paths of Windows in single quotes, "+
			`in which \ is an ordinary character`, n.Value)
	}
	return Check(r.flags[name], n.Value)
}

// IsRepeatable reports whether a flag can be repeated, so that the value of its key is a list.
func IsRepeatable(v kingpin.Value) bool {
	c, ok := v.(interface{ IsCumulative() bool })
	return ok && c.IsCumulative()
}

// Check sets the value of a flag. Its error says what is allowed.
func Check(v kingpin.Value, text string) error {
	err := v.Set(text)
	if want := allowed(v); err != nil && want != "" {
		return fmt.Errorf("%q must be %s", text, want)
	}
	return err
}

// allowed describes the values of a flag by its type. It returns "" for a type whose errors say what is allowed.
func allowed(v kingpin.Value) string {
	if b, ok := v.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return "true or false"
	}
	g, ok := v.(kingpin.Getter)
	if !ok {
		return ""
	}
	switch g.Get().(type) {
	case time.Duration:
		return "a duration such as 500ms, 30s or 5m"
	case units.Base2Bytes:
		return "a size such as 64MB"
	case int:
		return "a whole number"
	case uint, uint64:
		return "a whole number, zero or more"
	case float64:
		return "a number"
	}
	return ""
}

// isEscaped reports whether a character comes from an escape sequence of YAML rather than from a person: the path
// "C:\new\Program\_a" has a line feed, a paragraph separator and a space that does not break.
func isEscaped(r rune) bool {
	return r == '\u00A0' || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
