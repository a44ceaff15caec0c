package docs_test

import (
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
	guide, _, _ := strings.Cut(readText(t, "control.md"), "\n## Runbooks\n")
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

// The runbooks have the same functions and variables for bash and for PowerShell.
func TestControlFunctionsForWindows(t *testing.T) {
	_, runbooks, _ := strings.Cut(readText(t, "control.md"), "\n## Runbooks\n")
	_, bash, _ := strings.Cut(runbooks, "\n```sh\n")
	bash, _, _ = strings.Cut(bash, "\n```\n")
	_, windows, _ := strings.Cut(runbooks, "\n### Functions for PowerShell\n")
	linux := regexp.MustCompile(`(?m)^(\w+)(?:=|\(\) {)`).FindAllStringSubmatch(bash, -1)
	powershell := regexp.MustCompile(`(?m)^(?:\$|function )([a-z_]+|[A-Z][A-Z0-9_]+)\b`).FindAllStringSubmatch(windows, -1)
	var got, want []string
	for _, m := range powershell {
		got = append(got, m[1])
	}
	for _, m := range linux {
		want = append(want, m[1])
	}
	if slices.Sort(got); len(got) < 10 {
		t.Errorf("%d names, want 10 or more", len(got))
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("PowerShell has %q, bash has %q", got, want)
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
	variable = regexp.MustCompile(`(?m)^\$(\w+) = ['"](.*)['"]$`)
)

// windowsWords returns the words of a command for Windows PowerShell as those of bash.
func windowsWords(command string) (words []string) {
	command = variable.ReplaceAllString(strings.ReplaceAll(command, "`\n", " "), "$1=$2")
	command = pipedJSON.ReplaceAllString(command, "$2$1")
	command = strings.NewReplacer(`.\hyperv_replica_exporter.exe`, "./hyperv_replica_exporter", "curl.exe", "curl",
		"--ssl-no-revoke", "--cacert admin.crt").Replace(command)
	return linuxWords(command)
}
