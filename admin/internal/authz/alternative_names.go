package authz

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// AlternativeNames are subject alternative names (RFC 5280, section 4.2.1.6): those of a certificate, or those that a
// rule is for. They are compared exactly, including case.
type AlternativeNames struct {
	DNSNames []string `yaml:"dns_names" json:"dns_names,omitempty"`
	URIs     []string `yaml:"uris" json:"uris,omitempty"`
	Emails   []string `yaml:"emails" json:"emails,omitempty"`
	// UPNs are user principal names of Active Directory.
	UPNs []string `yaml:"upns" json:"upns,omitempty"`
}

// nameList is a list of names of one kind.
type nameList struct {
	field, kind string // in a policy, and in a text
	names       []string
}

// lists returns the names by kind.
func (n AlternativeNames) lists() []nameList {
	return []nameList{
		{"dns_names", "DNS", n.DNSNames}, {"uris", "URI", n.URIs}, {"emails", "e-mail", n.Emails}, {"upns", "UPN", n.UPNs},
	}
}

// empty reports whether there are no names.
func (n AlternativeNames) empty() bool { return n.String() == "" }

// String returns all names with their kinds, such as UPN "ada@contoso.com".
func (n AlternativeNames) String() string {
	var all []string
	for _, list := range n.lists() {
		for _, name := range list.names {
			all = append(all, fmt.Sprintf("%s %q", list.kind, name))
		}
	}
	return strings.Join(all, "; ")
}

// intersects reports whether any name is in both.
func (n AlternativeNames) intersects(other AlternativeNames) bool {
	others := other.lists()
	for i, list := range n.lists() {
		if slices.ContainsFunc(list.names, func(name string) bool { return slices.Contains(others[i].names, name) }) {
			return true
		}
	}
	return false
}

// Tags of GeneralName.
var (
	tagOtherName = der.Tag(0).Constructed().ContextSpecific()
	tagEmail     = der.Tag(1).ContextSpecific()
	tagDNSName   = der.Tag(2).ContextSpecific()
	tagURI       = der.Tag(6).ContextSpecific()
)

// oidSubjectAltName is id-ce-subjectAltName.
var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// oidUPN is szOID_NT_PRINCIPAL_NAME, the type of an otherName whose value is a user principal name in a UTF8String.
var oidUPN = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}

// alternativeNames returns the names in a certificate. [x509.Certificate] lacks the UPNs and parses the URIs.
func alternativeNames(c *x509.Certificate) (names AlternativeNames, err error) {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		value, list := cryptobyte.String(e.Value), cryptobyte.String(nil)
		if !value.ReadASN1(&list, der.SEQUENCE) || !value.Empty() {
			return names, errors.New("subject alternative names: not a sequence")
		}
		for !list.Empty() {
			var name cryptobyte.String
			var tag der.Tag
			if !list.ReadAnyASN1(&name, &tag) {
				return names, errors.New("subject alternative names: not valid")
			}
			names.add(tag, name)
		}
	}
	return names, nil
}

// add adds a name of a certificate. It ignores names of other kinds and names that are not valid text.
func (n *AlternativeNames) add(tag der.Tag, name cryptobyte.String) {
	list := map[der.Tag]*[]string{
		tagOtherName: &n.UPNs, tagEmail: &n.Emails, tagDNSName: &n.DNSNames, tagURI: &n.URIs,
	}[tag]
	if tag == tagOtherName {
		var id asn1.ObjectIdentifier
		var explicit cryptobyte.String
		if !name.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidUPN) ||
			!name.ReadASN1(&explicit, der.Tag(0).Constructed().ContextSpecific()) || !name.Empty() ||
			!explicit.ReadASN1(&name, der.UTF8String) || !explicit.Empty() {
			return
		}
	}
	if list != nil && len(name) > 0 && utf8.Valid(name) {
		*list = append(*list, string(name))
	}
}
