package inspect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// maxToken bounds the input, in bytes.
const maxToken = 1 << 20

// Token is a decoded token and the results of its checks.
type Token struct {
	Header    json.RawMessage `json:"header"`
	Claims    json.RawMessage `json:"claims"`
	Expired   bool            `json:"expired"`
	Signature string          `json:"signature"` // "not checked" or "valid"; an invalid one is an error
	KeySet    string          `json:"jwks_uri,omitempty"`
	Audience  string          `json:"audience,omitempty"` // with --audience: "this service's" or "not this service's"
}

// New returns the command `signet token`.
func New(app *cli.App) *cobra.Command {
	return cli.Group("token", "Show and check a token, or sign a client's assertion",
		"Show and check a token, or sign the assertion by which a client without a secret authenticates.", tokenInspect(app), tokenAssertion(app))
}

func tokenInspect(app *cli.App) *cobra.Command {
	var issuer, jwks, audience string
	cmd := &cobra.Command{
		Use:   "inspect [TOKEN]",
		Short: "Show an access token and check its signature",
		Long: "Show the header and the claims of an access token, or of a signed introspection response (RFC 9701).\n" +
			"Without --issuer and --jwks nothing is checked and no network is used: the token may be forged. With one\n" +
			"of them the signature is checked, and with --issuer also the issuer and the times. The exit status is 1\n" +
			"if a check fails.\n\n" +
			"A valid token is a secret. Give it on standard input: an argument is in the process list and in the\n" +
			"shell's history.",
		Example: "signet token inspect < token.txt\nsignet token inspect --issuer https://auth.example.com --audience https://api.example.com < token.txt",
		Args:    cli.ArgsRange(0, "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := readToken(app, args)
			if err != nil {
				return err
			}
			in, err := Decode(token)
			if err != nil {
				return err
			}
			return showToken(cmd.Context(), app, token, in, issuer, jwks, audience)
		},
	}
	cmd.Flags().StringVar(&issuer, "issuer", "", "check it with the keys of the issuer at `URL`")
	cmd.Flags().StringVar(&jwks, "jwks", "", "check it with the key set at `URL`")
	cmd.Flags().StringVar(&audience, "audience", "", "check that aud is `AUD` or has it")
	return cmd
}

func readToken(app *cli.App, args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return strings.TrimSpace(args[0]), nil
	}
	data, err := io.ReadAll(io.LimitReader(app.In, maxToken))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(bytes.TrimPrefix(data, cli.ByteOrderMark)))
	if token == "" {
		return "", cli.Usagef("there is no token on standard input; see `signet token inspect --help`")
	}
	return token, nil
}

// Decode decodes a token without verifying it.
func Decode(token string) (Token, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Token{}, errors.New("this is not a JWT; refresh tokens and client secrets can be read by the server only")
	}
	header, err := decodePart("header", parts[0])
	if err != nil {
		return Token{}, err
	}
	claims, err := decodePart("claims", parts[1])
	if err != nil {
		return Token{}, err
	}
	return Token{Header: header, Claims: claims, Signature: "not checked"}, nil
}

// decodePart decodes a JSON object. The error does not quote it, because it may be part of a secret.
func decodePart(name, part string) (json.RawMessage, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("this is not a JWT: its %s is not base64url; was it copied as a whole?", name)
	}
	var object map[string]json.RawMessage
	if err := Unmarshal(raw, &object); err != nil || object == nil {
		return nil, fmt.Errorf("this is not a JWT: its %s is not a JSON object", name)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, fmt.Errorf("this is not a JWT: its %s is not JSON", name)
	}
	return compact.Bytes(), nil
}

// showToken prints the token, and then returns an error if a check failed: a token that is refused must be shown too.
func showToken(ctx context.Context, app *cli.App, token string, in Token, issuer, jwks, audience string) error {
	now := time.Now()
	var failed error
	if issuer != "" || jwks != "" {
		in.KeySet, failed = verifyToken(ctx, token, issuer, jwks)
		in.Signature = "valid"
		if failed != nil {
			in.Signature = "not accepted"
		}
	}
	if audience != "" {
		err := checkAudience(in.Claims, audience)
		in.Audience = "this service's"
		if err != nil {
			in.Audience = "not this service's"
		}
		failed = errors.Join(failed, err)
	}
	exp, hasExp := Times(in.Claims)["exp"]
	in.Expired = hasExp && !now.Before(exp)
	if err := app.Print(in, func(w io.Writer) { in.write(w, now) }); err != nil {
		return err
	}
	return failed
}

// checkAudience compares aud byte for byte, as services must. It is a string or an array of strings (RFC 7519 §4.1.3).
func checkAudience(claims json.RawMessage, want string) error {
	var c struct {
		Audience json.RawMessage `json:"aud"`
	}
	var one string
	var several []string
	if json.Unmarshal(claims, &c) != nil || c.Audience == nil {
		return fmt.Errorf("the token is not for %q: it has no aud", want)
	}
	switch {
	case json.Unmarshal(c.Audience, &one) == nil:
		several = []string{one}
	case json.Unmarshal(c.Audience, &several) != nil:
		return fmt.Errorf("the token is not for %q: its aud is neither a string nor an array of strings", want)
	}
	if !slices.Contains(several, want) {
		return fmt.Errorf("the token is not for %q: its aud is %s", want, plainJSON(c.Audience))
	}
	return nil
}

// Times returns the claims of an object that are times.
func Times(object json.RawMessage) map[string]time.Time {
	var claims map[string]any
	times := map[string]time.Time{}
	if json.Unmarshal(object, &claims) != nil {
		return times
	}
	for _, name := range []string{"iat", "nbf", "exp", "auth_time"} {
		if seconds, ok := claims[name].(float64); ok && seconds > 0 && seconds < 1e11 {
			times[name] = time.UnixMilli(int64(seconds * 1000)).UTC()
		}
	}
	return times
}

func (in Token) write(w io.Writer, now time.Time) {
	cli.Row(w, "HEADER")
	writeMembers(w, in.Header, now)
	cli.Row(w)
	cli.Row(w, "CLAIMS")
	claims, answer := in.takeApart()
	writeMembers(w, claims, now)
	cli.Row(w)
	if answer != nil {
		cli.Row(w, "ANSWER")
		writeMembers(w, answer, now)
		cli.Row(w)
		cli.Row(w, "this is", "the signed answer of an introspection (RFC 9701), not an access token")
	}
	cli.Row(w, "signature", in.verdict())
	if in.Audience != "" {
		cli.Row(w, "audience", in.Audience)
	}
	if exp, ok := Times(in.Claims)["exp"]; ok && in.Expired {
		cli.Row(w, "expired", cli.Relative(exp, now))
	}
}

// takeApart returns the claims without the introspection response in them, and that response.
func (in Token) takeApart() (claims, answer json.RawMessage) {
	const name = "token_introspection"
	var all, inner map[string]json.RawMessage
	if !isAnswer(in.Header) || json.Unmarshal(in.Claims, &all) != nil || json.Unmarshal(all[name], &inner) != nil || inner == nil {
		return in.Claims, nil
	}
	answer = all[name]
	delete(all, name)
	claims, _ = json.Marshal(all) // what was just read always encodes
	return claims, answer
}

// isAnswer reports whether the header is that of a signed introspection response (RFC 9701 §5). RFC 7515 §4.1.9 allows
// several spellings of typ.
func isAnswer(header json.RawMessage) bool {
	var h struct {
		Typ string `json:"typ"`
	}
	if Unmarshal(header, &h) != nil {
		return false
	}
	return strings.TrimPrefix(strings.ToLower(h.Typ), "application/") == "token-introspection+jwt"
}

func (in Token) verdict() string {
	switch in.Signature {
	case "valid":
		return "valid, by " + in.KeySet
	case "not checked":
		return "not checked; give --issuer or --jwks to check it"
	default:
		return in.Signature
	}
}

func writeMembers(w io.Writer, object json.RawMessage, now time.Time) {
	times := Times(object)
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if t, ok := times[name]; ok {
			cli.Row(w, "  "+name, cli.FormatTime(t)+" ("+cli.Relative(t, now)+")")
			continue
		}
		cli.Row(w, "  "+name, plainJSON(members[name]))
	}
}

// plainJSON writes a string without quotes, and other values as JSON.
func plainJSON(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && s != "" {
		return s
	}
	return string(raw)
}
