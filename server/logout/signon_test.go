package logout_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
	"signet/store"
)

const verifier = "a-code-verifier-of-more-than-forty-three-characters"

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// authorization is an authorization request of an app.
func authorization(app, prompt string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{"response_type": {"code"}, "client_id": {app}, "redirect_uri": {"https://" + app + ".example/cb"}, "scope": {"openid"}, "state": {"s"},
		"nonce": {"of " + app}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "prompt": {prompt}}
}

// code returns the code that a browser takes to the app.
func code(t *testing.T, app string, a answer) string {
	t.Helper()
	u, err := url.Parse(a.location)
	if err != nil || !strings.HasPrefix(a.location, "https://"+app+".example/cb?") || u.Query().Get("code") == "" {
		t.Fatalf("%s: got %d to %q\n%s", app, a.status, a.location, a.page)
	}
	return u.Query().Get("code")
}

// One sign-in is for two apps, each with an id_token of its own, and one logout ends both and the browser's.
func TestSignInAtOneAppSignOutAtAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	apps := map[string]string{servertest.Web: servertest.WebSecret, servertest.Other: servertest.OtherSecret}
	for app := range apps {
		r.SetClient(t, app, func(c *store.Client) {
			c.Grants = append(c.Grants, "authorization_code")
			c.Scopes, c.RedirectURIs, c.PostLogoutURIs = append(c.Scopes, "openid"), []string{"https://" + app + ".example/cb"}, []string{back}
		})
	}
	v := r.stranger()
	page := v.get("/authorize", authorization(servertest.Web, ""))
	found := requestField.FindStringSubmatch(page.page)
	if found == nil {
		t.Fatalf("no sign-in page: %d\n%s", page.status, page.page)
	}
	signedIn := r.Clock.Now()
	first := code(t, servertest.Web, v.post("/sign-in", url.Values{"request": {found[1]}, "username": {servertest.User}, "password": {servertest.Password}}, "same-origin"))
	r.Clock.Add(5 * time.Second)
	second := code(t, servertest.Other, v.get("/authorize", authorization(servertest.Other, "none")))
	tokens := map[string]servertest.Answer{}
	for app, got := range map[string]string{servertest.Web: first, servertest.Other: second} {
		a := r.Form(t, "/token", "grant_type=authorization_code", "code="+got, "redirect_uri=https://"+app+".example/cb", "code_verifier="+verifier).
			Basic(app, apps[app]).Wants(http.StatusOK, "")
		_, id := servertest.DecodeJWT(t, a.Str("id_token"))
		if id["nonce"] != "of "+app || id["aud"] != app || id["auth_time"] != float64(signedIn.Unix()) || id["acr"] != "1" || id["sub"] != r.UserID.String() {
			t.Errorf("%s: got id_token %v", app, id)
		}
		r.Call(t, "GET", "/userinfo").Bearer(a.Str("access_token")).Wants(http.StatusOK, "")
		refreshed := r.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+a.Str("refresh_token")).Basic(app, apps[app]).Wants(http.StatusOK, "")
		_, again := servertest.DecodeJWT(t, refreshed.Str("id_token"))
		if _, has := again["nonce"]; has || again["auth_time"] != id["auth_time"] || again["acr"] != "1" || again["sid"] != id["sid"] {
			t.Errorf("%s, refreshed: got id_token %v", app, again)
		}
		tokens[app] = refreshed
	}
	out := v.get("/logout", url.Values{"id_token_hint": {tokens[servertest.Other].Str("id_token")}, "post_logout_redirect_uri": {back}})
	if out.location != back {
		t.Errorf("logout: got %d to %q\n%s", out.status, out.location, out.page)
	}
	for app, a := range tokens {
		r.Call(t, "GET", "/userinfo").Bearer(a.Str("access_token")).Wants(http.StatusUnauthorized, "invalid_token")
		r.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+a.Str("refresh_token")).Basic(app, apps[app]).Wants(http.StatusBadRequest, "invalid_grant")
	}
	if a := v.get("/authorize", authorization(servertest.Web, "none")); !strings.Contains(a.location, "error=login_required") {
		t.Errorf("after the logout: got %d to %q", a.status, a.location)
	}
}
