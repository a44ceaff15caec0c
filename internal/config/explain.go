package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// lineOfError matches the first line number in an error of the YAML library.
var lineOfError = regexp.MustCompile(`\bline (\d+)`)

// explain returns an error of the YAML library with advice about the mistakes that people make most.
func explain(err error, text []byte) error {
	problem := strings.TrimPrefix(err.Error(), "yaml: ")
	advice := "check the indentation and the quotes"
	if line := tabIndentation(text); line > 0 {
		return fmt.Errorf("line %d: begins with a tab; indent with spaces", line)
	}
	switch {
	case strings.Contains(problem, "escape"):
		advice = `write paths of Windows in single quotes, in which \ is an ordinary character`
	case strings.Contains(problem, "anchor"):
		advice = "write a value that begins with * or & in single quotes"
	case strings.Contains(problem, "mapping values are not allowed"):
		advice = "check the indentation; write a value that has a colon and a space in single quotes"
	}
	if m := lineOfError.FindStringSubmatch(problem); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return fmt.Errorf("line %d: not valid YAML; %s (%s)", line, advice, problem)
		}
	}
	return fmt.Errorf("not valid YAML; %s (%s)", advice, problem)
}

// tabIndentation returns the number of the first line that has a tab before its content, 0 if none has.
func tabIndentation(text []byte) int {
	for i, l := range bytes.Split(text, []byte("\n")) {
		content := bytes.TrimLeft(l, " \t\r")
		if len(content) > 0 && content[0] != '#' && bytes.IndexByte(l[:len(l)-len(content)], '\t') >= 0 {
			return i + 1
		}
	}
	return 0
}
