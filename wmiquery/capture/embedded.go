package capture

import (
	"encoding/xml"
	"html"
	"regexp"
	"strings"
)

const cdataStart, cdataEnd = "<![CDATA[", "]]>"

// embedded replaces names in an embedded instance. It changes only text outside of tags; everything else is unchanged,
// including errors of the syntax.
func (r *replacer) embedded(s string) string {
	var b strings.Builder
	for s != "" {
		var n int
		switch {
		case strings.HasPrefix(s, cdataStart):
			n = markupEnd(s, cdataEnd)
			text, ended := strings.CutSuffix(s[len(cdataStart):n], cdataEnd)
			b.WriteString(cdataStart + r.content(text))
			if ended {
				b.WriteString(cdataEnd)
			}
		case strings.HasPrefix(s, "<!--"):
			n = markupEnd(s, "-->")
			b.WriteString(r.content(s[:n]))
		case s[0] == '<' && strings.Contains(s, ">"):
			n = strings.IndexByte(s, '>') + 1
			b.WriteString(s[:n])
		default:
			if n = strings.IndexByte(s[1:], '<') + 1; n == 0 {
				n = len(s)
			}
			b.WriteString(r.escaped(s[:n]))
		}
		s = s[n:]
	}
	return b.String()
}

// markupEnd returns the position after the end of a markup, the length of s if it does not end.
func markupEnd(s, end string) int {
	if before, _, found := strings.Cut(s, end); found {
		return len(before) + len(end)
	}
	return len(s)
}

// plainValue matches values that are not names, even if a VM has the name 150: numbers, times and boolean values.
var plainValue = regexp.MustCompile(`^(?:\s*|\d+|[\d*]{14}\.[\d*]{6}[+:-](?:\d{3}|\*{3})|(?i:true|false))$`)

// content replaces names in the text of an element.
func (r *replacer) content(s string) string {
	if plainValue.MatchString(s) {
		return s
	}
	return r.message(s)
}

// escaped is content for text that is escaped. If nothing is replaced, it returns the text as it is.
func (r *replacer) escaped(s string) string {
	plain := html.UnescapeString(s)
	replaced := r.content(plain)
	if replaced == plain {
		return s
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(replaced)) // a strings.Builder returns no errors
	return b.String()
}
