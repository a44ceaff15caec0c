package authz

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// attributeNames are the attribute types that a subject names, by their OIDs: those of RFC 4514, section 3, and the
// registered names that certificates of persons and computers also use. All others are written as OIDs.
func attributeNames() map[string]string {
	return map[string]string{
		"2.5.4.3":                    "CN",
		"2.5.4.5":                    "SERIALNUMBER",
		"2.5.4.6":                    "C",
		"2.5.4.7":                    "L",
		"2.5.4.8":                    "ST",
		"2.5.4.9":                    "STREET",
		"2.5.4.10":                   "O",
		"2.5.4.11":                   "OU",
		"2.5.4.17":                   "POSTALCODE",
		"0.9.2342.19200300.100.1.1":  "UID",
		"0.9.2342.19200300.100.1.25": "DC",
		"1.2.840.113549.1.9.1":       "EMAILADDRESS",
	}
}

// attribute is an AttributeTypeAndValue of a distinguished name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeSET is a relative distinguished name. The suffix makes package asn1 read a SET.
type attributeSET []attribute

// subjectText returns the text of a distinguished name (RFC 4514). Names with the same text have the same attributes in
// the same order, so the text identifies the name: nothing is left out, and there is one text for each name. Only the
// ASN.1 type of a string, such as PrintableString or UTF8String, does not count: RFC 5280, section 7.1.
//
// [crypto/x509/pkix.Name] does not keep the order of the attributes.
func subjectText(der []byte) (string, error) {
	var name []attributeSET
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return "", errors.New("not a distinguished name")
	}
	texts := make([]string, 0, len(name))
	for _, set := range slices.Backward(name) {
		parts := make([]string, len(set))
		for i, a := range set {
			parts[i] = a.text()
		}
		if len(parts) == 0 {
			return "", errors.New("a relative distinguished name is empty")
		}
		texts = append(texts, joinAttributes(parts))
	}
	return strings.Join(texts, ","), nil
}

// joinAttributes returns the text of a relative distinguished name. Its attributes have no order.
func joinAttributes(parts []string) string {
	slices.Sort(parts)
	return strings.Join(parts, "+")
}

// text returns the attribute as text. A value that has no unambiguous text is in hexadecimal digits.
func (a attribute) text() string {
	oid := a.Type.String()
	if name, ok := attributeNames()[oid]; ok {
		if value, ok := stringOf(a.Value); ok {
			return name + "=" + escapeValue(value)
		}
		oid = name
	}
	return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
}

// stringOf returns the text of an ASN.1 string. It returns false for any other value, for an invalid string, and for
// types whose character set is not certain, such as TeletexString.
func stringOf(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String:
		return string(v.Bytes), utf8.Valid(v.Bytes)
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
		isASCII := !slices.ContainsFunc(v.Bytes, func(b byte) bool { return b >= utf8.RuneSelf })
		return string(v.Bytes), isASCII
	case asn1.TagBMPString:
		var text strings.Builder
		for pair := range slices.Chunk(v.Bytes, 2) {
			if len(pair) < 2 {
				return "", false
			}
			r := rune(pair[0])<<8 | rune(pair[1])
			if utf16.IsSurrogate(r) { // a BMPString cannot represent characters that need two units
				return "", false
			}
			text.WriteRune(r)
		}
		return text.String(), true
	}
	return "", false
}

// escapeValue escapes the value of an attribute (RFC 4514, section 2.4). Characters that cannot be seen are escaped,
// too, so that two texts that look the same are the same.
func escapeValue(value string) string {
	var b strings.Builder
	for i, r := range value {
		last := i+utf8.RuneLen(r) == len(value)
		switch {
		case strings.ContainsRune(`"+,;<>\`, r), r == ' ' && (i == 0 || last), r == '#' && i == 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, octet := range []byte(string(r)) {
				b.WriteString(`\` + hex.EncodeToString([]byte{octet}))
			}
		}
	}
	return b.String()
}
