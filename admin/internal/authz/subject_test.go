package authz

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
)

// attr returns a DER AttributeTypeAndValue. The value is an ASN.1 string of a tag.
func attr(oid string, tag byte, value string) []byte {
	id, _ := hex.DecodeString(oid)
	id = append([]byte{6, byte(len(id))}, id...)
	return tlv(0x30, append(id, tlv(tag, []byte(value))...))
}

// tlv returns a DER element.
func tlv(tag byte, content []byte) []byte {
	switch n := len(content); {
	case n < 128:
		return append([]byte{tag, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

// rdn returns a DER RelativeDistinguishedName.
func rdn(attributes ...[]byte) []byte { return tlv(0x31, concat(attributes)) }

// name returns a DER Name.
func name(rdns ...[]byte) []byte { return tlv(0x30, concat(rdns)) }

func concat(parts [][]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// OIDs of attribute types and tags of ASN.1 strings in DER.
const (
	cn, o, ou, dc, title               = "550403", "55040a", "55040b", "0992268993f22c640119", "55040c"
	utf8String, printable, ia5, bmp    = 12, 19, 22, 30
	teletex, numeric, universal, octet = 20, 18, 28, 4
)

// The text of a subject has every attribute in the order of RFC 4514, which is the reverse of that in the certificate.
func TestSubjectText(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		der  []byte
		want string
	}{
		{name(), ""},
		{name(rdn(attr(o, utf8String, "Contoso")), rdn(attr(cn, utf8String, "ops"))), "CN=ops,O=Contoso"},
		{name(rdn(attr(cn, utf8String, "ops")), rdn(attr(o, utf8String, "Contoso"))), "O=Contoso,CN=ops"},
		{
			name(rdn(attr(cn, utf8String, "automation")), rdn(attr(cn, utf8String, "evil")), rdn(attr(o, utf8String, "Contoso"))),
			"O=Contoso,CN=evil,CN=automation",
		},
		{
			name(rdn(attr(dc, ia5, "com")), rdn(attr(dc, ia5, "contoso")), rdn(attr(cn, utf8String, "Users")), rdn(attr(cn, utf8String, "Ada"))),
			"CN=Ada,CN=Users,DC=contoso,DC=com",
		},
		{name(rdn(attr(ou, utf8String, "b"), attr(cn, utf8String, "a"))), "CN=a+OU=b"},
		{name(rdn(attr(cn, utf8String, "a"), attr(ou, utf8String, "b"))), "CN=a+OU=b"},
		{name(rdn(attr(cn, utf8String, "a")), rdn(attr(ou, utf8String, "b"))), "OU=b,CN=a"},
		{name(rdn(attr(cn, utf8String, `a,O=b+c"d\e;<f>`))), `CN=a\,O=b\+c\"d\\e\;\<f\>`},
		{name(rdn(attr(cn, utf8String, " a "))), `CN=\ a\ `},
		{name(rdn(attr(cn, utf8String, " "))), `CN=\ `},
		{name(rdn(attr(cn, utf8String, "#a#"))), `CN=\#a#`},
		{name(rdn(attr(cn, utf8String, ""))), `CN=`},
		{name(rdn(attr(cn, utf8String, "a\x00b\n"))), `CN=a\00b\0a`},
		{name(rdn(attr(cn, utf8String, "Müller"))), `CN=Müller`},
		{name(rdn(attr(cn, utf8String, "a\u202eb\u200b\u00a0"))), `CN=a\e2\80\aeb\e2\80\8b\c2\a0`},
		{name(rdn(attr(cn, utf8String, long))), "CN=" + long},
		{name(rdn(attr(cn, printable, "ops"))), "CN=ops"},
		{name(rdn(attr(cn, ia5, "ops"))), "CN=ops"},
		{name(rdn(attr(cn, numeric, "12"))), "CN=12"},
		{name(rdn(attr(cn, bmp, "\x00o\x00p\x20\xac"))), "CN=op€"},
		{name(rdn(attr(cn, bmp, "\xd8\x00\xdc\x00"))), "CN=#1e04d800dc00"}, // surrogates
		{name(rdn(attr(cn, bmp, "abc"))), "CN=#1e03616263"},
		{name(rdn(attr(cn, utf8String, "\xff"))), "CN=#0c01ff"},
		{name(rdn(attr(cn, printable, "\xe4"))), "CN=#1301e4"},
		{name(rdn(attr(cn, teletex, "ops"))), "CN=#14036f7073"},
		{name(rdn(attr(cn, universal, "\x00\x00\x00o"))), "CN=#1c040000006f"},
		{name(rdn(attr(cn, octet, "ops"))), "CN=#04036f7073"},
		{name(rdn(attr(title, utf8String, "ops"))), "2.5.4.12=#0c036f7073"},
		{name(rdn(attr("2a864886f70d010901", ia5, "a@b"))), "EMAILADDRESS=a@b"},
	} {
		got, err := subjectText(tt.der)
		if err != nil || got != tt.want {
			t.Errorf("%x: got %q, %v, want %q", tt.der, got, err, tt.want)
		}
		if got == "" {
			continue
		}
		if err := checkSubject(got); err != nil { // a policy can have it
			t.Errorf("%q: %v", got, err)
		}
	}
	for _, der := range [][]byte{
		nil,
		{0x30},
		rdn(), append(name(), 0), name(rdn()), name(rdn(), rdn(attr(cn, utf8String, "a"))),
		name(attr(cn, utf8String, "a")),
	} {
		if got, err := subjectText(der); err == nil {
			t.Errorf("%x: got %q, want an error", der, got)
		}
	}
}

// A policy has each subject in the one spelling that logs have, too. An error says how to write the subject.
func TestSubjectsInPolicies(t *testing.T) {
	for _, tt := range []struct{ text, want string }{ // want is a part of the error, "" for none
		{"CN=ops,O=Contoso", ""},
		{"CN=ops, O=Contoso", `write it as 'CN=ops,O=Contoso'`},
		{"cn=ops,o=Contoso", `write it as 'CN=ops,O=Contoso'`},
		{" CN = ops ;O=Contoso ", `write it as 'CN=ops,O=Contoso'`},
		{`CN=ops,O="Contoso, Ltd."`, `write it as 'CN=ops,O=Contoso\, Ltd.'`},
		{`CN=ops,O=Contoso\2C Ltd.`, `write it as 'CN=ops,O=Contoso\, Ltd.'`},
		{`CN=M\c3\BCller`, `write it as 'CN=Müller'`},
		{"OU=b+CN=a", `write it as 'CN=a+OU=b'`},
		{"2.5.4.3=ops", `write it as 'CN=ops'`},
		{"OID.2.5.4.3=ops", `write it as 'CN=ops'`},
		{"CN=#0C036F7073", `write it as 'CN=ops'`},
		{"CN=#0c036f7073 ,O=a", `write it as 'CN=ops,O=a'`},
		{"2.5.4.12=#0C036F7073", `write it as '2.5.4.12=#0c036f7073'`},
		{"E=a@b,S=Bayern", `write it as 'EMAILADDRESS=a@b,ST=Bayern'`},
		{`CN=a=b`, ""},
		{`CN=a\=b`, `write it as 'CN=a=b'`},
		{`CN=\ a\ `, ""},
		{`CN=a\  ,O=b`, `write it as 'CN=a\ ,O=b'`},
		{"", "is not an attribute"},
		{"ops", "is not an attribute"},
		{"CN=ops,", "is not an attribute"},
		{"CN=ops+", "is not an attribute"},
		{",CN=ops", "not a known attribute type"},
		{"title=ops", "use its OID"},
		{"2.5.4.12=ops", "hexadecimal"},
		{"2.5.4.03=#0c036f7073", "not a known attribute type"},
		{"1.2.99999999999=#0c036f7073", "not a known attribute type"},
		{"1.2.9999999999=#0c036f7073", "not an OID"},
		{"2=#0c036f7073", "not a known attribute type"},
		{"CN=#0c036f70", "hexadecimal"},
		{"CN=#0c036f707300", "hexadecimal"},
		{"CN=#0c036f707", "hexadecimal"},
		{"CN=#", "hexadecimal"},
		{"CN=#0c036f7073 x", "unexpected"},
		{`CN="ops"x`, "unexpected"},
		{`CN="ops`, "quotation mark"},
		{`CN=ops\`, "backslash"},
		{`CN=ops\x`, "backslash"},
		{`CN=ops\4`, "backslash"},
		{`CN=\ff`, "UTF-8"},
		{"CN=\xff", "UTF-8"},
	} {
		err := checkSubject(tt.text)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got error %v, want one with %q", tt.text, err, tt.want)
		}
	}
}

// Each name has one text, which a policy can have, and different names have different texts.
func FuzzSubject(f *testing.F) {
	f.Add(name(rdn(attr(o, utf8String, "Contoso")), rdn(attr(cn, printable, "a,b"), attr(cn, bmp, "\x00a"))))
	f.Add(name(rdn(attr(title, octet, "\xff"))))
	f.Fuzz(func(t *testing.T, der []byte) {
		text, err := subjectText(der)
		if err != nil || text == "" {
			return
		}
		if err := checkSubject(text); err != nil {
			t.Fatalf("%x: %v", der, err)
		}
		var original, again []attributeSET
		if _, err := asn1.Unmarshal(der, &original); err != nil {
			t.Fatal(err)
		}
		if len(original) != 1 || len(original[0]) != 1 { // the order in a set does not count
			return
		}
		a := original[0][0]
		value, ok := stringOf(a.Value)
		if !ok || attributeNames()[a.Type.String()] == "" {
			return
		}
		utf8 := attributeSET{{a.Type, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}}}
		encoded, err := asn1.Marshal([]attributeSET{utf8})
		if err != nil {
			t.Fatal(err)
		}
		if other, err := subjectText(encoded); err != nil || other != text {
			t.Fatalf("as a UTF8String %q is %q, %v", text, other, err)
		}
		if _, err := asn1.Unmarshal(encoded, &again); err != nil || string(again[0][0].Value.Bytes) != value {
			t.Fatalf("%x: the value %q is lost", der, value)
		}
	})
}

// What a policy cannot have is refused without a panic. A text that a policy can have is that of a name.
func FuzzSubjectText(f *testing.F) {
	for _, text := range []string{
		"CN=ops,O=Contoso", `CN="a, b"+OU=\c3\bc`, "2.5.4.12=#0c0161", `CN=\ a\ `, "CN=a;", "CN=#0c", "E=a,S=b", "CN=",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		canonical, err := canonicalSubject(text)
		if err != nil {
			return
		}
		if err := checkSubject(canonical); err != nil {
			t.Fatalf("%q is written as %q: %v", text, canonical, err)
		}
	})
}
