package authz

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkSubject returns an error unless a text is one that [subjectText] returns. The error says how to write it.
func checkSubject(text string) error {
	canonical, err := canonicalSubject(text)
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if canonical != text {
		return fmt.Errorf("%q: write it as %s; a subject has only one spelling", text, quoteYAML(canonical))
	}
	return nil
}

// quoteYAML returns a text without control characters as a YAML scalar, in which a backslash means itself.
func quoteYAML(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// canonicalSubject returns the text that [subjectText] returns for the name that a text describes. It also reads what
// other programs write: spaces around separators, values in quotation marks, names in lower case.
func canonicalSubject(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", errors.New("not valid UTF-8")
	}
	var names, parts []string
	for {
		part, rest, err := parseAttribute(text)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
		if !strings.HasPrefix(rest, "+") {
			names, parts = append(names, joinAttributes(parts)), nil
		}
		if rest == "" {
			return strings.Join(names, ","), nil
		}
		text = rest[1:]
	}
}

// oidPattern is the dotted form of an OID.
var oidPattern = regexp.MustCompile(`^[0-2](\.(0|[1-9]\d{0,9}))+$`)

// parseAttribute reads an attribute up to the next separator. It returns the canonical text of the attribute.
func parseAttribute(text string) (canonical, rest string, err error) {
	name, text, ok := strings.Cut(text, "=")
	name = strings.ToUpper(strings.Trim(name, " "))
	if !ok {
		return "", "", fmt.Errorf("%q is not an attribute such as CN=ops", name)
	}
	oid, err := parseOID(name)
	if err != nil {
		return "", "", err
	}
	text = strings.TrimLeft(text, " ")
	a := attribute{Type: oid}
	_, known := attributeNames()[oid.String()]
	switch {
	case strings.HasPrefix(text, "#"):
		end := len(text)
		if i := strings.IndexAny(text, ",;+ "); i >= 0 {
			end = i
		}
		der, err := hex.DecodeString(text[1:end])
		if err == nil {
			err = unmarshalExactly(der, &a.Value)
		}
		if err != nil {
			return "", "", fmt.Errorf("%s: %q is not a value in DER as hexadecimal digits", name, text[:end])
		}
		rest = text[end:]
	case !known:
		return "", "", fmt.Errorf(`%s: give the value in DER as "#" and hexadecimal digits`, name)
	default:
		var value string
		if value, rest, err = parseValue(text); err != nil {
			return "", "", fmt.Errorf("%s: %w", name, err)
		}
		a.Value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}
	}
	rest = strings.TrimLeft(rest, " ")
	if rest != "" && !strings.ContainsAny(rest[:1], ",;+") {
		return "", "", fmt.Errorf("%s: unexpected %q after the value", name, rest)
	}
	return a.text(), rest, nil
}

// unmarshalExactly decodes a single DER value without anything after it.
func unmarshalExactly(der []byte, into *asn1.RawValue) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		return errors.New("trailing data")
	}
	return err
}

// parseOID returns the OID of an attribute type, which is given by its name or as a dotted OID.
func parseOID(name string) (oid asn1.ObjectIdentifier, err error) {
	switch name { // as Windows writes them
	case "E":
		name = "EMAILADDRESS"
	case "S":
		name = "ST"
	}
	dotted := strings.TrimPrefix(name, "OID.")
	for known, n := range attributeNames() {
		if n == name {
			dotted = known
		}
	}
	if !oidPattern.MatchString(dotted) {
		return nil, fmt.Errorf("%q: not a known attribute type; use its OID, such as 2.5.4.12", name)
	}
	for arc := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.ParseInt(arc, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q: not an OID", name)
		}
		oid = append(oid, int(n))
	}
	return oid, nil
}

// parseValue reads the value of an attribute up to the next separator, without the spaces around it.
func parseValue(text string) (value, rest string, err error) {
	var b strings.Builder
	quoted := strings.HasPrefix(text, `"`)
	if quoted {
		text = text[1:]
	}
	end := 0 // of the value without trailing spaces
	for text != "" {
		c := text[0]
		switch {
		case c == '\\':
			octet, n, err := parseEscape(text)
			if err != nil {
				return "", "", err
			}
			b.WriteByte(octet)
			text, end = text[n:], b.Len()
			continue
		case quoted && c == '"':
			return checkUTF8(b.String(), text[1:])
		case !quoted && strings.IndexByte(",;+", c) >= 0:
			return checkUTF8(b.String()[:end], text)
		}
		b.WriteByte(c)
		if text = text[1:]; quoted || c != ' ' {
			end = b.Len()
		}
	}
	if quoted {
		return "", "", errors.New("a quotation mark is missing at the end of the value")
	}
	return checkUTF8(b.String()[:end], "")
}

func checkUTF8(value, rest string) (string, string, error) {
	if !utf8.ValidString(value) {
		return "", "", errors.New("the value is not valid UTF-8")
	}
	return value, rest, nil
}

// parseEscape reads a backslash and the character or the two hexadecimal digits after it.
func parseEscape(text string) (octet byte, length int, err error) {
	if len(text) >= 2 && strings.IndexByte(` "#+,;<=>\`, text[1]) >= 0 {
		return text[1], 2, nil
	}
	if len(text) >= 3 {
		if octet, err := hex.DecodeString(text[1:3]); err == nil {
			return octet[0], 3, nil
		}
	}
	return 0, 0, fmt.Errorf(`%.3q: a backslash is followed by a special character or by two hexadecimal digits`, text)
}
