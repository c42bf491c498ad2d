package clientauth

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/keys/jose"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// assertionType is what client_assertion_type must be (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// assertionLife is how long an assertion is taken: from its iat on, or, where it has none, until its exp,
	// which then may lie no further ahead. An assertion is made for one request, so minutes are plenty; each
	// one has to be remembered until then.
	assertionLife = 5 * time.Minute
	// assertionExpiry is how far ahead the exp of one with an iat may lie. Some libraries always write an hour.
	assertionExpiry = time.Hour
	// assertionSkew is how much the client's clock may be ahead of ours.
	assertionSkew = 30 * time.Second

	maxJTI = 256 // bytes
)

// assertionTypes are the values of the header's typ, in lower case, with which a JWT may be a client
// assertion (RFC 7519 §5.1, RFC 8725 §3.11): above all not at+jwt, which is an access token.
var assertionTypes = []string{"", "jwt", "client-authentication+jwt"}

// assertion is the content of a client_assertion.
type assertion struct {
	jws     *jose.JWS
	client  string // iss and sub
	jti     string
	expires time.Time // from then on it is not taken
}

// readAssertion takes the assertion from the body and refuses a second way to authenticate beside it.
func readAssertion(f edge.Form, header bool) (credentials, error) {
	creds := credentials{id: f.Get("client_id"), assertion: f.Get("client_assertion"), method: PrivateKeyJWT}
	switch kind := f.Get("client_assertion_type"); {
	case kind == "" || creds.assertion == "":
		return credentials{}, edge.InvalidRequest("client_assertion and client_assertion_type go together")
	case kind != assertionType:
		return credentials{}, edge.InvalidRequest("client_assertion_type must be " + assertionType)
	case header || f.Get("client_secret") != "":
		return credentials{}, edge.InvalidRequest("send either a client_assertion or the client's secret, not both")
	}
	return creds, nil
}

// authenticateByAssertion is private_key_jwt (RFC 7521 §4.2, RFC 7523 §3). What can be refused by
// looking at the token alone is, first; then its signature is verified, at the same cost for a client
// that does not exist; and the last step marks it as used, so that what has failed may be sent again.
func (a *Authenticator) authenticateByAssertion(r *edge.Request, creds credentials) (*store.Client, error) {
	given, err := a.parseAssertion(creds.assertion, r.Begun)
	if err != nil {
		return nil, a.rejectAssertion(r, cmp.Or(creds.id, given.client), err)
	}
	if creds.id != "" && creds.id != given.client {
		return nil, edge.InvalidRequest("client_id differs from the sub of the client_assertion; leave it out, or make them equal")
	}
	client, err := a.candidate(r, given.client)
	if err != nil {
		return nil, err
	}
	if why := given.mismatch(client); why != "" {
		return nil, a.reject(r, client, given.client, why)
	}
	if err := a.use(r, client, given); err != nil {
		return nil, err
	}
	return &client.Client, nil
}

// rejectAssertion refuses an assertion that is invalid for every client.
func (a *Authenticator) rejectAssertion(r *edge.Request, id string, why error) error {
	client, err := a.candidate(r, id)
	if err != nil {
		return err
	}
	return a.reject(r, client, id, "client assertion: "+why.Error())
}

// mismatch returns, for the log, why the assertion is not one of the client, or "" if it is.
func (a assertion) mismatch(client candidate) string {
	unverified := client.keySet.Verify(a.jws) // also for a client that does not exist
	switch {
	case client.ID == "" || client.ID != a.client:
		return noSuchClient
	case client.Disabled:
		return "client is disabled"
	case client.Public:
		return "a public client sent a client assertion"
	case !slices.Contains(client.AuthMethods, PrivateKeyJWT):
		return "client is not registered for " + PrivateKeyJWT
	case unverified != nil:
		return "client assertion: " + unverified.Error()
	}
	return ""
}

// use marks the assertion as used, so that it authenticates once (RFC 7523 §3, item 7). It is remembered for longer than
// it is valid: the clocks of two replicas and the store's may differ, and no replica may accept what another has
// forgotten.
func (a *Authenticator) use(r *edge.Request, client candidate, given assertion) error {
	until := given.expires.Add(2 * a.cfg.ClockSkew())
	err := a.cfg.Store.UseAssertion(r.Context(), given.id(), until)
	switch {
	case errors.Is(err, store.ErrExists):
		return a.reject(r, client, given.client, "client assertion: it was used before (its jti is known); make one for each request, also for a repeated one")
	case err != nil:
		return edge.Unavailable(fmt.Errorf("spending a client assertion: %w", err))
	}
	return nil
}

// id returns what is remembered of the assertion. Each client has its own jti values; no client id holds a NUL.
func (a assertion) id() store.AssertionID {
	sum := sha256.Sum256([]byte(a.client + "\x00" + a.jti))
	return store.AssertionID(sum[:len(store.AssertionID{})])
}

// parseAssertion reads the token and checks all of RFC 7523 §3 that its own text decides. With an
// error it returns what was read until then.
func (a *Authenticator) parseAssertion(token string, now time.Time) (assertion, error) {
	jws, err := jose.ParseJWS(token)
	if err != nil {
		return assertion{}, err
	}
	typ := strings.TrimPrefix(strings.ToLower(jws.Typ), "application/")
	if !slices.Contains(assertionTypes, typ) || jws.Typ != "" && typ == "" {
		return assertion{}, fmt.Errorf("typ %s is not that of a client assertion; it must be JWT or client-authentication+jwt, or be left out", edge.QuoteShort(jws.Typ))
	}
	given := assertion{jws: jws}
	if given.client, err = assertionClient(jws.Claims); err != nil {
		return given, err
	}
	if err := a.checkAssertionAudience(jws.Claims["aud"]); err != nil {
		return given, err
	}
	if given.expires, err = checkAssertionTimes(jws.Claims, now); err != nil {
		return given, err
	}
	given.jti, _ = jose.ClaimText(jws.Claims["jti"])
	if given.jti == "" || len(given.jti) > maxJTI {
		return given, fmt.Errorf("jti must be a string of 1 to %d bytes, another one each time", maxJTI)
	}
	return given, nil
}

// assertionClient returns the issuer and subject of the assertion, which must be the same (RFC 7523 §3, items 1 and 2.B).
func assertionClient(claims map[string]json.RawMessage) (string, error) {
	iss, _ := jose.ClaimText(claims["iss"])
	sub, _ := jose.ClaimText(claims["sub"])
	if iss != sub || !syntax.ClientID(sub) {
		return "", errors.New("iss and sub must both be the client_id")
	}
	return sub, nil
}

// checkAssertionAudience wants the issuer as the sole value: an assertion that another server may take
// for its own could be carried there, or here (RFC 10070 §4; CVE-2025-27370). An array with the issuer and
// nothing else means the same as the string.
func (a *Authenticator) checkAssertionAudience(raw json.RawMessage) error {
	issuer := a.cfg.Issuer
	aud, isText := jose.ClaimText(raw)
	var list []json.RawMessage
	if !isText && json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		aud, isText = jose.ClaimText(list[0])
	}
	switch {
	case isText && aud == issuer:
		return nil
	case raw == nil:
		return fmt.Errorf("aud is missing; it must be the issuer, %q", issuer)
	case !isText:
		return fmt.Errorf("aud is neither a string nor an array of one; it must be the issuer alone, %q", issuer)
	case aud == issuer+"/token" || aud == issuer+"/revoke" || aud == issuer+"/introspect":
		return fmt.Errorf("aud is the URL of the endpoint, as older libraries have it; it must be the issuer, %q: update the library, or set its audience", issuer)
	}
	return fmt.Errorf("aud is %s; it must be the issuer, %q, to the letter", edge.QuoteShort(aud), issuer)
}

// checkAssertionTimes returns when the assertion ceases to be taken.
func checkAssertionTimes(claims map[string]json.RawMessage, now time.Time) (time.Time, error) {
	exp, err := jose.ClaimTime(claims, "exp")
	if err != nil {
		return time.Time{}, err
	}
	made, err := jose.ClaimTime(claims, "iat")
	if err != nil {
		return time.Time{}, err
	}
	furthest, until := assertionLife, exp
	if !made.IsZero() {
		furthest = assertionExpiry
		if last := made.Add(assertionLife); last.Before(exp) {
			until = last
		}
	}
	switch {
	case exp.IsZero():
		return time.Time{}, errors.New("exp is missing")
	case !exp.After(now):
		return time.Time{}, fmt.Errorf("it expired %s ago; is the client's clock right?", now.Sub(exp).Round(time.Second))
	case exp.After(now.Add(furthest + assertionSkew)):
		return time.Time{}, fmt.Errorf("exp lies %s ahead; at most %s are accepted, or with an iat %s", exp.Sub(now).Round(time.Second), assertionLife, assertionExpiry)
	case !until.After(now):
		return time.Time{}, fmt.Errorf("its iat was %s ago; it is taken for %s from then on; is the client's clock right?", now.Sub(made).Round(time.Second), assertionLife)
	}
	for _, name := range []string{"nbf", "iat"} {
		begin, err := jose.ClaimTime(claims, name)
		if err != nil {
			return time.Time{}, err
		}
		if begin.After(now.Add(assertionSkew)) {
			return time.Time{}, fmt.Errorf("%s lies %s ahead; is the client's clock right?", name, begin.Sub(now).Round(time.Second))
		}
	}
	return until, nil
}
