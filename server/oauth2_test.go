package server

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/go-oauth2/oauth2/v4"

	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// A call that did not come through the edge must end in the library's refusal, whatever the grant:
// v4.5.4 by itself authenticates no client on refresh.
func TestEngineFailsClosed(t *testing.T) {
	consumed := false
	s := &Server{}
	e := newEngine(s)
	for _, grant := range syntax.GrantTypes {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.server.GetAccessToken(t.Context(), oauth2.GrantType(grant),
			&oauth2.TokenGenerateRequest{ClientID: "web", UserID: "usr", Refresh: "x", Scope: "profile", Request: r})
		if err == nil || info != nil || consumed {
			t.Errorf("%s without the edge: got %v, %v, want a refusal", grant, info, err)
		}
	}
	if _, _, err := (engineIssuer{s}).Token(t.Context(), &oauth2.GenerateBasic{}, true); err == nil {
		t.Error("the issuer issued without a granting")
	}
}

// An unauthenticated call is one without a client; a client of another name does not stand in for it.
func TestEngineClientsAnswerForTheAuthenticatedOneOnly(t *testing.T) {
	for name, g := range map[string]*granting{
		"no client":     {Request: &edge.Request{}},
		"other client":  {Request: &edge.Request{}, client: &store.Client{ID: "spa"}},
		"empty context": nil,
	} {
		ctx := t.Context()
		if g != nil {
			ctx = context.WithValue(ctx, grantingKey{}, g)
		}
		if info, err := (engineClients{}).GetByID(ctx, "web"); info != nil || err != nil {
			t.Errorf("%s: got %v, %v, want nil, nil", name, info, err)
		}
	}
}

// The library compares errors by identity and panics on some types; what comes back through it must
// come back as it was.
func TestEngineErrorPassesOursThrough(t *testing.T) {
	ours := errInvalidRefreshToken.Because("reason")
	if got := engineError(ours); got != error(ours) {
		t.Errorf("got %v, want %v", got, ours)
	}
	if got := asError(engineError(errors.New("store on fire"))); got.Status != http.StatusInternalServerError {
		t.Errorf("unknown error: got %d", got.Status)
	}
}
