package cimxml

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decode normalizes line ends and, if entities is true, replaces entities. Characters that are not allowed in XML are
// replaced by U+FFFD, so the result is valid UTF-8.
func decode(raw string, entities bool) (string, error) {
	if isPlain(raw) {
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
				return "", fmt.Errorf("%.20q is not an entity", raw)
			}
			n = len(raw) - len(after)
		case strings.HasPrefix(raw, "\r\n"):
			r, n = '\n', 2
		case r == '\r':
			r = '\n'
		}
		b.WriteRune(replaceInvalid(r))
		raw = raw[n:]
	}
	return b.String(), nil
}

// isPlain reports whether decode returns s unchanged.
func isPlain(s string) bool {
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

// replaceInvalid returns r, or U+FFFD if XML does not allow r.
func replaceInvalid(r rune) rune {
	switch {
	case r >= ' ' && r < 0xFFFE && utf8.ValidRune(r), r > 0xFFFF && r <= utf8.MaxRune, r == '\t', r == '\n', r == '\r':
		return r
	}
	return utf8.RuneError
}
