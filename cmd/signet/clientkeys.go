package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"signet/cmd/signet/internal/cli"
	"signet/keys/jose"
	"signet/server/admin/api"
)

// maxKeyFile is more than any file of keys has.
const maxKeyFile = 1 << 20

// readPublicKeys reads a client's public keys. An empty path is no keys: they are taken away. A private
// key does not get further than here.
func readPublicKeys(app *cli.App, path string) (*jose.PublicSet, error) {
	if path == "" {
		return nil, nil
	}
	data, err := readKeyFile(app, path)
	if err != nil {
		return nil, err
	}
	set, err := jose.ReadPublicSet(data)
	switch {
	case errors.Is(err, jose.ErrPrivateKey) && bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("%s has a private key; nothing was sent. Keep it, and give its public half: `openssl pkey %s-pubout`", fileName(path), inOption(path))
	case errors.Is(err, jose.ErrPrivateKey):
		return nil, fmt.Errorf("%s: %w; nothing was sent. A client gives the public half of a pair (kty EC, RSA or OKP), without d, p, q, dp, dq and qi", fileName(path), oneLine{err})
	case err != nil:
		return nil, fmt.Errorf("the public keys in %s: %w", fileName(path), oneLine{err})
	}
	for _, why := range set.Unusable() {
		app.Notef("warning: %s: %s; this key is left out", fileName(path), oneLine{why})
	}
	return set, nil
}

// readKeyFile reads a file, or standard input where its name is a dash.
func readKeyFile(app *cli.App, path string) ([]byte, error) {
	in := app.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading the key: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	return bytes.TrimPrefix(data, cli.ByteOrderMark), nil
}

func fileName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// inOption names the file to openssl.
func inOption(path string) string {
	if path == "-" {
		return ""
	}
	return "-in " + path + " "
}

// clientKeySet has the public keys of a client.
func clientKeySet(c api.Client) keySet {
	var set keySet
	if len(c.JWKS) > 0 {
		_ = json.Unmarshal(c.JWKS, &set) // what a newer server has is shown by -o json
	}
	return set
}

func writeClientKeys(w io.Writer, c api.Client) {
	for i, k := range clientKeySet(c).Keys {
		cli.Row(w, fmt.Sprintf("key %d", i+1), k.ID+" ("+k.signs()+")")
	}
}

// signs is what the key may sign with.
func (k jwk) signs() string {
	switch {
	case k.Alg != "":
		return k.Alg
	case k.Kty == "RSA":
		return "RS256 or PS256"
	case k.Kty == "OKP":
		return "EdDSA"
	}
	return k.Kty
}
