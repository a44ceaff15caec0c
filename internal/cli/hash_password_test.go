package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"hyperv_replica_exporter/internal/cli"
	"hyperv_replica_exporter/internal/exporter"
)

// The command prints the hash of a password that it reads from standard input.
func TestHashPasswordFromStandardInput(t *testing.T) {
	for _, tt := range []struct {
		name, input string
		password    string // "" if the command fails
		stderr      string
	}{
		{"a line", "correct horse\n", "correct horse", ""},
		{"a line of Windows", "correct horse\r\n", "correct horse", ""},
		{"without the end of the line", " correct: höst$ ", " correct: höst$ ", ""},
		{"72 bytes", strings.Repeat("x", 72) + "\n", strings.Repeat("x", 72), ""},
		{"73 bytes", strings.Repeat("x", 73) + "\n", "", "password: has 73 bytes; choose one of at most 72"},
		{"empty", "\n", "", "password: empty"},
		{"no input", "", "", "password: empty"},
		{"two lines", "one\ntwo\n", "", "more than one line; give only the password"},
		{"byte order mark", "\uFEFFcorrect\n", "", "without a byte order mark"},
		{"UTF-16", "c\x00o\x00\r\x00\n\x00", "", "more than one line"},
		{"not UTF-8", "h\xf6st\n", "", "as UTF-8"},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), []string{"hash-password"}, cli.Environment{
			Stdout: &stdout, Stderr: &stderr, Stdin: strings.NewReader(tt.input),
		})
		wantHash(t, tt.name, code, stdout.String(), stderr.String(), tt.password, tt.stderr)
	}
}

// wantHash checks that stdout has only the hash of the password, or that the command failed with an error.
func wantHash(t *testing.T, name string, code int, stdout, stderr, password, want string) {
	t.Helper()
	if password == "" {
		if code != exporter.ExitRuntime || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want an error with %q", name, code, stdout, stderr, want)
		}
		return
	}
	hash, one := strings.CutSuffix(stdout, "\n")
	cost, _ := bcrypt.Cost([]byte(hash))
	if err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)); code != exporter.ExitOK || !one ||
		err != nil || cost < 10 {
		t.Errorf("%s: exit code %d, stdout %q, cost %d, %v, stderr %q", name, code, stdout, cost, err, stderr)
	}
	if strings.Contains(stderr, password) {
		t.Errorf("%s: stderr has the password: %q", name, stderr)
	}
}

// On a terminal, the command asks twice. It reads nothing from standard input.
func TestHashPasswordFromATerminal(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answers  []string
		password string // "" if the command fails
		stderr   string
	}{
		{"the same", []string{"correct horse", "correct horse"}, "correct horse", ""},
		{"different", []string{"correct horse", "correct house"}, "", "not the same; run the command again"},
		{"empty", []string{"", ""}, "", "password: empty"},
		{"interrupted", nil, "", "cannot be read from the terminal: interrupted"},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), []string{"hash-password"}, cli.Environment{
			Stdout: &stdout, Stderr: &stderr, Stdin: failingReader{},
			ReadHidden: func(context.Context) ([]byte, error) {
				if len(tt.answers) == 0 {
					return nil, errors.New("interrupted")
				}
				next := tt.answers[0]
				tt.answers = tt.answers[1:]
				return []byte(next), nil
			},
		})
		wantHash(t, tt.name, code, stdout.String(), stderr.String(), tt.password, tt.stderr)
		if !strings.HasPrefix(stderr.String(), "Password: \n") {
			t.Errorf("%s: stderr is %q", tt.name, stderr.String())
		}
	}
}

// failingReader fails when it is read.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// A password as an argument is refused and not repeated. A failed read is an error.
func TestHashPasswordRefusesArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"hash-password", "correct-horse"}, exporter.ExitUsage, "a password cannot be an argument"},
		{[]string{"hash-password"}, exporter.ExitRuntime, "standard input: cannot be read: " + io.ErrClosedPipe.Error()},
	} {
		var stdout, stderr bytes.Buffer
		code := cli.Run(t.Context(), tt.args, cli.Environment{Stdout: &stdout, Stderr: &stderr, Stdin: failingReader{}})
		if code != tt.code || stdout.Len() > 0 || !strings.Contains(stderr.String(), tt.want) ||
			strings.Contains(stderr.String(), "correct-horse") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", tt.args, code, stdout.String(), stderr.String())
		}
	}
}
