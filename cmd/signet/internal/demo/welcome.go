package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"text/template"

	"signet/cmd/signet/internal/cli"
	"signet/server/authorize"
)

// Print writes commands to try the demo, or with -o json one line. Fresh is of Open.
func (d Demo) Print(app *cli.App, fresh bool, dir string) error {
	if app.JSON() {
		return app.PrintJSON(d)
	}
	var text strings.Builder
	verifier := rand.Text() + rand.Text() // 52 characters (RFC 7636 §4.1)
	callback := origins[0] + callbackPath
	err := welcome.Execute(&text, struct {
		Demo
		Fresh    bool
		Dir      string
		SignIn   string // the address of a sign-in to the public client
		Callback string // where its code comes back
		Verifier string // for which the code is good
	}{d, fresh, dir, signInURL(d.Issuer, callback, verifier), callback, verifier})
	if err != nil {
		return fmt.Errorf("writing the greeting: %w", err)
	}
	_, err = fmt.Fprint(app.Out, text.String())
	return err
}

// signInURL is the authorization request of an app (RFC 6749 §4.1.1, RFC 7636 §4.3).
func signInURL(issuer, callback, verifier string) string {
	challenge := sha256.Sum256([]byte(verifier))
	return issuer + authorize.Path + "?client_id=" + PublicClient + "&response_type=code&scope=openid+profile&redirect_uri=" + url.QueryEscape(callback) +
		"&state=" + rand.Text()[:8] + "&code_challenge_method=S256&code_challenge=" + base64.RawURLEncoding.EncodeToString(challenge[:])
}

// welcome has commands that a test runs as they are printed.
var welcome = template.Must(template.New("greeting").Parse(`Signet is running for development at {{.Issuer}}
{{- if .Fresh}}
Everything is in {{.Dir}}; the next start finds it again.
{{- end}}
This is not for production: plain HTTP, demo secrets in {{.Dir}}/demo.json. For that: signet init --help

  user           {{.Username}} / {{.Password}}
  browser app    {{.PublicClient}} (no secret; OpenID Connect, codes with PKCE)
  server app     {{.ClientID}} / {{.ClientSecret}}
  account        {{.Issuer}}/account
  key set        {{.Issuer}}/.well-known/jwks.json

An app in a browser or on a phone sends its users to the sign-in page. Open this address:

  {{.SignIn}}

The browser goes on to {{.Callback}}, where your app will be. Copy the code from that address; it is good for a
minute. The app exchanges it for tokens:

  CODE=
  PKCE={{.Verifier}}
  curl -s {{.Issuer}}/token -d client_id={{.PublicClient}} -d grant_type=authorization_code -d redirect_uri={{.Callback}} -d code_verifier=$PKCE -d code=$CODE

An app with a login form of its own sends the password. Paste this into another terminal:

  TOKENS=$(curl -s {{.Issuer}}/token -u '{{.ClientID}}:{{.ClientSecret}}' -d grant_type=password -d username={{.Username}} -d password={{.Password}})
  echo "$TOKENS"
  ACCESS=$(echo "$TOKENS" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  REFRESH=$(echo "$TOKENS" | sed 's/.*"refresh_token":"\([^"]*\)".*/\1/')

Ask who the token's user is:

  curl -s {{.Issuer}}/userinfo -H "Authorization: Bearer $ACCESS"

Get the next tokens when the access token has run out:

  curl -s {{.Issuer}}/token -u '{{.ClientID}}:{{.ClientSecret}}' -d grant_type=refresh_token -d refresh_token="$REFRESH"

Sign the user out:

  curl -s -i {{.Issuer}}/revoke -u '{{.ClientID}}:{{.ClientSecret}}' -d token="$REFRESH"

A service verifies tokens by itself. FastAPI, for example (pip install fastapi pyjwt[crypto] uvicorn):

  import jwt
  from fastapi import Depends, FastAPI, HTTPException
  from fastapi.security import OAuth2PasswordBearer

  app = FastAPI()
  oauth2_scheme = OAuth2PasswordBearer(tokenUrl="{{.Issuer}}/token")
  jwks = jwt.PyJWKClient("{{.Issuer}}/.well-known/jwks.json")


  @app.get("/users/me")
  def read_users_me(token: str = Depends(oauth2_scheme)):
      try:
          key = jwks.get_signing_key_from_jwt(token).key
          claims = jwt.decode(token, key, algorithms=["ES256"], audience="{{.Issuer}}", issuer="{{.Issuer}}", leeway=30,
                              options={"require": ["exp", "iss", "aud", "sub"]})
          if jwt.get_unverified_header(token).get("typ") != "at+jwt":
              raise jwt.InvalidTokenError("not an access token")
      except jwt.PyJWTError:
          raise HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
      return {"sub": claims["sub"], "username": claims.get("preferred_username")}

Ctrl-C stops the server.
`))
