package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signet/cmd/signet/internal/cli"
	"signet/keys/jose"
	"signet/server/syntax"
)

const (
	maxDocument   = 1 << 20 // bytes of metadata and of a key set
	verifyTimeout = 30 * time.Second
)

// verifyToken checks the token as a service does, and returns the URL of the key set.
func verifyToken(ctx context.Context, token, issuer, jwks string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	if jwks == "" {
		var err error
		if jwks, err = discover(ctx, issuer); err != nil {
			return "", err
		}
	}
	var set KeySet
	if err := fetchJSON(ctx, jwks, &set); err != nil {
		return jwks, err
	}
	return jwks, Verify(token, issuer, set)
}

// discover returns the key set of an issuer. Its metadata must have the same issuer (RFC 8414 §3.3).
func discover(ctx context.Context, issuer string) (string, error) {
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := fetchJSON(ctx, strings.TrimRight(issuer, "/")+"/.well-known/openid-configuration", &metadata); err != nil {
		return "", err
	}
	if metadata.Issuer != issuer {
		return "", fmt.Errorf("the server at %s has the issuer %q; give that as --issuer if it is the right server", issuer, metadata.Issuer)
	}
	if metadata.JWKS == "" {
		return "", fmt.Errorf("the metadata of %s name no key set; give it with --jwks", issuer)
	}
	return metadata.JWKS, nil
}

func fetchJSON(ctx context.Context, address string, out any) error {
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && syntax.Loopback(u.Hostname())) {
		return cli.Usagef("%q is not an https URL", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("asking %s: %w", address, err)
	}
	// As verifiers do: with the proxy of the environment and with redirects, but not to plain http.
	client := http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if next.URL.Scheme != "https" && !syntax.Loopback(next.URL.Hostname()) {
			return fmt.Errorf("it redirects to %s, which is not https", next.URL)
		}
		if len(via) >= 10 {
			return errors.New("it redirects without end")
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w; is the server running and reachable from here?", address, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s; is the address right?", address, resp.Status)
	}
	if err := ReadJSON(resp.Body, out); err != nil {
		return fmt.Errorf("%s did not answer with JSON: %w", address, err)
	}
	return nil
}

// Verify checks the signature with the key set. With an issuer it also checks iss and the times.
func Verify(token, issuer string, set KeySet) error {
	options := []jwt.ParserOption{jwt.WithValidMethods([]string{"ES256", "RS256", "PS256", "EdDSA"}), jwt.WithStrictDecoding()}
	if issuer == "" {
		options = append(options, jwt.WithoutClaimsValidation())
	} else {
		options = append(options, jwt.WithIssuer(issuer), jwt.WithLeeway(time.Second))
		if in, err := Decode(token); err != nil || !isAnswer(in.Header) { // a signed answer has no exp (RFC 9701 §5)
			options = append(options, jwt.WithExpirationRequired())
		}
	}
	_, err := jwt.NewParser(options...).Parse(token, set.keyFor)
	var noKey noKeyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &noKey):
		return fmt.Errorf("the token is not accepted: %w", noKey)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errors.New("the token is not accepted: its signature is not by the key it names; it was changed or forged")
	case errors.Is(err, jwt.ErrTokenExpired):
		return errors.New("the token is not accepted: it has expired; ask for a new one")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return fmt.Errorf("the token is not accepted: its iss is not %q", issuer)
	}
	return fmt.Errorf("the token is not accepted: %w", err)
}

var errNotJSON = errors.New("it is not JSON of the expected form, or has a name twice")

// Unmarshal decodes JSON of a token, a key set or the metadata of a server. Names must be spelt exactly and occur once.
// The error does not quote the input.
func Unmarshal(data []byte, into any) error {
	if jose.Unmarshal(data, into) != nil {
		return errNotJSON
	}
	return nil
}

// ReadJSON is Unmarshal for a document of limited size.
func ReadJSON(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return err
	}
	return Unmarshal(data, into)
}
