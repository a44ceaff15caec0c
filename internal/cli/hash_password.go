package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"
)

// hashCost is the cost of the bcrypt hashes. A comparison takes a few tenths of a second.
const hashCost = 12

// maxPasswordBytes is the maximum length of a password, which bcrypt has.
const maxPasswordBytes = 72

// hashPasswordCommand prints the hash of a password for a web configuration file.
func hashPasswordCommand() command {
	return command{
		name: "hash-password",
		help: "Read a password from the terminal or from standard input, and print its bcrypt hash for basic_auth_users " +
			"of a web configuration file.",
		setup: func(app *kingpin.Application) func(context.Context, Environment) error {
			var arguments []string
			app.Arg("password", "Not accepted.").Hidden().StringsVar(&arguments)
			return func(ctx context.Context, env Environment) error {
				if len(arguments) > 0 {
					return usageError{errors.New("a password cannot be an argument, because other users can see arguments and " +
						"the shell stores them; enter it when the command asks for it")}
				}
				return hashPassword(ctx, env)
			}
		},
	}
}

// hashPassword prints the hash to stdout.
func hashPassword(ctx context.Context, env Environment) error {
	read := readPipedPassword
	if env.ReadHidden != nil {
		read = askPassword
	}
	password, err := read(ctx, env)
	if err == nil {
		err = checkPassword(password)
	}
	if err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword(password, hashCost)
	if err != nil {
		return fmt.Errorf("password: cannot be hashed: %w", err)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s\n", hash)
	return err
}

// askPassword asks for a password twice.
func askPassword(ctx context.Context, env Environment) ([]byte, error) {
	var entered [2][]byte
	for i, prompt := range []string{"Password: ", "Repeat the password: "} {
		_, _ = fmt.Fprint(env.Stderr, prompt)
		var err error
		entered[i], err = env.ReadHidden(ctx)
		fmt.Fprintln(env.Stderr) // the terminal does not show the end of the line either
		if err != nil {
			return nil, fmt.Errorf("password: cannot be read from the terminal: %w", err)
		}
	}
	if !bytes.Equal(entered[0], entered[1]) {
		return nil, errors.New("passwords: not the same; run the command again")
	}
	return entered[0], nil
}

// readPipedPassword reads a password from standard input, without the end of its line.
func readPipedPassword(_ context.Context, env Environment) ([]byte, error) {
	const maxRead = 4096
	text, err := io.ReadAll(io.LimitReader(env.Stdin, maxRead))
	if err != nil {
		return nil, fmt.Errorf("standard input: cannot be read: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(text, "\r\n") {
		return nil, errors.New("standard input: has more than one line; give only the password")
	}
	return text, nil
}

// checkPassword returns an error for a password with which a user could not log in.
func checkPassword(password []byte) error {
	switch {
	case len(password) == 0:
		return errors.New("password: empty; enter at least one character")
	case len(password) > maxPasswordBytes:
		return fmt.Errorf("password: has %d bytes; choose one of at most %d, because bcrypt ignores the others",
			len(password), maxPasswordBytes)
	case !utf8.Valid(password), bytes.HasPrefix(password, []byte("\uFEFF")), bytes.ContainsRune(password, 0):
		return errors.New("password: not plain UTF-8; enter it in the terminal, or write it to standard input as UTF-8 " +
			"without a byte order mark")
	}
	return nil
}

// HiddenReader returns a function that reads a line from a terminal without showing it. It returns nil if the file is
// not a terminal. If the context ends, the function restores the terminal and returns.
func HiddenReader(f *os.File) func(context.Context) ([]byte, error) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	return func(ctx context.Context) ([]byte, error) {
		before, err := term.GetState(fd)
		if err != nil {
			return nil, err
		}
		type line struct {
			text []byte
			err  error
		}
		done := make(chan line, 1)
		go func() {
			text, err := term.ReadPassword(fd)
			done <- line{text, err}
		}()
		select {
		case l := <-done:
			return l.text, l.err
		case <-ctx.Done():
			return nil, errors.Join(errors.New("interrupted"), term.Restore(fd, before))
		}
	}
}
