package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// flaskApp is the app of testdata/flask.
type flaskApp struct {
	t   testing.TB
	url string
	log *lockedBuffer
}

var flaskAddress = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// flaskPython is an interpreter that has Flask and Authlib.
func flaskPython(t testing.TB) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import flask, authlib, requests").Run() == nil {
			return python
		}
	}
	needs(t, "Flask with Authlib", "apt-get install python3-flask python3-authlib python3-requests")
	return ""
}

// startFlask runs the app as the client of that ID.
func startFlask(t testing.TB, issuer, clientID, secret string) *flaskApp {
	t.Helper()
	cmd := exec.Command(flaskPython(t), "-m", "flask", "--app", "app", "run", "--port", "0")
	cmd.Dir = "testdata/flask"
	cmd.Env = append(os.Environ(), "ISSUER="+issuer, "CLIENT_ID="+clientID, "CLIENT_SECRET="+secret, "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=127.0.0.1")
	app := &flaskApp{t: t}
	app.log = startProgram(t, "Flask as "+clientID, cmd, func(log string) bool {
		if found := flaskAddress.FindStringSubmatch(log); found != nil {
			app.url = found[1]
		}
		return app.url != ""
	})
	return app
}

// createWebApp registers a confidential client with a callback on any port of this machine.
func (p *process) createWebApp(id, callback string, more ...string) (secret string) {
	p.t.Helper()
	var made clientRecord
	out := p.admin("", append([]string{"client", "create", "--id", id, "--grant", "authorization_code,refresh_token", "--scope", "openid,profile,email",
		"--redirect-uri", callback, "-o", "json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Secret == "" {
		p.t.Fatalf("client create printed %q: %v", out, err)
	}
	return made.Secret
}

// refreshes is how many refresh tokens were exchanged.
func (p *process) refreshes() int { p.t.Helper(); return p.outcomes("rotated") }

// TestFlaskWithAuthlib: one sign-in for two apps, refreshes, a rotation of the keys, and one logout for both.
func TestFlaskWithAuthlib(t *testing.T) {
	t.Parallel()
	flaskPython(t)
	p := startDev(t, t.TempDir())
	var apps []*flaskApp
	for _, id := range []string{"shop", "blog"} {
		secret := p.createWebApp(id, "http://127.0.0.1/callback", "--post-logout-uri", "http://127.0.0.1/", "--ttl", "5s") // the app refreshes half a minute before the end: each time
		app := startFlask(t, p.demo.Issuer, id, secret)
		p.admin("", "client", "update", id, "--backchannel-logout-uri", app.url+"/back-channel-logout")
		apps = append(apps, app)
	}
	shop, blog := apps[0], apps[1]
	v := newVisitor(t, p.demo)
	v.open(shop.url+"/").wants(t, shop.url+"/", "Nobody is signed in")
	v.signIn(v.open(shop.url+"/login")).wants(t, shop.url+"/", "Signed in.")
	v.open(blog.url+"/login").wants(t, blog.url+"/", "Signed in.")
	if v.passwords != 1 {
		t.Errorf("the user typed the password %d times, want once for both apps", v.passwords)
	}
	refresh := func(app *flaskApp) {
		t.Helper()
		before := p.refreshes()
		v.open(app.url+"/me").wants(t, app.url+"/me", `"preferred_username":"demo"`)
		if p.refreshes() == before {
			t.Errorf("%s did not refresh", app.url)
		}
	}
	refresh(shop)
	p.admin("", "keys", "rotate", "--emergency", "--wait")
	refresh(shop)
	other := newVisitor(t, p.demo) // the keys that the app has fetched have not the one of its id_token
	other.signIn(other.open(blog.url+"/login")).wants(t, blog.url+"/", "Signed in.")

	v.submit(v.open(shop.url+"/"), nil).wants(t, shop.url+"/", "Nobody is signed in")
	waitFor(t, "the other app to be informed", func() bool { return strings.Contains(v.open(blog.url+"/").body, "Nobody is signed in") })
	for _, app := range apps {
		if page := v.open(app.url + "/login"); !page.asksForPassword() || !strings.HasPrefix(page.at.String(), p.demo.Issuer) {
			t.Errorf("after the logout %s signs in without a password: %s", app.url, page.at)
		}
	}
	other.open(blog.url+"/me").wants(t, blog.url+"/me", `"preferred_username":"demo"`) // another browser of the same user
	_, tokens := post(t, p.demo.Issuer+"/token", p.demo.login())
	for name, token := range map[string]string{"none": "", "an access token": tokens["access_token"].(string), "no token": "x.y.z"} {
		if status, _ := post(t, blog.url+"/back-channel-logout", url.Values{"logout_token": {token}}); status != http.StatusBadRequest {
			t.Errorf("%s as a logout token: got %d", name, status)
		}
	}
}
