package capture

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"hyperv_replica_exporter/wmiquery/msvm"
)

// replacer replaces names. All occurrences of a value have the same substitute, so references remain intact.
type replacer struct {
	mapping   *mapping
	keepGUIDs bool
	known     *nameIndex // names that are replaced in messages, nil until they are known
}

// newReplacer returns a replacer that knows some names of the host and of its domains.
func newReplacer(keepGUIDs bool, hostNames []string) *replacer {
	r := &replacer{mapping: newMapping(), keepGUIDs: keepGUIDs}
	for _, name := range hostNames {
		r.host(name)
	}
	return r
}

// guids replaces the GUIDs in a string.
func (r *replacer) guids(s string) string { return scan(s, r.guidAt) }

func (r *replacer) guidAt(s string, i int) (int, string) {
	const length = 36
	if len(s)-i < length || !msvm.IsGUID(s[i:i+length]) {
		return 0, ""
	}
	guid := s[i : i+length]
	if r.keepGUIDs || strings.EqualFold(guid, msvm.BuiltinProvider) {
		return length, guid
	}
	return length, sameCase(guid, r.mapping.substitute(kindGUID, strings.ToLower(guid), func(n int) string {
		return fmt.Sprintf("aaaaaaaa-0000-0000-0000-%012d", n)
	}))
}

// sameCase returns a substitute in upper case if the original is in upper case, otherwise in lower case.
func sameCase(original, substitute string) string {
	if original == strings.ToUpper(original) {
		return strings.ToUpper(substitute)
	}
	return strings.ToLower(substitute)
}

// id replaces names in a key or an object path.
func (r *replacer) id(s string) string { return scan(s, r.guidAt, r.hostNameAt, r.hostPartAt) }

// hostPartAt matches the host of an object path, and the name of a known host that is a whole part of a key.
func (r *replacer) hostPartAt(s string, i int) (int, string) {
	const delimiters = `\":,=`
	if i > 0 && strings.IndexByte(delimiters, s[i-1]) < 0 {
		return 0, ""
	}
	part := s[i:]
	if n := strings.IndexAny(part, delimiters); n >= 0 {
		part = part[:n]
	}
	isHost := i == 2 && strings.HasPrefix(s, `\\`) || r.mapping.has(kindHost, strings.ToLower(part))
	if !isHost || part == "." { // the host that a path is relative to
		return 0, ""
	}
	return len(part), r.host(part)
}

// system replaces the name of a computer system: the GUID of a VM, or the name of this host.
func (r *replacer) system(s string) string {
	if msvm.IsGUID(s) {
		return r.guids(s)
	}
	return r.host(s)
}

// machine replaces the name of a VM. The substitute has the punctuation of the name, and one letter that is not ASCII
// if the name has any, because such characters often cause bugs.
func (r *replacer) machine(s string) string {
	if s == "" {
		return ""
	}
	if r.mapping.has(kindHost, strings.ToLower(s)) { // the row of this host
		return r.host(s)
	}
	return r.mapping.substitute(kindMachine, s, func(n int) string {
		return fmt.Sprintf("vm%03d", n) + punctuation(s)
	})
}

// punctuation returns the spaces and ASCII punctuation of a name, and "ü" if the name is not ASCII.
func punctuation(s string) string {
	var marks strings.Builder
	ascii := true
	for _, r := range s {
		switch {
		case r > unicode.MaxASCII:
			ascii = false
		case r >= ' ' && r <= '~' && !isAlphanumeric(byte(r)):
			marks.WriteRune(r)
		}
	}
	if !ascii {
		marks.WriteRune('ü')
	}
	return marks.String()
}

// numberedCounter matches the name of an instance of a performance counter to which Windows has added a number, because
// several VMs have the same name.
var numberedCounter = regexp.MustCompile(`(?s)^(.+)(#\d+)$`)

// counter replaces the name of an instance of a performance counter: the name of a VM, or _Total.
func (r *replacer) counter(s string) string {
	if s == "_Total" {
		return s
	}
	if m := numberedCounter.FindStringSubmatch(s); m != nil && !r.mapping.has(kindMachine, s) {
		return r.machine(m[1]) + m[2]
	}
	return r.machine(s)
}

// host replaces the name or the address of a host, or a wildcard such as *.example.com.
func (r *replacer) host(s string) string {
	if s == "" || s == "*" {
		return s
	}
	if _, err := netip.ParseAddr(s); err == nil || strings.Contains(s, ":") {
		return r.address(s)
	}
	label, domain, _ := strings.Cut(s, ".")
	if label != "*" {
		label = sameCase(label, r.mapping.substitute(kindHost, strings.ToLower(label), func(n int) string {
			return fmt.Sprintf("host%d", n)
		}))
	}
	if domain == "" {
		return label
	}
	return label + "." + r.domain(domain)
}

func (r *replacer) domain(s string) string {
	return r.mapping.substitute(kindDomain, strings.ToLower(s), func(n int) string {
		return fmt.Sprintf("domain%d.example", n)
	})
}

// address replaces an IP address by one of a network that is reserved for tests (198.18.0.0/15) or for documentation
// (2001:db8::/32). Addresses that every host has are unchanged.
func (r *replacer) address(s string) string {
	switch s {
	case "", "0.0.0.0", "127.0.0.1", "::", "::1":
		return s
	}
	parsed, err := netip.ParseAddr(s)
	return r.mapping.substitute(kindAddress, strings.ToLower(s), func(n int) string {
		switch {
		case err != nil:
			return fmt.Sprintf("address%d", n)
		case parsed.Is4():
			return fmt.Sprintf("198.%d.%d.%d", 18+n>>16&1, n>>8&0xFF, n&0xFF)
		}
		return fmt.Sprintf("2001:db8::%x", n)
	})
}

// folder replaces the path of a folder, local or on the network.
func (r *replacer) folder(s string) string {
	if s == "" {
		return ""
	}
	return r.mapping.substitute(kindFolder, strings.ToLower(s), func(n int) string {
		if strings.HasPrefix(s, `\\`) {
			return fmt.Sprintf(`\\server\folder%03d`, n)
		}
		return fmt.Sprintf(`C:\folder%03d`, n)
	})
}

// group replaces the name of a trust group. DEFAULT is the group of Hyper-V.
func (r *replacer) group(s string) string {
	if s == "" || strings.EqualFold(s, "DEFAULT") {
		return s
	}
	return r.mapping.substitute(kindGroup, s, func(n int) string { return fmt.Sprintf("group%03d", n) })
}

// thumbprint replaces the thumbprint of a certificate. White space and invisible characters, which a copy from a dialog
// of Windows has, do not make a difference.
func (r *replacer) thumbprint(s string) string {
	if s == "" {
		return ""
	}
	original := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	return r.mapping.substitute(kindThumbprint, original, func(n int) string { return fmt.Sprintf("%040X", n) })
}
