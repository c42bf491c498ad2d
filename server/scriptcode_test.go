package server_test

import (
	"crypto/rand"
	"strings"
	"time"

	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// verifierOfRFC and its challenge are those of RFC 7636, appendix B.
const (
	verifierOfRFC  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeOfRFC = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// code returns an authorization code of a client for ada, who has signed in a second ago in a browser of which the session is new, and sets
// $verifier: "code c spa scope=profile". Arguments change it.
func (sc *script) code(args []string) string {
	ctx, now := sc.Context(), sc.stage.Clock.Now()
	client, err := sc.stage.Store.Client(ctx, args[0])
	sc.must(err)
	user, err := sc.stage.Store.User(ctx, sc.stage.UserID)
	sc.must(err)
	c := token.Code{UserID: user.ID, UserEpoch: user.Epoch, ClientID: client.ID, ClientEpoch: client.Epoch, RedirectURI: "https://app.example.com/cb", Challenge: challengeOfRFC,
		Scope: strings.Join(client.Scopes, " "), Audience: client.Audiences, AMR: []string{"pwd"}, ACR: "1", AuthTime: now.Add(-time.Second), Expires: now.Add(token.CodeLife)}
	browser := store.Session{UserID: user.ID, ClientID: syntax.BrowserClient, StartedAt: c.AuthTime}
	rand.Read(browser.ID[:])
	rand.Read(c.SessionID[:])
	_, _, err = sc.stage.Store.StartSession(ctx, browser, store.SessionLimits{})
	sc.must(err)
	c.Browser, sc.browser = browser.ID, browser
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
	sealer, err := token.NewSealer(sc.stage.Config.RefreshKeys, func() int { return 0 })
	sc.must(err)
	sc.ts.Setenv("verifier", verifierOfRFC)
	return sealer.SealCode(c)
}

// signOut ends the session of the browser in which the last code was made.
func (sc *script) signOut([]string) {
	_, err := sc.stage.Store.RevokeSession(sc.Context(), sc.browser.UserID, sc.browser.ID)
	sc.must(err)
}

func (sc *script) must(err error) {
	if err != nil {
		sc.Fatal(err)
	}
}
