package inspect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/keys/jose"
)

// assertionLife leaves time to paste the assertion, and for a clock that is slightly wrong.
const assertionLife = 2 * time.Minute

// signedAssertion has the parameters by which a client authenticates (RFC 7523 §2.2).
type signedAssertion struct {
	Type      string `json:"client_assertion_type"`
	Assertion string `json:"client_assertion"`
}

func tokenAssertion(app *cli.App) *cobra.Command {
	var client, issuer, key, kid string
	cmd := &cobra.Command{
		Use:   "assertion --client ID --issuer URL --key FILE [--kid KID]",
		Short: "Sign an assertion, to try private_key_jwt by hand",
		Long: "Sign an assertion by which a client authenticates (private_key_jwt), to test it with curl. Apps use their\n" +
			"OAuth library for this. The assertion is valid for two minutes and one request. No network is used.\n\n" +
			"The key is a private key in PEM: P-256 (ES256), Ed25519 (EdDSA) or RSA (RS256).",
		Example: "SIGNED=$(signet token assertion --client reports --issuer https://auth.example.com --key reports.key)\n" +
			"curl https://auth.example.com/token -d grant_type=client_credentials -d client_assertion=$SIGNED \\\n" +
			"  -d client_assertion_type=" + assertionType,
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.Required(cmd, "client", "issuer", "key"); err != nil {
				return err
			}
			if err := checkIssuer(issuer); err != nil {
				return err
			}
			signer, err := readPrivateKey(app, key)
			if err != nil {
				return err
			}
			assertion, err := signAssertion(client, issuer, kid, signer, time.Now())
			if err != nil {
				return fmt.Errorf("the key in %s: %w", cli.InputName(key), err)
			}
			return app.Print(signedAssertion{assertionType, assertion}, func(w io.Writer) { cli.Row(w, assertion) })
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "the client's `ID`")
	cmd.Flags().StringVar(&issuer, "issuer", "", "the server's issuer `URL`, exactly as in its metadata")
	cmd.Flags().StringVar(&key, "key", "", "the client's private key, from the PEM `FILE`; - reads standard input")
	cmd.Flags().StringVar(&kid, "kid", "", "the key's `KID`, as `signet client show` has it (default: its RFC 7638 thumbprint)")
	return cmd
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// checkIssuer refuses URLs that are often confused with an issuer.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return cli.Usagef("--issuer %q is not a URL; give the server's issuer, such as https://auth.example.com", issuer)
	case strings.HasSuffix(issuer, "/") || strings.HasSuffix(u.Path, "/token"):
		return cli.Usagef("--issuer %q is not an issuer; give it without /token and without a slash at the end", issuer)
	}
	return nil
}

func signAssertion(client, issuer, kid string, signer crypto.Signer, now time.Time) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return "", err
	}
	public, err := jose.ReadPublicSet(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		return "", err
	}
	if kid == "" {
		kid = public.KIDs()[0]
	}
	token := jwt.NewWithClaims(assertionMethod(signer), jwt.MapClaims{"iss": client, "sub": client, "aud": issuer,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": rand.Text()})
	token.Header["kid"] = kid
	return token.SignedString(signer)
}

func assertionMethod(signer crypto.Signer) jwt.SigningMethod {
	switch signer.(type) {
	case *ecdsa.PrivateKey:
		return jwt.SigningMethodES256
	case ed25519.PrivateKey:
		return jwt.SigningMethodEdDSA
	}
	return jwt.SigningMethodRS256
}

// readPrivateKey reads the first private key of a PEM file. Its errors do not quote the file.
func readPrivateKey(app *cli.App, path string) (crypto.Signer, error) {
	data, err := cli.ReadInput(app, path)
	if err != nil {
		return nil, err
	}
	public := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return parsePrivateKey(path, block)
		}
		public = public || strings.HasSuffix(block.Type, "PUBLIC KEY")
	}
	if public {
		return nil, fmt.Errorf("%s has the public half of a key pair; an assertion is signed with the private one", cli.InputName(path))
	}
	return nil, fmt.Errorf("%s has no private key in PEM; make one: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.key`", cli.InputName(path))
}

func parsePrivateKey(path string, block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("the key in %s is encrypted; decrypt it on the way: `openssl pkey %s| signet token assertion --key - …`", cli.InputName(path), cli.OpenSSLInput(path))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil {
		key = nil // the value beside an error is not a key
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("the private key in %s is on the curve %s; it must be P-256, Ed25519 or RSA", cli.InputName(path), key.Params().Name)
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("the private key in %s cannot be read; it must be P-256, Ed25519 or RSA, as `openssl genpkey` makes it", cli.InputName(path))
}
