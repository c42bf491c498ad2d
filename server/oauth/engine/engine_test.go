package engine

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/go-oauth2/oauth2/v4"
)

// fakeGrant is a grant of a client, which fails the test when it is executed.
type fakeGrant struct {
	t      *testing.T
	client string
	err    error // of Execute
}

func (g *fakeGrant) Client() (string, bool)         { return g.client, false }
func (g *fakeGrant) Session(string) (Session, bool) { return Session{Subject: "usr"}, true }
func (g *fakeGrant) Code(string) (Code, bool) {
	return Code{Subject: "usr", RedirectURI: "https://app.example/cb", Challenge: challenge}, true
}
func (g *fakeGrant) Check() error  { return nil }
func (g *fakeGrant) Narrow() error { return nil }
func (g *fakeGrant) Execute() (Tokens, error) {
	if g.err == nil {
		g.t.Error("the grant was executed")
	}
	return Tokens{}, g.err
}

// verifier and challenge are those of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var grantTypes = []string{"authorization_code", "password", "refresh_token", "client_credentials"}

// A request that did not come through Run must end in the library's refusal, whatever the grant: v4.5.4 by itself
// authenticates no client on refresh.
func TestEngineFailsClosed(t *testing.T) {
	e := New()
	for _, grantType := range grantTypes {
		for name, ctx := range map[string]context.Context{"no grant": t.Context(), "no client": context.WithValue(t.Context(), grantKey{}, Grant(&fakeGrant{t: t}))} {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/token", nil)
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.server.GetAccessToken(ctx, oauth2.GrantType(grantType),
				&oauth2.TokenGenerateRequest{ClientID: "web", UserID: "usr", Refresh: "x", Code: "x", RedirectURI: "https://app.example/cb", CodeVerifier: verifier, Scope: "profile", Request: r})
			if err == nil || info != nil {
				t.Errorf("%s, %s: got %v, %v, want a refusal", grantType, name, info, err)
			}
		}
	}
	if _, _, err := (issuer{}).Token(t.Context(), &oauth2.GenerateBasic{}, true); err == nil {
		t.Error("the issuer issued without a grant")
	}
}

// An unauthenticated request is one without a client; a client of another name does not stand in for it.
func TestClientsAnswerForTheAuthenticatedOneOnly(t *testing.T) {
	for name, g := range map[string]*fakeGrant{"no client": {}, "other client": {client: "spa"}, "empty context": nil} {
		ctx := t.Context()
		if g != nil {
			ctx = context.WithValue(ctx, grantKey{}, Grant(g))
		}
		if info, err := (clients{}).GetByID(ctx, "web"); info != nil || err != nil {
			t.Errorf("%s: got %v, %v, want nil, nil", name, info, err)
		}
	}
}

// The library compares errors by identity and panics on some types; what comes back through it must come back as it
// was.
func TestErrorsOfGrantsPassThrough(t *testing.T) {
	ours := errors.New("store on fire")
	for _, grantType := range grantTypes {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = New().Run(t.Context(), Request{HTTP: r, GrantType: grantType, Refresh: "x", Code: "x", RedirectURI: "https://app.example/cb", Verifier: verifier}, &fakeGrant{t: t, client: "web", err: ours})
		if !errors.Is(err, ours) {
			t.Errorf("%s: got %v, want %v", grantType, err, ours)
		}
	}
	var refused *RefusedError
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
	_, err := New().Run(t.Context(), Request{HTTP: r, GrantType: "device_code"}, &fakeGrant{t: t, client: "web"})
	if !errors.As(err, &refused) || refused.Refusal != UnauthorizedClient {
		t.Errorf("another grant: got %v", err)
	}
}

// The library compares redirect URI and verifier once more: a code that the caller did not check is refused before anything is
// changed.
func TestCodesAreCheckedTwice(t *testing.T) {
	for name, r := range map[string]Request{
		"another redirect URI":           {Code: "x", RedirectURI: "https://app.example/cb/", Verifier: verifier},
		"no redirect URI":                {Code: "x", Verifier: verifier},
		"a redirect URI that is no URI":  {Code: "x", RedirectURI: "https://app.example/%", Verifier: verifier},
		"another verifier":               {Code: "x", RedirectURI: "https://app.example/cb", Verifier: challenge},
		"no verifier":                    {Code: "x", RedirectURI: "https://app.example/cb"},
		"the challenge for its verifier": {Code: "x", RedirectURI: "https://app.example/cb", Verifier: challenge},
		"a verifier with a line break":   {Code: "x", RedirectURI: "https://app.example/cb", Verifier: verifier + "\n"},
		"a verifier that is cut short":   {Code: "x", RedirectURI: "https://app.example/cb", Verifier: verifier[:42]},
	} {
		r.GrantType = "authorization_code"
		r.HTTP, _ = http.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
		var refused *RefusedError
		if _, err := New().Run(t.Context(), r, &fakeGrant{t: t, client: "web"}); !errors.As(err, &refused) || refused.Refusal != InvalidGrant {
			t.Errorf("%s: got %v, want a refusal of the grant", name, err)
		}
	}
}
