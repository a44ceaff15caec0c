package exportertest

import (
	"encoding/csv"
	"os"
	"regexp"
	"strings"
	"testing"
)

// labelPair matches a label and its value in an exposition.
var labelPair = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)

// labelEscaper and labelUnescaper convert between the value of a label and its form in an exposition.
var (
	labelEscaper   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	labelUnescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// quotedName matches the names in a message of the simulated host.
var quotedName = regexp.MustCompile(`'.*'`)

// Renamed returns an exposition in which the names in the values of labels are replaced as a capture has replaced them,
// according to its mapping file. Thumbprints are all replaced by the same text: a replay has certificates of its own.
// Names within messages are replaced, too.
func Renamed(t testing.TB, exposition, mappingFile string) string {
	t.Helper()
	f, err := os.Open(mappingFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	r := csv.NewReader(f)
	r.Comma = '\t'
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // by kind and original
	for _, record := range records {
		names[record[0]+" "+record[1]] = record[2]
	}
	return labelPair.ReplaceAllStringFunc(exposition, func(pair string) string {
		m := labelPair.FindStringSubmatch(pair)
		value := labelUnescaper.Replace(m[2])
		switch m[1] {
		case "thumbprint":
			value = "thumbprint"
		case "message", "recommended_action":
			value = quotedName.ReplaceAllString(value, "'name'")
		}
		return m[1] + `="` + labelEscaper.Replace(renamed(names, value)) + `"`
	})
}

// renamed returns the substitute for the value of a label, or the value if it has none.
func renamed(names map[string]string, value string) string {
	for _, kind := range []string{"machine ", "group ", "address "} {
		if name, ok := names[kind+value]; ok {
			return name
		}
	}
	lower := strings.ToLower(value)
	if name, ok := names["folder "+lower]; ok {
		return name
	}
	if name, ok := names["guid "+lower]; ok {
		return sameCase(value, name)
	}
	label, domain, _ := strings.Cut(value, ".")
	if name, ok := names["host "+strings.ToLower(label)]; ok {
		label = sameCase(label, name)
	}
	if name, ok := names["domain "+strings.ToLower(domain)]; ok {
		return label + "." + name
	}
	if domain == "" {
		return label
	}
	return value
}

func sameCase(original, name string) string {
	if original == strings.ToUpper(original) {
		return strings.ToUpper(name)
	}
	return name
}
