package capture

import (
	"bytes"
	"encoding/csv"
)

// Kinds of values that are replaced, as in the mapping file.
const (
	kindMachine    = "machine"
	kindHost       = "host"
	kindDomain     = "domain"
	kindAddress    = "address"
	kindFolder     = "folder"
	kindGroup      = "group"
	kindThumbprint = "thumbprint"
	kindGUID       = "guid"
)

// mapping has the substitutes of the values that were replaced.
type mapping struct {
	entries []mappingEntry
	index   map[[2]string]int // of the entries, by kind and original
	numbers map[string]int    // number of entries by kind
}

type mappingEntry struct{ kind, original, substitute string }

func newMapping() *mapping {
	return &mapping{index: map[[2]string]int{}, numbers: map[string]int{}}
}

// has reports whether an original has a substitute.
func (m *mapping) has(kind, original string) bool {
	_, ok := m.index[[2]string{kind, original}]
	return ok
}

// substitute returns the substitute for an original. If it has none, it gets the one that format returns for the next
// number of the kind, starting with 1.
func (m *mapping) substitute(kind, original string, format func(number int) string) string {
	key := [2]string{kind, original}
	i, ok := m.index[key]
	if !ok {
		i = len(m.entries)
		m.index[key] = i
		m.numbers[kind]++
		m.entries = append(m.entries, mappingEntry{kind, original, format(m.numbers[kind])})
	}
	return m.entries[i].substitute
}

// counts returns the number of entries of each kind.
func (m *mapping) counts() []Count {
	var counts []Count
	for _, kind := range []string{
		kindMachine, kindHost, kindDomain, kindAddress, kindFolder, kindGroup, kindThumbprint, kindGUID,
	} {
		counts = append(counts, Count{kind, m.numbers[kind]})
	}
	return counts
}

// text returns the content of the mapping file: lines of kind, original and substitute, separated by tabs. A value with
// a tab, a quotation mark or a line break is in quotation marks, as in CSV.
func (m *mapping) text() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = '\t'
	for _, e := range m.entries {
		if err := w.Write([]string{e.kind, e.original, e.substitute}); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
