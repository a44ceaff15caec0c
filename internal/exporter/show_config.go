package exporter

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// show prints the values in effect as a configuration file, with the origin of each.
func (c *config) show(w io.Writer) {
	file := "no configuration file"
	if c.file != nil {
		file = c.file.Path
	}
	fmt.Fprintf(w, "# The configuration is valid: %s.\n", file)
	for _, name := range slices.Sorted(maps.Keys(c.texts)) {
		fmt.Fprintf(w, "%s: %s # %s\n", name, yamlValue(c.texts[name].texts), c.texts[name].origin)
	}
}

// plainText matches texts that YAML needs no quotes for.
var plainText = regexp.MustCompile(`^[0-9A-Za-z/][0-9A-Za-z/._+-]*$`)

// yamlValue returns the value of a key: a text, or a list if the number of texts is not 1.
func yamlValue(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		if quoted[i] = t; !plainText.MatchString(t) || strings.EqualFold(t, "null") {
			quoted[i] = "'" + strings.ReplaceAll(t, "'", "''") + "'"
		}
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
