package cimxml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads the XML of embedded instances. encoding/xml would do, but takes
// many times as long, and a scrape of 10,000 relationships reads as many texts.
// It knows elements, attributes, text, CDATA, comments and the entities of XML
// itself; namespaces and document types are passed over.
type scanner struct {
	rest  string      // what is not read yet
	open  []string    // the elements around it
	attrs [][2]string // names and raw values of the last element that began
	empty bool        // that element was <of this form/>: its end comes next
}

type token int

const (
	eof token = iota
	begin
	end
	text
)

// maxDepth is more than any instance needs.
const maxDepth = 32

// next is the next token, with the element's name or the text.
func (s *scanner) next() (token, string, error) {
	for {
		switch {
		case s.empty:
			s.empty = false
			return end, s.pop(), nil
		case s.rest == "" && len(s.open) > 0:
			return eof, "", fmt.Errorf("the text ends within %.40q", s.open[len(s.open)-1])
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
			raw, err := s.through("<![CDATA[", "]]>")
			if err != nil {
				return eof, "", err
			}
			decoded, err := decode(raw, false)
			return text, decoded, err
		case strings.HasPrefix(s.rest, "</"):
			raw, err := s.through("</", ">")
			if name := strings.TrimRight(raw, " \t\r\n"); err == nil && (len(s.open) == 0 || name != s.open[len(s.open)-1]) {
				err = fmt.Errorf("the end of %.40q, which is not open", name)
			}
			if err != nil {
				return eof, "", err
			}
			return end, s.pop(), nil
		case strings.HasPrefix(s.rest, "<!"), strings.HasPrefix(s.rest, "<?"):
			if err := s.pass(); err != nil {
				return eof, "", err
			}
		default:
			name, err := s.element()
			return begin, name, err
		}
	}
}

// through is what stands between from, at which the scanner is, and to.
func (s *scanner) through(from, to string) (string, error) {
	raw, rest, ok := strings.Cut(s.rest[len(from):], to)
	if !ok {
		return "", fmt.Errorf("%s without %s", from, to)
	}
	s.rest = rest
	return raw, nil
}

// pass goes past a comment, a declaration or a document type.
func (s *scanner) pass() (err error) {
	switch {
	case strings.HasPrefix(s.rest, "<!--"):
		_, err = s.through("<!--", "-->")
	case strings.HasPrefix(s.rest, "<?"):
		_, err = s.through("<?", "?>")
	default:
		_, err = s.through("<!", ">")
	}
	return err
}

// element reads the tag that begins an element.
func (s *scanner) element() (string, error) {
	element, rest := cutName(s.rest[1:])
	if element == "" {
		return "", fmt.Errorf("%.40q is no tag", s.rest)
	}
	if len(s.open) == maxDepth {
		return "", errors.New("elements are nested too deeply")
	}
	s.open = append(s.open, element)
	s.attrs = s.attrs[:0]
	for {
		rest = trim(rest)
		if s.empty = strings.HasPrefix(rest, "/>"); s.empty {
			rest = rest[1:]
		}
		if strings.HasPrefix(rest, ">") {
			s.rest = rest[1:]
			return local(element), nil
		}
		name, after := cutName(rest)
		after, ok := strings.CutPrefix(trim(after), "=")
		after = trim(after)
		if !ok || name == "" || after == "" || (after[0] != '"' && after[0] != '\'') {
			return "", fmt.Errorf("element %.40q: %.40q is no attribute", element, rest)
		}
		value, after, ok := strings.Cut(after[1:], after[:1])
		if !ok || strings.Contains(value, "<") {
			return "", fmt.Errorf("element %.40q: attribute %.40q does not end", element, name)
		}
		s.attrs = append(s.attrs, [2]string{name, value})
		rest = after
	}
}

// pop leaves the innermost element.
func (s *scanner) pop() string {
	name := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	return local(name)
}

// attribute is an attribute of the last element that began, "" if it has none
// of that name.
func (s *scanner) attribute(name string) (string, error) {
	for _, a := range s.attrs {
		if a[0] == name {
			return decode(a[1], true)
		}
	}
	return "", nil
}

// child goes to the next element inside the current one; eof stands for its end.
// Text other than blanks between elements is an error.
func (s *scanner) child() (name string, ok bool, err error) {
	for {
		t, name, err := s.next()
		switch {
		case err != nil || t == end || t == eof:
			return "", false, err
		case t == begin:
			return name, true, nil
		case trim(name) != "":
			return "", false, fmt.Errorf("text %.40q between elements", name)
		}
	}
}

// skip goes past the end of the element that just began.
func (s *scanner) skip() error {
	for outside := len(s.open) - 1; len(s.open) > outside; {
		if _, _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// content is the text of the element that just began, and goes past its end.
func (s *scanner) content() (string, error) {
	var content string
	var more []string // rare; joined at the end, for many small pieces must not cost squares
	for {
		t, piece, err := s.next()
		switch {
		case err != nil:
			return "", err
		case t == begin:
			return "", fmt.Errorf("element %.40q in a value", piece)
		case t == end:
			return content + strings.Join(more, ""), nil
		case content == "":
			content = piece
		default:
			more = append(more, piece)
		}
	}
}

// cutName cuts an XML name off the front of s. What a name may consist of is
// not checked further: only known names count.
func cutName(s string) (name, rest string) {
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', '\r', '\n', '/', '>', '=', '<', '"', '\'', '&':
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// trim cuts blanks off the front of s, faster than strings.TrimLeft.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r' || s[0] == '\n') {
		s = s[1:]
	}
	return s
}

// local is a name without its namespace prefix.
func local(name string) string { return name[strings.IndexByte(name, ':')+1:] }

// decode is text as it is meant: with line ends and, if asked, entities resolved.
// What XML cannot carry becomes U+FFFD, so that the result is valid UTF-8.
func decode(raw string, entities bool) (string, error) {
	if plain(raw) {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		r, n := utf8.DecodeRuneInString(raw)
		switch {
		case r == '&' && entities:
			name, after, ended := strings.Cut(raw[1:], ";")
			var known bool
			if r, known = entity(name); !known || !ended {
				return "", fmt.Errorf("%.20q is no entity", raw)
			}
			n = len(raw) - len(after)
		case strings.HasPrefix(raw, "\r\n"):
			r, n = '\n', 2
		case r == '\r':
			r = '\n'
		}
		b.WriteRune(legal(r))
		raw = raw[n:]
	}
	return b.String(), nil
}

// plain tells whether text means itself.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c > '~' || c == '&' || (c < ' ' && c != '\n' && c != '\t') {
			return false
		}
	}
	return true
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return rune(n), ok && err == nil && n <= utf8.MaxRune
}

// legal is r, or U+FFFD if XML cannot carry it.
func legal(r rune) rune {
	switch {
	case r >= ' ' && r < 0xFFFE && utf8.ValidRune(r), r > 0xFFFF && r <= utf8.MaxRune, r == '\t', r == '\n', r == '\r':
		return r
	}
	return utf8.RuneError
}
