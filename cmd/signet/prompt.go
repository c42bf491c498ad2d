package main

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

// maxSecret is far more than any password may have.
const maxSecret = 64 << 10

// passwordSource is where a new password comes from. Never a flag's value: the process list and the
// shell's history would have it.
type passwordSource struct {
	stdin bool
	file  string
}

func (p *passwordSource) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().StringVar(&p.file, "password-file", "", "read the password from `FILE`")
}

// given reports whether a flag names a password.
func (p *passwordSource) given() bool { return p.stdin || p.file != "" }

// read returns the password; a trailing line break is not part of it.
func (p *passwordSource) read(a *app) (string, error) {
	switch {
	case p.stdin && p.file != "":
		return "", misuse("--password-stdin and --password-file are two passwords; give one of them")
	case p.stdin:
		return readSecret(a.in)
	case p.file != "":
		f, err := os.Open(p.file)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		defer f.Close()
		if err := checkNamedSecret(f); err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		return readSecret(f)
	default:
		return a.promptPassword()
	}
}

func readSecret(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	data = bytes.TrimPrefix(data, byteOrderMark)
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	switch {
	case len(data) > maxSecret:
		return "", errors.New("the password is too long to be one")
	case len(data) == 0:
		return "", errors.New("the password is empty")
	case bytes.ContainsAny(data, "\n\r"):
		return "", errors.New("the password has more than one line; give it alone")
	}
	return string(data), nil
}

func (a *app) promptPassword() (string, error) {
	tty := fileOf(a.in)
	if tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return "", misuse("there is no terminal to ask for the password; give it with --password-stdin or --password-file")
	}
	first, err := a.askSecret(tty, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := a.askSecret(tty, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed, try again")
	}
	return readSecret(strings.NewReader(first))
}

func (a *app) askSecret(tty *os.File, prompt string) (string, error) {
	fmt.Fprint(a.err, prompt)
	secret, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return string(secret), nil
}

// confirm asks before something that cannot be taken back.
func (a *app) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if tty := fileOf(a.in); tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return misuse("there is no terminal to ask whether you are sure; add --yes")
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(a.in).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed")
}

func yesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}
