package demo

import (
	"fmt"
	"strings"
	"text/template"

	"signet/cmd/signet/internal/cli"
)

// Print writes commands to try the demo, or with -o json one line. Fresh is of Open.
func (d Demo) Print(app *cli.App, fresh bool, dir string) error {
	if app.JSON() {
		return app.PrintJSON(d)
	}
	var text strings.Builder
	err := welcome.Execute(&text, struct {
		Demo
		Fresh bool
		Dir   string
		Scope string
	}{d, fresh, dir, strings.Join(d.Scopes, " ")})
	if err != nil {
		return fmt.Errorf("writing the greeting: %w", err)
	}
	_, err = fmt.Fprint(app.Out, text.String())
	return err
}

// welcome has commands that a test runs as they are printed.
var welcome = template.Must(template.New("greeting").Parse(`Signet is running for development at {{.Issuer}}
{{- if .Fresh}}
Everything is in {{.Dir}}; the next start finds it again.
{{- end}}
This is not for production: plain HTTP, demo secrets in {{.Dir}}/demo.json. For that: signet init --help

  user           {{.Username}} / {{.Password}}
  app            {{.ClientID}} / {{.ClientSecret}}
  public app     {{.PublicClient}} (no secret)
  key set        {{.Issuer}}/.well-known/jwks.json

Paste this into another terminal. Log the user in:

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
