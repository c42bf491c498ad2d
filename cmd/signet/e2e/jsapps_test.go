package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// jsApp is an app of testdata/jsapps. All have the same elements in their pages.
type jsApp struct {
	name   string // of its folder
	origin string
	log    *lockedBuffer
}

const (
	jsScope  = "openid,profile,email"
	jsGrants = "authorization_code,refresh_token"
)

// startJSApps registers and starts the apps of a company.
func startJSApps(t *testing.T, server *process) []*jsApp {
	t.Helper()
	node, folder := npmFolder(t, "jsapps")
	return []*jsApp{startSPA(t, server, folder), startNodeApp(t, server, node, folder, "express", "/callback"),
		startNodeApp(t, server, node, folder, "authjs", "/auth/callback/signet")}
}

// startSPA serves the single-page app as any static host does: what is no file is the page.
func startSPA(t *testing.T, server *process, folder string) *jsApp {
	t.Helper()
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(folder, "spa/index.html"))
	}
	mux.HandleFunc("/", page)
	mux.Handle("/node_modules/", http.FileServer(http.Dir(folder)))
	mux.Handle("/style.css", http.FileServer(http.Dir(folder)))
	mux.Handle("/app.js", http.FileServer(http.Dir(filepath.Join(folder, "spa"))))
	mux.HandleFunc("/settings.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, "export const issuer = %q\nexport const clientId = 'spa'\n", server.demo.Issuer)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	server.admin("", "client", "create", "--id", "spa", "--public", "--grant", jsGrants, "--scope", jsScope,
		"--redirect-uri", srv.URL+"/callback", "--post-logout-uri", srv.URL+"/", "--origin", srv.URL)
	return &jsApp{name: "spa", origin: srv.URL, log: &lockedBuffer{}}
}

// startNodeApp starts an app that has a server.
func startNodeApp(t *testing.T, server *process, node, folder, name, callback string) *jsApp {
	t.Helper()
	app := &jsApp{name: name, origin: "http://" + freeAddress(t), log: &lockedBuffer{}}
	var made clientRecord
	out := server.admin("", "client", "create", "--id", name, "--grant", jsGrants, "--scope", jsScope, "-o", "json",
		"--redirect-uri", app.origin+callback, "--post-logout-uri", app.origin+"/", "--backchannel-logout-uri", app.origin+"/backchannel-logout")
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("client create printed %q: %v", out, err)
	}
	cmd := exec.Command(node, filepath.Join(name, "app.js"))
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "ISSUER="+server.demo.Issuer, "CLIENT_ID="+made.ID, "CLIENT_SECRET="+made.Secret, "ORIGIN="+app.origin,
		"SESSION_SECRET=of the test", "AUTH_SECRET=of the test", "NO_PROXY=127.0.0.1")
	cmd.Stdout, cmd.Stderr = app.log, app.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	waitFor(t, name, func() bool {
		select {
		case <-exited:
			t.Fatalf("%s ended:\n%s", name, app.log)
		default:
		}
		return strings.Contains(app.log.String(), "ready at")
	})
	return app
}

// appTab is an app in a tab.
type appTab struct {
	*tab
	app *jsApp
}

// wait waits for something in the page, and logs what is there instead.
func (p *appTab) wait(what, script string) {
	p.t.Helper()
	there := false
	defer func() {
		var instead string
		if !there && p.try("location.href + '\\n' + document.body.innerText", &instead) == nil {
			p.t.Logf("%s has at %s\n%s", p.app.name, instead, p.app.log)
		}
	}()
	p.await(p.app.name+": "+what, script)
	there = true
}

// signIn begins a sign-in in the app.
func (p *appTab) signIn() {
	p.t.Helper()
	p.wait("a page for somebody who is signed out", visible("#sign-in"))
	p.click("#sign-in")
}

func visible(selector string) string {
	return fmt.Sprintf("document.readyState === 'complete' && document.querySelector(%q)?.checkVisibility()", selector)
}

// typePassword fills in Signet's page.
func (p *appTab) typePassword(d demo) {
	p.t.Helper()
	p.awaitPage("sign-in")
	p.fill("[name=username]", d.Username)
	p.fill("[name=password]", d.Password)
	p.press("Enter")
}

// awaitUser waits until the app shows the user, and returns the kid of the id_token.
func (p *appTab) awaitUser(name string) (kid string) {
	p.t.Helper()
	p.wait("the user", visible("#name"))
	if got := p.text("#name"); got != name {
		p.t.Errorf("%s: got the name %q, want %q", p.app.name, got, name)
	}
	return p.text("#key")
}

// verifyStored verifies the id_token of the single-page app, whose library trusts TLS for it. The others verify it themselves.
func (p *appTab) verifyStored(issuer string) {
	p.t.Helper()
	var token string
	p.eval(fmt.Sprintf("JSON.parse(sessionStorage.getItem(%q)).id_token", "oidc.user:"+issuer+":spa"), &token)
	provider, err := oidc.NewProvider(p.t.Context(), issuer)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "spa"}).Verify(p.t.Context(), token); err != nil {
		p.t.Error(err)
	}
}

// awaitSignedOut waits until the app has noticed that the user has signed out in another app. One with a server is informed of it, and a
// page notices at its next refresh.
func (p *appTab) awaitSignedOut() {
	p.t.Helper()
	if p.app.name == "spa" {
		p.click("#refresh")
		p.wait("its page after signing out in another app", visible("#sign-in"))
		return
	}
	waitFor(p.t, p.app.name+" to be informed that the user has signed out", func() bool {
		p.load(p.app.origin)
		var out bool
		p.eval("document.querySelector('#sign-in') !== null", &out)
		return out
	})
}

// TestJavaScriptApps: a user goes through the apps of a company, which are made with oidc-client-ts, openid-client and Auth.js.
func TestJavaScriptApps(t *testing.T) {
	t.Parallel()
	browser := startChromium(t)
	server := startDev(t, t.TempDir())
	const name = "Ada Lovelace"
	server.admin("", "user", "update", server.demo.Username, "--claim", "name="+name, "--claim", "email=ada@example.com")
	apps := startJSApps(t, server)
	type visit struct{ first, next *appTab } // of one person, with a browser of their own
	var visits []visit
	oldKey := ""
	for i, app := range apps {
		profile := browser.newProfile(t)
		open := func(app *jsApp) *appTab { return &appTab{browser.openIn(t, profile, app.origin), app} }
		v := visit{first: open(app), next: open(apps[(i+1)%len(apps)])}
		v.first.signIn()
		v.first.typePassword(server.demo)
		oldKey = v.first.awaitUser(name)
		v.next.signIn()
		v.next.awaitUser(name)
		visits = append(visits, v)
	}
	server.admin("", "keys", "rotate", "--emergency", "--wait")
	for _, v := range visits {
		for _, p := range []*appTab{v.first, v.next} {
			p.click("#refresh")
			p.wait("a token of the new key", visible("#name")+fmt.Sprintf(" && document.querySelector('#key').textContent !== %q", oldKey))
			if p.app.name == "spa" {
				p.verifyStored(server.demo.Issuer)
			}
		}
	}
	for _, v := range visits {
		v.first.click("#sign-out")
		v.first.wait("its page after signing out", visible("#sign-in")+fmt.Sprintf(" && location.origin === %q", v.first.app.origin))
		v.next.awaitSignedOut()
		v.first.signIn()
		v.first.typePassword(server.demo)
		if v.first.awaitUser(name) == oldKey {
			t.Errorf("%s: the old key signs", v.first.app.name)
		}
	}
}
