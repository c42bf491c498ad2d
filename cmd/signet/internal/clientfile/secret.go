package clientfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/internal/cli"
	"signet/server/clientauth"
)

// SecretSource names where the secret of a client is. One of its members is set.
type SecretSource struct {
	File     string // a file with it
	Env      string // an environment variable with it
	Generate bool   // one is made for a client that has none, and kept in Keep, or shown once
	Keep     string // a file for what is made; one that is there has the secret; "": shown once
}

// String returns the source as it is shown to people.
func (s *SecretSource) String() string {
	switch {
	case s.File != "":
		return "from the file " + s.File
	case s.Env != "":
		return "from the variable " + s.Env
	case s.Keep != "":
		return "in the file " + s.Keep
	}
	return "shown once"
}

// Read returns the secret, or "" for one that is still to be made. Errors never quote it.
func (s *SecretSource) Read(app *cli.App) (string, error) {
	switch {
	case s.Env != "":
		return checked("the variable "+s.Env, app.Getenv(s.Env))
	case s.File != "":
		text, err := cli.ReadSecretFile(s.File)
		if err != nil {
			return "", err
		}
		return checked(s.File, text)
	case s.Keep != "":
		text, err := cli.ReadSecretFile(s.Keep)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return checked(s.Keep, text)
	}
	return "", nil
}

func checked(where, text string) (string, error) {
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s: there is no secret in it", where)
	}
	if why := clientauth.CheckSecret(text); why != "" {
		return "", fmt.Errorf("%s: the secret %s", where, why)
	}
	return text, nil
}

// Make makes a secret and keeps it in the file that the source names. A caller without a file shows it.
func (s *SecretSource) Make() (string, error) {
	secret := clientauth.NewSecret()
	if s.Keep == "" {
		return secret, nil
	}
	return secret, cli.WriteFile(s.Keep, false, nil, func(w io.Writer) error {
		_, err := io.WriteString(w, secret+"\n")
		return err
	})
}

// secretForms are the ways to name a secret.
const secretForms = "must be {file: PATH}, {env: NAME}, {generate: PATH} or generate; a secret itself is never written here"

func (p *parser) secret(line int, node *yaml.Node) *SecretSource {
	node = follow(node)
	if isText(node) && node.Value == "generate" {
		return &SecretSource{Generate: true}
	}
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 || !isText(node.Content[1]) || node.Content[1].Value == "" {
		p.reject(line, "secret: %s", secretForms)
		return nil
	}
	switch value := node.Content[1].Value; node.Content[0].Value {
	case "file":
		return &SecretSource{File: p.path(value)}
	case "env":
		return &SecretSource{Env: value}
	case "generate":
		return &SecretSource{Generate: true, Keep: p.path(value)}
	}
	p.reject(line, "secret: %s", secretForms)
	return nil
}
