package cimxml_test

import (
	"encoding/xml"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hyperv_replica_exporter/wmiquery/cimxml"
	"hyperv_replica_exporter/wmiquery/msvm"
)

// roundTripTypes returns the types that the round trip tests use.
func roundTripTypes() []reflect.Type {
	all := []reflect.Type{reflect.TypeFor[sample](), reflect.TypeFor[msvm.Error]()}
	for _, i := range msvm.Classes() {
		all = append(all, reflect.TypeOf(i))
	}
	return all
}

// valueSource makes values from bytes, which are random or come from the fuzzer. After the last byte all values are
// zero or null.
type valueSource struct{ rest []byte }

func (c *valueSource) number() (n uint64) {
	for range 8 {
		n = n<<8 | uint64(c.below(256))
	}
	return n
}

func (c *valueSource) below(n int) int {
	if len(c.rest) == 0 {
		return 0
	}
	b := int(c.rest[0])
	c.rest = c.rest[1:]
	return b % n
}

// fill sets in to a value and out to the value that in must have after a round trip.
func (c *valueSource) fill(in, out reflect.Value) {
	switch in.Kind() {
	case reflect.Struct:
		if in.Type() == reflect.TypeFor[time.Time]() {
			t := c.time()
			in.Set(reflect.ValueOf(t))
			t = t.UTC()
			out.Set(reflect.ValueOf(t.Truncate(time.Microsecond)))
			return
		}
		for i := range in.NumField() {
			if in.Type().Field(i).IsExported() {
				c.fill(in.Field(i), out.Field(i))
			}
		}
	case reflect.Pointer:
		if c.below(4) > 0 {
			in.Set(reflect.New(in.Type().Elem()))
			out.Set(reflect.New(in.Type().Elem()))
			c.fill(in.Elem(), out.Elem())
		}
	case reflect.Slice:
		if n := c.below(5); n > 0 {
			in.Set(reflect.MakeSlice(in.Type(), n-1, n-1))
			out.Set(reflect.MakeSlice(in.Type(), n-1, n-1))
			for i := range n - 1 {
				c.fill(in.Index(i), out.Index(i))
			}
		}
	case reflect.String:
		s := c.text()
		in.SetString(s)
		out.SetString(replaceInvalid(s))
	case reflect.Bool:
		in.SetBool(c.below(2) == 1)
		out.Set(in)
	case reflect.Float32, reflect.Float64:
		x := math.Float64frombits(c.number())
		if math.IsNaN(x) {
			x = 0
		}
		in.SetFloat(float64(float32(x)))
		out.Set(in)
	case reflect.Int64:
		n := c.integer(64)
		if in.Type() == reflect.TypeFor[time.Duration]() {
			n &= math.MaxInt64
			in.SetInt(int64(n))
			out.SetInt(int64(n) / 1000 * 1000)
			return
		}
		in.SetInt(int64(n))
		out.Set(in)
	case reflect.Int8, reflect.Int16, reflect.Int32:
		in.SetInt(int64(c.integer(in.Type().Bits())) << (64 - in.Type().Bits()) >> (64 - in.Type().Bits()))
		out.Set(in)
	default:
		in.SetUint(c.integer(in.Type().Bits()))
		out.Set(in)
	}
}

// integer returns a number of that many bits, often the smallest or the largest one.
func (c *valueSource) integer(bits int) uint64 {
	largest := uint64(math.MaxUint64) >> (64 - bits)
	return []uint64{0, 1, largest, largest >> 1, largest>>1 + 1, c.number() & largest}[c.below(6)]
}

func (c *valueSource) time() time.Time {
	at := time.Date(1+c.below(256)*c.below(40), 1, 2, 0, 0, 0, int(c.number()%1e9), time.UTC)
	at = at.Add(time.Duration(c.number() % 1e17))
	at = []time.Time{at, msvm.Never(), time.Unix(0, 0).UTC(), at}[c.below(4)]
	return at.In(time.FixedZone("", (c.below(256)-128)*60*7))
}

func (c *valueSource) text() string {
	pieces := []string{
		"", " ", "web01", `<>&"'`, "]]>", "<![CDATA[", "&amp;", "\x00\x01\x1f\x7f\u0085", "\r\n\t", "\uFEFF", "\uFFFE",
		"\xed\xa0\xbd\xed\xb8\x80", "😀", "虚拟机", "\xff", `\\H\root:C.K="v"`, "__PATH",
	}
	var b strings.Builder
	for range c.below(5) {
		if i := c.below(len(pieces) + 1); i < len(pieces) {
			b.WriteString(pieces[i])
		} else {
			n := min(c.below(32), len(c.rest))
			b.Write(c.rest[:n])
			c.rest = c.rest[n:]
		}
	}
	return b.String()
}

// replaceInvalid replaces the characters that XML 1.0 does not allow, by its definition of Char.
func replaceInvalid(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || (0x20 <= r && r <= 0xD7FF) || (0xE000 <= r && r <= 0xFFFD) || r >= 0x10000 {
			return r
		}
		return utf8.RuneError
	}, s)
}

// roundTrip marshals and unmarshals a value of type typ that is made from data.
func roundTrip(t *testing.T, typ reflect.Type, data []byte) {
	in, want, got := reflect.New(typ), reflect.New(typ), reflect.New(typ)
	(&valueSource{data}).fill(in.Elem(), want.Elem())
	text, err := cimxml.Marshal("C", in.Interface())
	if err != nil {
		t.Fatal(err)
	}
	class, err := cimxml.Unmarshal(text, got.Interface())
	if err != nil || class != "C" || !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Fatalf("class %q, error %v: the value\n%+v\nhas become\n%+v\nwant\n%+v\nthe XML is\n%s",
			class, err, in, got, want, text)
	}
	compareWithEncodingXML(t, text)
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range roundTripTypes() {
		for range 300 {
			data := make([]byte, 400)
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			roundTrip(t, typ, data)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x01\x04\x11\x1f0123456789"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, reflect.TypeFor[sample](), data)
	})
}

// compareWithEncodingXML compares the results of this package and of encoding/xml for a text that both can read. It
// returns the result of this package, false if this package cannot read the text.
func compareWithEncodingXML(t *testing.T, text string) (cimxml.Instance, bool) {
	ours, err := cimxml.Parse(text)
	if err != nil {
		return ours, false
	}
	var doc struct {
		XMLName    xml.Name   `xml:"INSTANCE"`
		Attrs      []xml.Attr `xml:",any,attr"`
		Properties []struct {
			XMLName   xml.Name
			Attrs     []xml.Attr `xml:",any,attr"`
			Value     *string    `xml:"VALUE"`
			Reference *string    `xml:"VALUE.REFERENCE"`
			Array     *struct {
				Values []struct {
					Text string `xml:",chardata"`
				} `xml:",any"`
			} `xml:"VALUE.ARRAY"`
		} `xml:",any"`
	}
	d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\uFEFF")))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if d.Decode(&doc) != nil {
		return ours, true
	}
	attribute := func(attrs []xml.Attr, name string) string {
		for _, a := range attrs {
			if a.Name == (xml.Name{Local: name}) {
				return a.Value
			}
		}
		return ""
	}
	want := cimxml.Instance{Class: attribute(doc.Attrs, "CLASSNAME")}
	for _, p := range doc.Properties {
		q := cimxml.Property{Name: attribute(p.Attrs, "NAME"), Type: attribute(p.Attrs, "TYPE"), Null: true}
		if !strings.HasPrefix(p.XMLName.Local, "PROPERTY") || strings.HasPrefix(q.Name, "__") {
			continue
		}
		switch p.XMLName.Local {
		case "PROPERTY.ARRAY":
			q.Array, q.Null = true, p.Array == nil
			if p.Array != nil {
				for _, v := range p.Array.Values {
					q.Values = append(q.Values, v.Text)
				}
			}
		case "PROPERTY.REFERENCE":
			q.Type, p.Value = "reference", p.Reference
			fallthrough
		default:
			if p.Value != nil {
				q.Null, q.Values = false, []string{*p.Value}
			}
		}
		want.Properties = append(want.Properties, q)
	}
	if !reflect.DeepEqual(ours, want) {
		t.Fatalf("%q\nis parsed as\n%+v\nand by encoding/xml as\n%+v", text, ours, want)
	}
	return ours, true
}

// An instance that can be unmarshaled can be marshaled, and unmarshaled again to the same value.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		"\uFEFF" + `<?xml version="1.0" encoding="utf-16"?>` + instance(system+qualifier+value("Text", "a&#x1;\xff<![CDATA[<]]>")),
		instance(array("Texts", "<VALUE.ARRAY><VALUE>a</VALUE><VALUE.NULL/></VALUE.ARRAY>") + value("At", "20261122******.******+060")),
		instance(value("For", "00106751234716.854775:000") + value("S64", "-9223372036854775808") + value("Flag", "tRue") + structured),
		instance(value("Text", "&lt")), instance(`<PROPERTY.REFERENCE NAME="Path"><VALUE.REFERENCE>a</VALUE.REFERENCE></PROPERTY.REFERENCE>`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v, again sample
		if class, err := cimxml.Unmarshal(text, &v); err == nil {
			written, err := cimxml.Marshal(class, v)
			if err != nil {
				t.Fatal(err)
			}
			c, err := cimxml.Unmarshal(written, &again)
			if err != nil || c != class {
				t.Fatalf("got class %q, error %v from %s", c, err, written)
			}
			if rewritten, _ := cimxml.Marshal(c, again); rewritten != written { // compares strings because NaN != NaN
				t.Fatalf("%s\nhas become\n%s", written, rewritten)
			}
		}
		if i, ok := compareWithEncodingXML(t, text); ok {
			if again, err := cimxml.Parse(i.String()); err != nil || !reflect.DeepEqual(i, again) {
				t.Fatalf("%+v has become %+v, error %v", i, again, err)
			}
		}
	})
}

// Representable is true for strings that do not change in a round trip, and for no others.
func TestRepresentable(t *testing.T) {
	texts := []string{"", "a\xffb", "\ufffd", "\ufffe", "\uffff", "\U00010000", "日本"}
	for r := range rune(0x300) {
		texts = append(texts, string(r))
	}
	for _, text := range texts {
		written, err := cimxml.Marshal("Msvm_Error", msvm.Error{Message: &text})
		if err != nil {
			t.Fatal(err)
		}
		var back msvm.Error
		if _, err := cimxml.Unmarshal(written, &back); err != nil {
			t.Fatal(err)
		}
		same := back.Message != nil && *back.Message == text
		if same != cimxml.Representable(text) && text != "\ufffd" { // U+FFFD replaces the others, so it is unchanged
			t.Errorf("%q is unchanged after a round trip: %v, Representable: %v", text, same, !same)
		}
	}
}
