package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"signet/cmd/signet/internal/cli"
	"signet/keys/jose"
	"signet/server/admin/api"
)

// readPublicKeys reads the public keys of a client. An empty path removes them. It refuses a private key, so that none
// is sent.
func readPublicKeys(app *cli.App, path string) (*jose.PublicSet, error) {
	if path == "" {
		return nil, nil
	}
	data, err := cli.ReadInput(app, path)
	if err != nil {
		return nil, err
	}
	set, err := jose.ReadPublicSet(data)
	switch {
	case errors.Is(err, jose.ErrPrivateKey) && bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("%s has a private key; nothing was sent. Keep it, and give its public half: `openssl pkey %s-pubout`", cli.InputName(path), cli.OpenSSLInput(path))
	case errors.Is(err, jose.ErrPrivateKey):
		return nil, fmt.Errorf("%s: %w; nothing was sent. A client gives the public half of a pair (kty EC, RSA or OKP), without d, p, q, dp, dq and qi", cli.InputName(path), cli.OneLine(err))
	case err != nil:
		return nil, fmt.Errorf("the public keys in %s: %w", cli.InputName(path), cli.OneLine(err))
	}
	for _, why := range set.Unusable() {
		app.Notef("warning: %s: %s; this key is left out", cli.InputName(path), cli.OneLine(why))
	}
	return set, nil
}

// publicKeys returns the public keys of a client. Members that this version lacks are shown by -o json alone.
func publicKeys(c api.Client) []jose.JWK {
	var set struct {
		Keys []jose.JWK `json:"keys"`
	}
	if len(c.JWKS) > 0 {
		_ = json.Unmarshal(c.JWKS, &set)
	}
	return set.Keys
}

func writeKeys(w io.Writer, c api.Client) {
	for i, k := range publicKeys(c) {
		cli.Row(w, fmt.Sprintf("key %d", i+1), k.Kid+" ("+algorithmsOf(k)+")")
	}
}

// algorithmsOf writes which algorithms the key can verify.
func algorithmsOf(k jose.JWK) string {
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
