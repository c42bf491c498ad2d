package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// brand is the configuration of a company whose colours are hard to read.
const brand = `issuer: https://auth.example.com
page:
  company: Northwind
  logo: logo.svg
  colors: {accent: "#ffd400", background: "#0b2c22"}
  links: {forgot_password: https://www.example.com/forgot, help: https://www.example.com/help, imprint: https://www.example.com/imprint}
`

const brandLogo = `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40"><rect width="120" height="40" rx="8" fill="#0a7d5a"/></svg>`

// axe returns the script of axe-core.
func axe(t testing.TB) string {
	t.Helper()
	_, folder := npmFolder(t, "browser")
	return readFile(t, filepath.Join(folder, "node_modules/axe-core/axe.min.js"))
}

// emulate makes the tab a screen of a size, with a theme.
func (p *tab) emulate(width, height int, theme string) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": theme}}}, nil)
}

// collectViolations makes every page that the tab loads from now on remember what its Content-Security-Policy refused.
func (p *tab) collectViolations() {
	p.t.Helper()
	p.call("Page.enable", map[string]any{}, nil)
	p.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `window.refused = [];
		document.addEventListener("securitypolicyviolation", e => window.refused.push(e.violatedDirective + " " + e.blockedURI));`}, nil)
}

// load goes to an address and waits until the page is there.
func (p *tab) load(address string) {
	p.t.Helper()
	p.call("Page.navigate", map[string]any{"url": address}, nil)
	p.settle()
}

func (p *tab) settle() {
	p.t.Helper()
	p.eval(`new Promise(done => document.readyState === "complete" ? done() : addEventListener("load", () => done()))`, nil)
}

// awaitPage waits until the page of that name is there. A question that meets a page which is just leaving has no answer, and is
// asked again.
func (p *tab) awaitPage(name string) {
	p.t.Helper()
	script := fmt.Sprintf(`document.readyState === "complete" && document.body.classList.contains(%q)`, name)
	waitFor(p.t, "the page "+name, func() bool {
		result, err := p.send(p.session, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true})
		return err == nil && strings.Contains(string(result), `"value":true`)
	})
}

// accessible reports what axe-core finds in the page, what the policy refused, and whether it is wider than the screen.
func (p *tab) accessible(axe, what string) {
	p.t.Helper()
	p.eval(axe+";0", nil)
	var found string
	p.eval(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		[...r.violations, ...r.incomplete].map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join(" | "))
			.concat(window.refused.map(r => "refused: " + r))
			.concat(document.documentElement.scrollWidth > innerWidth ? ["the page is wider than the screen"] : []).join("\n"))`, &found)
	if found != "" {
		p.t.Errorf("%s:\n%s", what, found)
	}
}

// press presses a key.
func (p *tab) press(key string) {
	p.t.Helper()
	event := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": map[string]int{"Tab": 9, "Enter": 13}[key]}
	if key == "Enter" {
		event["text"] = "\r"
	}
	p.call("Input.dispatchKeyEvent", event, nil)
	event["type"] = "keyUp"
	p.call("Input.dispatchKeyEvent", event, nil)
}

func (p *tab) typeText(text string) {
	p.t.Helper()
	p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// TestPagesAreAccessible looks at each page in both languages and themes, wide and as narrow as a page has to be (WCAG 2.2 §1.4.10;
// 1280 pixels at a zoom of 400 %).
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	b, script := startChromium(t), axe(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "signet.yaml"), brand)
	write(t, filepath.Join(dir, "logo.svg"), brandLogo)
	_, line := startProcess(t, "page", "preview", "--config", filepath.Join(dir, "signet.yaml"), "-o", "json")
	var served struct{ URL string }
	if err := json.Unmarshal([]byte(line), &served); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	p := b.open(t, served.URL)
	var pages []string
	p.eval(`[...document.querySelectorAll("a")].map(a => a.href)`, &pages)
	if len(pages) < 20 {
		t.Fatalf("the list has %v", pages)
	}
	p.collectViolations()
	for _, address := range pages {
		if strings.Contains(address, "/continue") {
			continue // it goes on by itself
		}
		for _, screen := range []struct {
			width, height int
			theme         string
		}{{1280, 800, "light"}, {320, 640, "dark"}} {
			p.emulate(screen.width, screen.height, screen.theme)
			p.load(address)
			p.accessible(script, fmt.Sprintf("%s, %d wide, %s", address, screen.width, screen.theme))
		}
	}
}

// TestAccountInBrowser signs in with the keyboard alone, mistypes, changes the password, and signs out.
func TestAccountInBrowser(t *testing.T) {
	t.Parallel()
	b, script := startChromium(t), axe(t)
	server := startDev(t, t.TempDir())
	p := b.open(t, "about:blank")
	p.collectViolations()
	p.emulate(360, 740, "light")
	p.load(server.demo.Issuer + "/account")
	p.accessible(script, "the page to sign in")

	p.typeText(server.demo.Username) // the field has the focus
	p.press("Tab")
	p.typeText("wrong")
	p.press("Enter")
	p.await("the error", `document.querySelector("[role=alert]")`)
	p.accessible(script, "the page with an error")
	var state struct{ Title, Focus, Described, Typed string }
	p.eval(`(() => { const f = document.activeElement;
		return {title: document.title, focus: f.name, described: document.getElementById(f.getAttribute("aria-describedby")).innerText,
			typed: document.querySelector("[name=username]").value}; })()`, &state)
	if !strings.HasPrefix(state.Title, "Error: ") || state.Focus != "password" || !strings.Contains(state.Described, "not correct") || state.Typed != server.demo.Username {
		t.Errorf("after a wrong password: %+v", state)
	}
	p.typeText(server.demo.Password)
	p.press("Enter")
	p.awaitPage("account")
	p.accessible(script, "the account")
	if text := p.text("main"); !strings.Contains(text, "Signed in as "+server.demo.Username) || !strings.Contains(text, "Chrome on Linux") {
		t.Errorf("the account page has:\n%s", text)
	}

	other := b.open(t, server.demo.Issuer+"/account") // a second tab of the same browser
	fresh := "seven wet lanterns hum"
	p.fill("#current-password", server.demo.Password)
	p.fill("#new-password", fresh)
	p.fill("#repeat-password", "another one of them")
	p.click("button[value=change-password]")
	p.await("the error", `document.querySelector("[role=alert]")`)
	p.accessible(script, "the account with an error")
	p.fill("#current-password", server.demo.Password)
	p.fill("#new-password", fresh)
	p.fill("#repeat-password", fresh)
	p.click("button[value=change-password]")
	p.await("the change", `document.querySelector("[role=status]")`)
	p.accessible(script, "the account after a change")
	other.click("button[value=sign-out]") // its form is of the session that has ended
	other.awaitPage("account")

	p.load(server.demo.Issuer + "/account")
	p.click("button[value=sign-out]")
	p.awaitPage("signed-out")
	p.load(server.demo.Issuer + "/account")
	p.awaitPage("sign-in")
}

// TestSignInReachesTheApp: browsers apply form-action to the redirects that follow a form, also to those of the app. With response_mode
// form_post the page sends itself on. A second request finds the browser signed in.
func TestSignInReachesTheApp(t *testing.T) {
	t.Parallel()
	b, script := startChromium(t), axe(t)
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<body class="home">%s</body>`, html.EscapeString(r.URL.RawQuery))
	}))
	defer home.Close()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		http.Redirect(w, r, home.URL+"/?method="+r.Method+"&iss="+url.QueryEscape(r.Form.Get("iss"))+"&state="+url.QueryEscape(r.Form.Get("state")), http.StatusSeeOther)
	}))
	defer app.Close()
	server := startDev(t, t.TempDir())
	if out, errs, code := runSignet(t, "", "client", "create", "--socket", server.demo.AdminSocket, "--id", "codes", "--public", "--grant", "authorization_code",
		"--redirect-uri", app.URL+"/callback"); code != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	request := url.Values{"response_type": {"code"}, "client_id": {"codes"}, "redirect_uri": {app.URL + "/callback"}, "state": {"s-1"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "ui_locales": {"de"}}
	p := b.open(t, "about:blank")
	p.collectViolations()
	p.emulate(360, 740, "dark")
	p.load(server.demo.Issuer + "/authorize?" + request.Encode())
	p.accessible(script, "the page to sign in")
	if text := p.text("main"); !strings.Contains(text, "weiter zu codes") {
		t.Errorf("the page has %q", text)
	}
	p.typeText(server.demo.Username)
	p.press("Tab")
	p.typeText("wrong")
	p.press("Enter")
	p.await("the error", `document.querySelector("[role=alert]")`)
	p.accessible(script, "the page with an error")
	p.typeText(server.demo.Password)
	p.press("Enter")
	p.awaitPage("home")
	if text, want := p.text("body"), "method=GET&iss="+url.QueryEscape(server.demo.Issuer)+"&state=s-1"; text != want {
		t.Errorf("the app got %q, want %q", text, want)
	}
	request.Set("response_mode", "form_post")
	p.call("Page.navigate", map[string]any{"url": server.demo.Issuer + "/authorize?" + request.Encode()}, nil)
	p.awaitPage("home")
	if text, want := p.text("body"), "method=POST&iss="+url.QueryEscape(server.demo.Issuer)+"&state=s-1"; text != want {
		t.Errorf("by a form the app got %q, want %q", text, want)
	}
}

// TestReloadKeepsPages: a template that cannot be used is refused on SIGHUP as at the start, and people go on seeing the pages before.
func TestReloadKeepsPages(t *testing.T) {
	t.Parallel()
	dir, configFile := install(t, "page: {templates: pages, company: Northwind}\n")
	if err := os.MkdirAll(filepath.Join(dir, "pages"), 0o755); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(dir, "pages/sign-in.html")
	write(t, template, `{{define "main"}}<h1>First</h1>{{end}}`)
	p, address := startServe(t, configFile)
	page := func() string {
		response, err := http.Get("http://" + address + "/account")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if body := page(); !strings.Contains(body, "<h1>First</h1>") || !strings.Contains(body, "Northwind") {
		t.Fatalf("got %s", body)
	}
	write(t, template, "{{define \"main\"}}\n{{.Nothing}}{{end}}")
	hangup(t, p)
	waitFor(t, "the refusal", func() bool { return strings.Contains(p.stderr.String(), "sign-in.html:2:") })
	if body := page(); !strings.Contains(body, "<h1>First</h1>") {
		t.Errorf("after a broken template: %s", body)
	}
	write(t, template, `{{define "main"}}<h1>Second</h1>{{end}}`)
	hangup(t, p)
	waitFor(t, "the new template", func() bool { return strings.Contains(page(), "<h1>Second</h1>") })
}
