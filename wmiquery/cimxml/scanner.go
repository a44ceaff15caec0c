package cimxml

import (
	"errors"
	"fmt"
	"strings"
)

// scanner reads the XML of embedded instances. encoding/xml could do the same but is about eight times slower, and a
// scrape reads one instance per relationship. scanner supports elements, attributes, text, CDATA, comments and the
// predefined entities. It ignores namespaces and document types.
type scanner struct {
	rest  string      // the text that has not been read
	open  []string    // the names of the elements that enclose rest
	attrs [][2]string // names and raw values of the attributes of the last start tag
	empty bool        // reports whether the last start tag was of the form <x/>, so that the next token is its end
	// tagStart is the number of bytes from the start of the last tag to the end of the text.
	tagStart int
	err      error // the first error of the syntax; nothing can be read after it
}

type token int

const (
	eof token = iota
	begin
	end
	text
)

// maxDepth is the maximum depth of nested elements. No valid instance reaches it.
const maxDepth = 32

// next returns the next token with the name of the element, or with the text. After an error, it returns the same error
// again.
func (s *scanner) next() (t token, nameOrText string, err error) {
	if s.err == nil {
		t, nameOrText, s.err = s.read()
	}
	return t, nameOrText, s.err
}

// read implements next.
func (s *scanner) read() (token, string, error) {
	for {
		switch {
		case s.empty:
			s.empty = false
			return end, s.pop(), nil
		case s.rest == "" && len(s.open) > 0:
			return eof, "", fmt.Errorf("unexpected end of text in element %.40q", s.open[len(s.open)-1])
		case s.rest == "":
			return eof, "", nil
		case s.rest[0] != '<':
			n := strings.IndexByte(s.rest, '<')
			if n < 0 {
				n = len(s.rest)
			}
			raw := s.rest[:n]
			s.rest = s.rest[n:]
			decoded, err := decode(raw, true)
			return text, decoded, err
		case strings.HasPrefix(s.rest, "<![CDATA["):
			raw, err := s.cutThrough("<![CDATA[", "]]>")
			if err != nil {
				return eof, "", err
			}
			decoded, err := decode(raw, false)
			return text, decoded, err
		case strings.HasPrefix(s.rest, "</"):
			s.tagStart = len(s.rest)
			raw, err := s.cutThrough("</", ">")
			if name := strings.TrimRight(raw, " \t\r\n"); err == nil && (len(s.open) == 0 || name != s.open[len(s.open)-1]) {
				err = fmt.Errorf("end tag of %.40q, which is not open", name)
			}
			if err != nil {
				return eof, "", err
			}
			return end, s.pop(), nil
		case strings.HasPrefix(s.rest, "<!"), strings.HasPrefix(s.rest, "<?"):
			if err := s.skipMarkup(); err != nil {
				return eof, "", err
			}
		default:
			name, err := s.startTag()
			return begin, name, err
		}
	}
}

// cutThrough returns the text between from, with which s.rest starts, and to, and removes all three from s.rest.
func (s *scanner) cutThrough(from, to string) (string, error) {
	raw, rest, ok := strings.Cut(s.rest[len(from):], to)
	if !ok {
		return "", fmt.Errorf("%s without %s", from, to)
	}
	s.rest = rest
	return raw, nil
}

// skipMarkup skips a comment, a declaration or a document type.
func (s *scanner) skipMarkup() (err error) {
	switch {
	case strings.HasPrefix(s.rest, "<!--"):
		_, err = s.cutThrough("<!--", "-->")
	case strings.HasPrefix(s.rest, "<?"):
		_, err = s.cutThrough("<?", "?>")
	default:
		_, err = s.cutThrough("<!", ">")
	}
	return err
}

// startTag reads a start tag.
func (s *scanner) startTag() (string, error) {
	s.tagStart = len(s.rest)
	element, rest := cutName(s.rest[1:])
	if element == "" {
		return "", fmt.Errorf("%.40q is not a tag", s.rest)
	}
	if len(s.open) == maxDepth {
		return "", errors.New("elements are nested too deeply")
	}
	s.open = append(s.open, element)
	s.attrs = s.attrs[:0]
	for {
		rest = trimLeft(rest)
		if s.empty = strings.HasPrefix(rest, "/>"); s.empty {
			rest = rest[1:]
		}
		if strings.HasPrefix(rest, ">") {
			s.rest = rest[1:]
			return localName(element), nil
		}
		name, after := cutName(rest)
		after, ok := strings.CutPrefix(trimLeft(after), "=")
		after = trimLeft(after)
		if !ok || name == "" || after == "" || (after[0] != '"' && after[0] != '\'') {
			return "", fmt.Errorf("element %.40q: %.40q is not an attribute", element, rest)
		}
		value, after, ok := strings.Cut(after[1:], after[:1])
		if !ok || strings.Contains(value, "<") {
			return "", fmt.Errorf("element %.40q: attribute %.40q has no end", element, name)
		}
		s.attrs = append(s.attrs, [2]string{name, value})
		rest = after
	}
}

// pop leaves the innermost element and returns its name.
func (s *scanner) pop() string {
	name := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	return localName(name)
}

// attribute returns an attribute of the last start tag, "" if the tag does not have it.
func (s *scanner) attribute(name string) (string, error) {
	for _, a := range s.attrs {
		if a[0] == name {
			return decode(a[1], true)
		}
	}
	return "", nil
}

// nextChild reads the start tag of the next child of the current element. At the end of the current element it returns
// false. Text other than white space between the children is an error.
func (s *scanner) nextChild() (name string, ok bool, err error) {
	for {
		t, name, err := s.next()
		switch {
		case err != nil || t == end || t == eof:
			return "", false, err
		case t == begin:
			return name, true, nil
		case trimLeft(name) != "":
			return "", false, fmt.Errorf("unexpected text %.40q between elements", name)
		}
	}
}

// skip skips the rest of the element whose start tag was read last.
func (s *scanner) skip() error { return s.skipTo(len(s.open) - 1) }

// skipTo skips to where only the depth outermost elements are open.
func (s *scanner) skipTo(depth int) error {
	for len(s.open) > depth {
		if _, _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// content reads the rest of the element whose start tag was read last and returns its text.
func (s *scanner) content() (string, error) {
	var content string
	var more []string // joined at the end: repeated concatenation would take quadratic time
	for {
		t, piece, err := s.next()
		switch {
		case err != nil:
			return "", err
		case t == begin:
			return "", fmt.Errorf("unexpected element %.40q in a value", piece)
		case t == end:
			return content + strings.Join(more, ""), nil
		case content == "":
			content = piece
		default:
			more = append(more, piece)
		}
	}
}

// cutName splits s after the XML name at its start. It does not check that the name is valid, because the callers
// compare it with known names.
func cutName(s string) (name, rest string) {
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', '\r', '\n', '/', '>', '=', '<', '"', '\'', '&':
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// trimLeft removes white space from the start of s. It is faster than strings.TrimLeft.
func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r' || s[0] == '\n') {
		s = s[1:]
	}
	return s
}

// localName returns a name without its namespace prefix.
func localName(name string) string { return name[strings.IndexByte(name, ':')+1:] }
