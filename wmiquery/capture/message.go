package capture

import (
	"net/netip"
	"regexp"
	"strings"
)

// message replaces names, addresses, paths, thumbprints and GUIDs in a message. It returns "" until names are known.
func (r *replacer) message(s string) string {
	if r.known == nil {
		return ""
	}
	return scan(s, r.guidAt, r.pathAt, r.hostNameAt, r.known.at, r.addressAt, r.thumbprintAt)
}

// knownNames returns the names that are replaced in messages.
func (r *replacer) knownNames() *nameIndex {
	x := newNameIndex()
	for _, e := range r.mapping.entries {
		substitute := func(string) string { return e.substitute }
		switch e.kind {
		case kindHost:
			x.add(e.original, r.host)
		case kindMachine, kindGroup:
			x.add(e.original, substitute)
			x.add(strings.TrimSpace(e.original), substitute)
		case kindFolder, kindAddress: // such as an address that is not an IP address
			x.add(e.original, substitute)
		}
	}
	return x
}

// pathStart matches the start of a path, and the rest of the line up to a quotation mark: the end of the path cannot be
// recognized otherwise.
var pathStart = regexp.MustCompile(`^(?:[A-Za-z]:|\\)\\[^"'<>|\r\n]+`)

func (r *replacer) pathAt(s string, i int) (int, string) {
	if s[i] != '\\' && (isAlphanumeric(before(s, i)) || before(s, i) == '_') {
		return 0, ""
	}
	path := pathStart.FindString(s[i:])
	if path == "" {
		return 0, ""
	}
	return len(path), r.folder(path)
}

// hostNameAt matches the name of a host in a known domain, the name of a known host in any domain, and a known domain.
func (r *replacer) hostNameAt(s string, i int) (int, string) {
	const others = "-_.*"
	if c := before(s, i); isAlphanumeric(c) || c != 0 && strings.IndexByte(others, c) >= 0 {
		return 0, ""
	}
	name := strings.TrimRight(run(s, i, others), ".")
	label, domain, found := strings.Cut(name, ".")
	if !found || label == "" {
		return 0, ""
	}
	if r.mapping.has(kindDomain, strings.ToLower(name)) {
		return len(name), r.domain(name)
	}
	if r.mapping.has(kindHost, strings.ToLower(label)) || r.hasDomain(domain) {
		return len(name), r.host(name)
	}
	return 0, ""
}

// hasDomain reports whether a name has a known domain among its parts.
func (r *replacer) hasDomain(name string) bool {
	labels := strings.Split(strings.ToLower(name), ".")
	for i := range labels {
		for j := i + 1; j <= len(labels); j++ {
			if r.mapping.has(kindDomain, strings.Join(labels[i:j], ".")) {
				return true
			}
		}
	}
	return false
}

// addressAt matches IP addresses. Text that only looks like one, such as a time of day, is none.
func (r *replacer) addressAt(s string, i int) (int, string) {
	if c := before(s, i); isAlphanumeric(c) || c == '_' || c == '.' {
		return 0, ""
	}
	candidate := run(s, i, ".:")
	for n := len(candidate); n >= len("::1"); n-- {
		parsed, err := netip.ParseAddr(candidate[:n])
		if err != nil || before(s, i) == ':' && !parsed.Is4() {
			continue
		}
		rest := s[i+n:]
		if rest != "" && (isAlphanumeric(rest[0]) || rest[0] == '.' && len(rest) > 1 && isDigit(rest[1])) {
			continue
		}
		return n, r.address(candidate[:n])
	}
	return 0, ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// thumbprintAt matches the 40 hexadecimal digits of a thumbprint.
func (r *replacer) thumbprintAt(s string, i int) (int, string) {
	digits := run(s, i, "")
	if isAlphanumeric(before(s, i)) || !isThumbprint(digits) {
		return 0, ""
	}
	return len(digits), r.thumbprint(digits)
}

func isThumbprint(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
