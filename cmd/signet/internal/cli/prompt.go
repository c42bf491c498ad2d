package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// MaxSecret bounds what is read as a secret, in bytes.
const MaxSecret = 64 << 10

// PasswordFlags are the flags that name the source of a new password. The password itself is never a flag: it would be
// in the process list and in the shell's history.
type PasswordFlags struct {
	stdin bool
	file  string
}

// Register adds the flags to cmd.
func (p *PasswordFlags) Register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().StringVar(&p.file, "password-file", "", "read the password from `FILE`")
}

// Given reports whether a flag names a password.
func (p *PasswordFlags) Given() bool { return p.stdin || p.file != "" }

// Read returns the password from the source, or asks for it twice on the terminal. A trailing line break is not part of
// the password.
func (p *PasswordFlags) Read(app *App) (string, error) {
	switch {
	case p.stdin && p.file != "":
		return "", Usagef("--password-stdin and --password-file are two passwords; give one of them")
	case p.stdin:
		return ReadSecret(app.In)
	case p.file != "":
		f, err := os.Open(p.file)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		defer f.Close()
		if err := CheckSecret(f); err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		return ReadSecret(f)
	default:
		return app.promptPassword()
	}
}

// ReadSecret reads one line, which is the secret.
func ReadSecret(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	data = bytes.TrimPrefix(data, ByteOrderMark)
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	switch {
	case len(data) > MaxSecret:
		return "", fmt.Errorf("the password exceeds %d bytes", MaxSecret)
	case len(data) == 0:
		return "", errors.New("the password is empty")
	case bytes.ContainsAny(data, "\n\r"):
		return "", errors.New("the password has more than one line; give it alone")
	}
	return string(data), nil
}

func (app *App) promptPassword() (string, error) {
	tty := fileOf(app.In)
	if tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return "", Usagef("there is no terminal to ask for the password; give it with --password-stdin or --password-file")
	}
	first, err := app.askSecret(tty, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := app.askSecret(tty, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed, try again")
	}
	return ReadSecret(strings.NewReader(first))
}

func (app *App) askSecret(tty *os.File, prompt string) (string, error) {
	fmt.Fprint(app.Err, prompt)
	secret, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(app.Err)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return string(secret), nil
}

// Interactive reports whether there is a terminal to answer a question.
func (app *App) Interactive() bool {
	tty := fileOf(app.In)
	return tty != nil && term.IsTerminal(int(tty.Fd()))
}

// Confirm asks before a step that cannot be undone, unless yes is set. An error means that the answer was not yes.
func (app *App) Confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !app.Interactive() {
		return Usagef("there is no terminal to ask whether you are sure; add --yes")
	}
	fmt.Fprintf(app.Err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(app.In).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed")
}

// YesFlag adds the flag that answers Confirm.
func YesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}
