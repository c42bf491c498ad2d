package server_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/server/servertest"
	"signet/store"
)

// A library of others finds the endpoints, verifies id_tokens of every algorithm with their at_hash, and reads the claims.
func TestGoOIDC(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	withOpenID(t, s)
	setClaims(t, s, map[string]string{"email": `"ada@example.com"`, "email_verified": `true`})
	provider, err := oidc.NewProvider(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: servertest.Web, Now: s.Clock.Now})
	for _, alg := range []string{"ES256", "RS256"} {
		s.SetClient(t, servertest.Web, func(c *store.Client) { c.Alg = alg })
		app := oauth2.Config{ClientID: servertest.Web, ClientSecret: servertest.WebSecret, Endpoint: provider.Endpoint()}
		tokens, err := app.PasswordCredentialsToken(t.Context(), servertest.User, servertest.Password)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := tokens.Extra("id_token").(string)
		id, err := verifier.Verify(t.Context(), raw)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if err := id.VerifyAccessToken(tokens.AccessToken + "x"); err == nil {
			t.Errorf("%s: at_hash fits another access token", alg)
		}
		info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if info.Subject != id.Subject || info.Subject != s.UserID.String() || info.Email != "ada@example.com" || !info.EmailVerified {
			t.Errorf("%s: got %+v of %s", alg, info, id.Subject)
		}
		if _, err := verifier.Verify(t.Context(), tokens.AccessToken); err == nil {
			t.Errorf("%s: the access token passes as an id_token of the client", alg)
		}
	}
}
