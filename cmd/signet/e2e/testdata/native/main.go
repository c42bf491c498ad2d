// Command notes is an app on the user's machine. Its users sign in with their browser, which comes back to a port that the app
// listens on for that moment (RFC 8252). It is a public client: it has no secret, and PKCE protects the code (RFC 7636).
//
//	signet client create --id notes --public --grant authorization_code,refresh_token --scope openid,profile \
//	    --redirect-uri http://127.0.0.1/callback --post-logout-uri http://127.0.0.1/signed-out
//
// The two URIs have no port, so the app may use any.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

// app is the client. Its issuer and its ID are all that it is configured with.
type app struct {
	oauth2.Config
	provider *oidc.Provider
	file     string // has the tokens of the user who is signed in
}

// saved is the content of the file.
type saved struct {
	Token   *oauth2.Token `json:"token"`
	IDToken string        `json:"id_token"`
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: notes login|whoami|logout")
	}
	provider, err := oidc.NewProvider(ctx, os.Getenv("NOTES_ISSUER"))
	if err != nil {
		return err
	}
	a := &app{provider: provider, file: os.Getenv("NOTES_FILE")}
	a.ClientID, a.Scopes, a.Endpoint = os.Getenv("NOTES_CLIENT_ID"), []string{"openid", "profile"}, provider.Endpoint()
	a.Endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client has its ID alone
	switch args[0] {
	case "login":
		return a.login(ctx)
	case "whoami":
		return a.whoami(ctx)
	case "logout":
		return a.logout(ctx)
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// login sends the user to the sign-in page, and keeps the tokens.
func (a *app) login(ctx context.Context) error {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	answer, err := visit("/callback", func(self string) string {
		a.RedirectURL = self
		return a.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))
	})
	switch {
	case err != nil:
		return err
	case answer.Get("state") != state || answer.Get("iss") != os.Getenv("NOTES_ISSUER"):
		return errors.New("the answer is not to the request of this app")
	case answer.Get("error") != "":
		return fmt.Errorf("%s: %s", answer.Get("error"), answer.Get("error_description"))
	}
	token, err := a.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return err
	}
	user, err := a.keep(ctx, token)
	if err != nil {
		return err
	}
	if user.Nonce != nonce {
		return errors.New("the id_token is not of this login")
	}
	fmt.Println("signed in as", user.Subject)
	return nil
}

// whoami asks for the user, with a fresh access token where the kept one has expired.
func (a *app) whoami(ctx context.Context) error {
	kept, err := a.read()
	if err != nil {
		return err
	}
	token, err := a.TokenSource(ctx, kept.Token).Token()
	if err != nil {
		return fmt.Errorf("run notes login: %w", err)
	}
	if token.RefreshToken != kept.Token.RefreshToken { // the new one is kept before it is used
		if _, err := a.keep(ctx, token); err != nil {
			return err
		}
	}
	user, err := a.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return err
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	if err := user.Claims(&claims); err != nil {
		return err
	}
	fmt.Println(claims.Name)
	return nil
}

// logout signs the user out of this app, and of all others that they are signed in to with their browser.
func (a *app) logout(ctx context.Context) error {
	kept, err := a.read()
	if err != nil {
		return err
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := a.provider.Claims(&metadata); err != nil {
		return err
	}
	if _, err := visit("/signed-out", func(self string) string {
		return metadata.EndSession + "?" + url.Values{"id_token_hint": {kept.IDToken}, "post_logout_redirect_uri": {self}}.Encode()
	}); err != nil {
		return err
	}
	fmt.Println("signed out")
	return os.Remove(a.file)
}

// keep checks the id_token, which is from the issuer and for this app, and writes the file.
func (a *app) keep(ctx context.Context, token *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := token.Extra("id_token").(string)
	user, err := a.provider.VerifierContext(ctx, &oidc.Config{ClientID: a.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(saved{token, raw})
	if err != nil {
		return nil, err
	}
	return user, os.WriteFile(a.file, data, 0o600)
}

func (a *app) read() (kept saved, err error) {
	data, err := os.ReadFile(a.file)
	if err != nil {
		return kept, fmt.Errorf("run notes login: %w", err)
	}
	return kept, json.Unmarshal(data, &kept)
}

// visit shows the user an address to open, and returns the query with which their browser comes back to path of a port that the
// system has given out.
func visit(path string, address func(self string) string) (url.Values, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	came := make(chan url.Values, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "You can close this window.")
		select {
		case came <- r.URL.Query():
		default: // only the first one counts
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	fmt.Println("open", address("http://"+listener.Addr().String()+path))
	select {
	case query := <-came:
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return query, server.Shutdown(ctx) // when the browser has its page
	case <-time.After(5 * time.Minute):
		return nil, errors.Join(errors.New("the browser did not come back"), server.Close())
	}
}
