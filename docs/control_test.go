//go:build !windows

package docs_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hyperv_replica_exporter/internal/exportertest"
)

// controlBlock matches a code block of the pages about the admin endpoint: its language and its text.
var controlBlock = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// controlPages returns the pages about the admin endpoint without the runbooks, which package admin tests.
func controlPages(t *testing.T) string {
	t.Helper()
	text := ""
	for _, file := range []string{"control.md", "control-reference.md"} {
		guide, _, _ := strings.Cut(readText(t, file), "\n## Runbooks\n")
		text += guide
	}
	return text
}

// A reader who follows the pages about the admin endpoint from the first line, with nothing but the program, gets the
// responses that they show. A file starts with a comment that has its name; a response follows its command.
func TestControlExamples(t *testing.T) {
	s := newControlSession(t)
	shown := 0
	for _, b := range controlBlock.FindAllStringSubmatch(controlPages(t), -1) {
		switch language, text := b[1], b[2]; language {
		case "sh":
			s.run(text)
		case "yaml":
			s.write(text)
		case "json", "text":
			shown++
			if !shownPattern(text).MatchString(s.output) {
				t.Errorf("the page shows\n%s\nthe response is\n%s", text, s.output)
			}
		case "powershell": // TestControlCommandsForWindows
		default:
			t.Errorf("a code block has the language %q", language)
		}
	}
	if shown < 8 || s.program == nil {
		t.Errorf("%d responses were compared, want at least 8 of a running program", shown)
	}
}

// shownPattern returns a pattern for a response of the page. The character … stands for any text; on a line of its own,
// for any lines.
func shownPattern(text string) *regexp.Regexp {
	var pattern strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(?s:.*?)`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `.*`))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`)
}

// controlSession is a reader's terminal in an empty directory with the program.
type controlSession struct {
	*testing.T
	folder    string
	program   *exportertest.LogBuffer // log of the exporter, nil before its start
	port      string                  // of the endpoint
	variables string                  // assignments of earlier commands
	output    string                  // of the last command
	hash      string                  // of the password
}

// controlPassword is what the reader enters when a command asks for a password.
const controlPassword = "correct horse"

func newControlSession(t *testing.T) *controlSession {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing; scripts/setup.sh runbooks installs it", tool)
		}
	}
	s := &controlSession{T: t, folder: t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(s.folder, "hyperv_replica_exporter"), "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

var (
	assignment = regexp.MustCompile(`(?m)^[A-Z]+=.*\n`)
	askedUser  = regexp.MustCompile(`--user (\w+)`)
	member     = regexp.MustCompile(`(?m)^  "(confirmation_token|id)": "(.+)",?$`)
	shownHash  = regexp.MustCompile(`\$2a\$12\$…`)
	fileName   = regexp.MustCompile(`\A# (\S+)\n`)
)

// run runs commands of the page. What differs from the page: the port of the endpoint is one that is free, passwords
// are not entered in a terminal, TOKEN and ID are taken from the last response, and the exporter starts in the
// background.
func (s *controlSession) run(text string) {
	s.Helper()
	script := strings.ReplaceAll(text, ":10484/", ":"+s.port+"/")
	script = askedUser.ReplaceAllString(script, "--user '$1:"+controlPassword+"'")
	for _, m := range member.FindAllStringSubmatch(s.output, -1) {
		script = strings.ReplaceAll(script, map[string]string{"confirmation_token": "TOKEN", "id": "ID"}[m[1]], m[2])
	}
	if strings.Contains(text, "--admin.enabled") {
		s.start(script)
		return
	}
	cmd := s.command(s.Context(), s.variables+script)
	cmd.Stdin = strings.NewReader(controlPassword + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		s.Fatalf("%s\n%v\n%s%s", text, err, stdout, &stderr)
	}
	s.output = string(stdout)
	s.variables += strings.Join(assignment.FindAllString(script, -1), "")
	if strings.HasSuffix(text, " hash-password\n") {
		s.hash = strings.TrimSpace(s.output)
	}
}

// start starts the exporter with ports that the system chooses, and waits for the endpoint.
func (s *controlSession) start(script string) {
	s.Helper()
	cmd := s.command(context.WithoutCancel(s.Context()), "exec "+strings.TrimSpace(script)+" --web.listen-address=127.0.0.1:0 --admin.listen-address=127.0.0.1:0")
	s.program = exportertest.NewLogBuffer()
	cmd.Stderr = s.program
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			s.Errorf("the exporter ends after Ctrl+C with %v\n%s", err, s.program)
		}
	})
	_, s.port, _ = strings.Cut(s.program.Await(s, exportertest.AdminAddress), ":")
}

func (s *controlSession) command(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "HOME="+s.folder) // no ~/.curlrc
	return cmd
}

// write writes a file of the page, with the hash of the password.
func (s *controlSession) write(text string) {
	s.Helper()
	m := fileName.FindStringSubmatch(text)
	if m == nil {
		s.Fatalf("a file of the page has no name:\n%s", text)
	}
	text = shownHash.ReplaceAllLiteralString(text, s.hash)
	if err := os.WriteFile(filepath.Join(s.folder, m[1]), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}
