package capture

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// matcher returns the length of what it replaces at position i of s, and the substitute. The length is 0 if there is
// nothing to replace.
type matcher func(s string, i int) (length int, substitute string)

// scan returns s with the matches replaced. At each position the first matcher that matches counts. A substitute is not
// scanned again.
func scan(s string, matchers ...matcher) string {
	var b strings.Builder
next:
	for i := 0; i < len(s); {
		for _, match := range matchers {
			if n, substitute := match(s, i); n > 0 {
				b.WriteString(substitute)
				i += n
				continue next
			}
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// before returns the byte before position i, 0 at the start.
func before(s string, i int) byte {
	if i == 0 {
		return 0
	}
	return s[i-1]
}

// run returns the longest string of alphanumeric characters and others at position i.
func run(s string, i int, others string) string {
	n := i
	for n < len(s) && (isAlphanumeric(s[n]) || strings.IndexByte(others, s[n]) >= 0) {
		n++
	}
	return s[i:n]
}

// nameIndex finds names in a text. Case does not matter.
type nameIndex struct {
	// names has the names by their first character. Longer names come first, because they may include shorter ones.
	names map[rune][]indexedName
}

type indexedName struct {
	name    string
	replace func(string) string
}

func newNameIndex() *nameIndex { return &nameIndex{names: map[rune][]indexedName{}} }

// add adds a name, unless it is empty or known already.
func (x *nameIndex) add(name string, replace func(string) string) {
	if name == "" {
		return
	}
	first, _ := utf8.DecodeRuneInString(name)
	first = fold(first)
	names := x.names[first]
	i, known := slices.BinarySearchFunc(names, name, func(n indexedName, name string) int {
		if len(n.name) != len(name) {
			return len(name) - len(n.name)
		}
		return strings.Compare(n.name, name)
	})
	if !known {
		x.names[first] = slices.Insert(names, i, indexedName{name, replace})
	}
}

// at is a matcher.
func (x *nameIndex) at(s string, i int) (int, string) {
	first, _ := utf8.DecodeRuneInString(s[i:])
	for _, name := range x.names[fold(first)] {
		n := foldedPrefix(s[i:], name.name)
		if n > 0 && !continues(s, i) && !continues(s, i+n) {
			return n, name.replace(s[i : i+n])
		}
	}
	return 0, ""
}

// continues reports whether the characters before and at position i are part of the same word.
func continues(s string, i int) bool {
	return i < len(s) && isAlphanumeric(before(s, i)) && isAlphanumeric(s[i])
}

// foldedPrefix returns the length of the prefix of s that is equal to name, 0 if there is none. Case does not matter.
func foldedPrefix(s, name string) int {
	n := 0
	for _, want := range name {
		got, size := utf8.DecodeRuneInString(s[n:])
		if size == 0 || fold(got) != fold(want) {
			return 0
		}
		n += size
	}
	return n
}

func fold(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }
