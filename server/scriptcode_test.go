package server_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// verifierOfRFC and its challenge are those of RFC 7636, appendix B.
const (
	verifierOfRFC  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeOfRFC = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// makeCode returns an authorization code of a client for ada, who has signed in a second ago in a browser of which the session is new, as
// change, which may be nil, has it.
func makeCode(t testing.TB, s *servertest.Server, records store.Store, clientID string, change func(*token.Code)) (code string, browser store.Session) {
	t.Helper()
	ctx, now := t.Context(), s.Clock.Now()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	client, err := records.Client(ctx, clientID)
	must(err)
	user, err := records.User(ctx, s.UserID)
	must(err)
	c := token.Code{UserID: user.ID, UserEpoch: user.Epoch, ClientID: client.ID, ClientEpoch: client.Epoch, RedirectURI: "https://app.example.com/cb",
		Challenge: challengeOfRFC, Scope: strings.Join(client.Scopes, " "), Audience: client.Audiences, AMR: []string{"pwd"}, ACR: "1",
		AuthTime: now.Add(-time.Second), Expires: now.Add(token.CodeLife)}
	browser = store.Session{UserID: user.ID, ClientID: syntax.BrowserClient, StartedAt: c.AuthTime}
	rand.Read(browser.ID[:])
	rand.Read(c.SessionID[:])
	_, _, err = records.StartSession(ctx, browser, store.SessionLimits{})
	must(err)
	c.Browser = browser.ID
	if change != nil {
		change(&c)
	}
	sealer, err := token.NewSealer([][32]byte{{1}}, func() int { return 0 }) // as servertest has it
	must(err)
	return sealer.SealCode(c), browser
}

// code sets a variable to a code of makeCode, and $verifier: "code c spa scope=profile". Arguments change it.
func (sc *script) code(args []string) (code string) {
	sc.ts.Setenv("verifier", verifierOfRFC)
	code, sc.browser = makeCode(sc, sc.stage.Server, sc.stage.Store, args[0], func(c *token.Code) {
		for _, word := range args[1:] {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "redirect_uri":
				c.RedirectURI = value
			case "challenge":
				c.Challenge = value
			case "scope":
				c.Scope = value
			case "audience":
				c.Audience = strings.Split(value, ",")
			case "nonce":
				c.Nonce = value
			case "browser":
				c.Browser = store.SessionID{}
			default:
				sc.Fatalf("a code has no %s", name)
			}
		}
	})
	return code
}

// signOut ends the session of the browser in which the last code was made.
func (sc *script) signOut([]string) {
	if _, err := sc.stage.Store.RevokeSession(sc.Context(), sc.browser.UserID, sc.browser.ID); err != nil {
		sc.Fatal(err)
	}
}
