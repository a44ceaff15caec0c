package docs_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commandPair matches a command for Linux and the same command for Windows.
var commandPair = regexp.MustCompile("(?s)\n```sh\n([^`]*)```\n\n(?:[^\n]+\n\n)?```powershell\n(.*?)\n```\n")

// The commands for Windows, which no test can run, are those for Linux, which TestControlExamples runs. Creating a
// certificate is the exception.
func TestControlCommandsForWindows(t *testing.T) {
	page, err := os.ReadFile("control.md")
	if err != nil {
		t.Fatal(err)
	}
	guide, _, _ := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), "\n## Runbooks\n")
	pairs := commandPair.FindAllStringSubmatch(guide, -1)
	if commands := strings.Count(guide, "\n```sh\n"); commands != len(pairs) || commands < 9 {
		t.Errorf("%d of %d commands are there for Windows, too; want 9 or more, and all", len(pairs), commands)
	}
	for _, p := range pairs {
		linux, windows := linuxWords(p[1]), windowsWords(p[2])
		if !slices.Equal(linux, windows) && !strings.Contains(p[1], "openssl req") {
			t.Errorf("the command for Linux is\n%q\nthat for Windows\n%q", linux, windows)
		}
	}
}

// word matches a word of a command, in quotes or not.
var word = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)

// linuxWords returns the words of a command for bash, without quotes.
func linuxWords(command string) (words []string) {
	for _, w := range word.FindAllString(strings.ReplaceAll(command, "\\\n", " "), -1) {
		words = append(words, strings.Trim(w, `'"`))
	}
	return words
}

var (
	// pipedJSON matches JSON that curl.exe gets through standard input.
	pipedJSON = regexp.MustCompile(`(?s)^('.*?') \|\s+(curl\.exe .*)"@-"`)
	// variable matches the assignment of a variable.
	variable = regexp.MustCompile(`(?m)^\$(\w+) = '(.*)'$`)
)

// windowsWords returns the words of a command for Windows PowerShell as those of bash.
func windowsWords(command string) (words []string) {
	command = variable.ReplaceAllString(strings.ReplaceAll(command, "`\n", " "), "$1=$2")
	command = pipedJSON.ReplaceAllString(command, "$2$1")
	command = strings.NewReplacer(`.\hyperv_replica_exporter.exe`, "./hyperv_replica_exporter", "curl.exe", "curl",
		"--ssl-no-revoke", "--cacert admin.crt").Replace(command)
	return linuxWords(command)
}
