package page_test

import (
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"signet/server/edge"
	"signet/server/page"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newRenderer(t testing.TB, cfg page.Config) *page.Renderer {
	t.Helper()
	if cfg.Issuer == "" {
		cfg.Issuer = "https://auth.example.com/tenant"
	}
	p, err := page.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var company = page.Config{Company: "Northwind", Links: page.Links{ForgotPassword: "https://www.example.com/forgot", Imprint: "https://www.example.com/imprint"}}

// rendered returns the examples by name.
func rendered(p *page.Renderer, r page.Reader) map[string]edge.Response {
	all := map[string]edge.Response{}
	for _, e := range p.Examples(r, "/tenant/authorize", now) {
		all[e.Name] = e.Response
	}
	return all
}

var hash = regexp.MustCompile(`\.[\w-]{12}\.`)

// TestGolden holds each page to a file, in English and German.
func TestGolden(t *testing.T) {
	p := newRenderer(t, company)
	for _, language := range []string{"en", "de"} {
		for name, response := range rendered(p, page.Reader{AcceptLanguage: language}) {
			path := filepath.Join("testdata", name+"."+language+".html")
			got := hash.ReplaceAllString(string(response.Raw), ".HASH.") // of resources, which change on their own
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != got {
				t.Errorf("%s is not what is rendered; look at it, and run go test ./server/page -update\n%s", path, got)
			}
		}
	}
}

// TestHeaders: a page that could be framed, kept, or sent elsewhere would give a password away.
func TestHeaders(t *testing.T) {
	p := newRenderer(t, company)
	for name, response := range rendered(p, page.Reader{}) {
		policy := response.Header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'self'", "form-action 'self'"} {
			if !strings.Contains(policy, directive) {
				t.Errorf("%s: the policy %q has no %s", name, policy, directive)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") != (name == "continue") {
			t.Errorf("%s: policy %q", name, policy)
		}
		if got := response.Header.Get("Referrer-Policy"); got != "same-origin" && name != "continue" {
			t.Errorf("%s: Referrer-Policy %q", name, got)
		}
		if response.Header.Get("X-Frame-Options") != "DENY" || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: headers %v", name, response.Header)
		}
		if inline := regexp.MustCompile(`(?i)<style|<script>|\sstyle=|\son[a-z]+=`).Find(response.Raw); inline != nil {
			t.Errorf("%s: %s is inline, and the policy does not allow it", name, inline)
		}
	}
	if got := p.SignIn(page.SignIn{Targets: []string{page.FormTarget("https://app.example.com")}}).Header.Get("Content-Security-Policy"); !strings.HasSuffix(got, "form-action 'self' https:") {
		t.Errorf("the app is missing from form-action: %s", got)
	}
	for name, want := range map[string]int{"sign-in": 200, "sign-in-wrong": 400, "sign-in-slow": 429, "problem": 400, "problem-internal": 500, "account-short": 400, "continue": 200} {
		if got := rendered(p, page.Reader{})[name].Status; got != want {
			t.Errorf("%s: status %d, want %d", name, got, want)
		}
	}
	if got := rendered(p, page.Reader{})["sign-in-slow"].Header.Get("Retry-After"); got != "42" {
		t.Errorf("Retry-After %q, want 42: one that is rounded down is refused again", got)
	}
}

// TestTitle: a screen reader reads the title first, so it begins with the error.
func TestTitle(t *testing.T) {
	pages := rendered(newRenderer(t, company), page.Reader{AcceptLanguage: "de"})
	for name, title := range map[string]string{"sign-in": "Anmelden – Northwind", "sign-in-wrong": "Fehler: Anmelden – Northwind", "account-short": "Fehler: Ihr Konto – Northwind"} {
		if !strings.Contains(string(pages[name].Raw), "<title>"+title+"</title>") {
			t.Errorf("%s: the title is not %q", name, title)
		}
	}
}

// TestSize holds the sign-in page with its style sheet and icon to 15 KB.
func TestSize(t *testing.T) {
	p := newRenderer(t, company)
	response := rendered(p, page.Reader{})["sign-in-wrong"]
	size := len(response.Raw)
	for _, path := range assetPaths(response.Raw) {
		size += len(asset(t, p, path, "").Raw)
	}
	if size > 15_000 {
		t.Errorf("the page has %d bytes", size)
	}
	t.Logf("%d bytes", size)
}

// TestHostileText puts hostile text into every string of every page. Neither elements nor attributes may come of it.
func TestHostileText(t *testing.T) {
	p := newRenderer(t, company)
	for _, hostile := range []string{
		`"><script>alert(1)</script>`, `' onfocus=alert(1) x='`, `javascript:alert(1)`, `</title><svg onload=alert(1)>`, `{{.Text "x"}}`,
		"\u202e<b>\u2069", "&lt;script&gt;", "`${alert(1)}`", "data:text/html,<script>alert(1)</script>", "\x00<i>\xff",
	} {
		for _, blank := range []any{page.SignIn{}, page.SignIn{Again: true}, page.SignIn{Message: page.SlowDown}, page.Problem{}, page.Account{Message: page.PasswordTooShort},
			page.Account{Elsewhere: true}, page.ConfirmSignOut{}, page.SignedOut{}, page.Continue{}} {
			plain := string(render(p, filled(blank, "plain")).Raw)
			got := render(p, filled(blank, hostile))
			if shape(string(got.Raw)) != shape(plain) {
				t.Errorf("%T with %q has other elements or attributes:\n%s", blank, hostile, got.Raw)
			}
			for _, url := range regexp.MustCompile(`(?:href|action|src)="([^"]*)"`).FindAllStringSubmatch(string(got.Raw), -1) {
				if lower := strings.ToLower(url[1]); strings.HasPrefix(lower, "javascript:") || strings.HasPrefix(lower, "data:") {
					t.Errorf("%T with %q links to %s", blank, hostile, url[1])
				}
			}
			for name, values := range got.Header {
				if strings.ContainsAny(strings.Join(values, ""), "\r\n") {
					t.Errorf("%T with %q: header %s", blank, hostile, name)
				}
			}
		}
	}
}

// filled returns a copy of a page's struct with text in each string, also of one element of each list.
func filled(blank any, text string) any {
	v := reflect.New(reflect.TypeOf(blank)).Elem()
	v.Set(reflect.ValueOf(blank))
	fill(v, text)
	return v.Interface()
}

func fill(v reflect.Value, text string) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Field(i).Name == "Targets" || f.Type() == reflect.TypeFor[time.Time](): // sources of form-action are made by FormTarget
		case f.Kind() == reflect.String:
			f.SetString(text)
		case f.Kind() == reflect.Struct:
			fill(f, text)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.MakeSlice(f.Type(), 2, 2))
			fill(f.Index(0), text)
			fill(f.Index(1), text)
		}
	}
}

func render(p *page.Renderer, data any) edge.Response {
	switch d := data.(type) {
	case page.SignIn:
		return p.SignIn(d)
	case page.Problem:
		return p.Problem(d)
	case page.Account:
		return p.Account(d)
	case page.ConfirmSignOut:
		return p.ConfirmSignOut(d)
	case page.SignedOut:
		return p.SignedOut(d)
	case page.Continue:
		return p.Continue(d)
	}
	panic(data)
}

var (
	tag   = regexp.MustCompile(`<[^>]*>`)
	value = regexp.MustCompile(`="[^"]*"`)
)

// shape is the elements of a page with the names of their attributes.
func shape(body string) string {
	return value.ReplaceAllString(strings.Join(tag.FindAllString(body, -1), "\n"), "")
}

// TestFormTarget: what stands in form-action decides where a password can go.
func TestFormTarget(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example.com/callback?x=1": "https:",
		"HTTPS://App.example.com:8443/":        "https:",
		"http://127.0.0.1:49152/cb":            "http://127.0.0.1:* https:",
		"http://localhost/cb":                  "http://localhost:* https:",
		"http://[::1]:49152/cb":                "http: https:", // a source cannot have an IPv6 address
		"com.example.app:/callback":            "com.example.app:",
		"javascript:alert(1)":                  "",
		"data:text/html,x":                     "",
		"/callback":                            "",
		"":                                     "",
		"http://a.example;script-src/":         "http: https:",
		"http://a.example 'unsafe-inline'/":    "",
		"http://a.example,b.example/":          "http: https:",
		"http://*/":                            "http: https:",
	} {
		if got := page.FormTarget(uri); got != want {
			t.Errorf("FormTarget(%q) is %q, want %q", uri, got, want)
		}
	}
}

// TestProblemOf: people get a page that suits the status, and developers the description of what they can change.
func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		err  *edge.Error
		kind page.Kind
	}{
		{edge.InvalidRequest("state is given more than once"), page.BadRequest},
		{edge.Unavailable(nil), page.Unavailable},
		{edge.Internal(nil), page.Internal},
		{edge.SlowDown(time.Minute), page.TooMany},
		{&edge.Error{Status: http.StatusNotFound}, page.NotFound},
		{&edge.Error{Status: http.StatusMethodNotAllowed}, page.BadRequest},
	} {
		got := page.ProblemOf(c.err)
		if got.Kind != c.kind || got.Status != c.err.Status || (got.Detail != "") != (c.kind == page.BadRequest && c.err.Description != "") {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}

// TestReplacedFiles: what replaces nothing, cannot be read or asks for what is not there is refused with its place.
func TestReplacedFiles(t *testing.T) {
	for want, files := range map[string]fstest.MapFS{
		"":                {"sign-in.html": text(`{{define "main"}}{{.Text "sign_in.heading"}} {{.Text "own.greeting"}}{{end}}`), "languages/en.json": text(`{"own.greeting": "Hello"}`), "languages/de.json": text(`{"own.greeting": "Hallo"}`), "..data": text("x")},
		"signin.html":     {"signin.html": text("x")},
		"sign-in.html:2:": {"sign-in.html": text("{{define \"main\"}}\n{{.Text}\n{{end}}")},
		"sign-in.html:3:": {"sign-in.html": text("{{define \"main\"}}\n\n{{.Nothing}}{{end}}")},
		`sign-in.html:2:2: the language en has no text "sign_in.titel"`: {"sign-in.html": text("{{define \"main\"}}\n{{.Text \"sign_in.titel\"}}{{end}}")},
		"layout.html:1:":                         {"layout.html": text("{{if}}")},
		"sign-in.html:1:31: {{if}} branches end": {"sign-in.html": text(`{{define "main"}}<a href="{{if .App}}x" style="{{end}}">{{end}}`)},
		`languages/fr.json: the text`:            {"languages/fr.json": text(`{"title": "x"}`)},
		`no page has the text "titel"`:           {"languages/en.json": text(`{"titel": "x"}`)},
		"languages/french.json":                  {"languages/french.json": text(`{}`)},
		"languages/en.yaml":                      {"languages/en.yaml": text(`{}`)},
		"the form other is missing":              {"languages/en.json": text(`{"wait.seconds": {"one": "x"}}`)},
		`"lots" is not one of`:                   {"languages/en.json": text(`{"wait.seconds": {"lots": "x"}}`)},
		"layout.html: is larger than":            {"layout.html": text(strings.Repeat("x", 300_000))},
	} {
		_, err := page.New(page.Config{Issuer: "https://auth.example.com", Files: files})
		switch {
		case want == "" && err != nil:
			t.Errorf("%v: %v", slices.Collect(maps.Keys(files)), err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: got %v, want %q", slices.Collect(maps.Keys(files)), err, want)
		}
	}
}

// TestProgramsFiles: the program's templates have each text and can be executed. New checks them only beside other files.
func TestProgramsFiles(t *testing.T) {
	if _, err := page.New(page.Config{Issuer: "https://auth.example.com", Files: fstest.MapFS{}}); err != nil {
		t.Error(err)
	}
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// TestReplacedTemplateFails: a template can fail where New had no reason to look. People get the built-in page.
func TestReplacedTemplateFails(t *testing.T) {
	var failed error
	p := newRenderer(t, page.Config{Failed: func(err error) { failed = err }, Files: fstest.MapFS{
		"sign-in.html": text(`{{define "main"}}<p>own</p>{{if eq .Username "nobody"}}{{index .Hidden 7}}{{end}}{{end}}`)}})
	if body := string(p.SignIn(page.SignIn{Username: "ada"}).Raw); !strings.Contains(body, "<p>own</p>") || failed != nil {
		t.Errorf("%v: %s", failed, body)
	}
	body := string(p.SignIn(page.SignIn{Username: "nobody"}).Raw)
	if !strings.Contains(body, `name="password"`) || failed == nil || !strings.Contains(failed.Error(), "sign-in.html:1:") {
		t.Errorf("%v: %s", failed, body)
	}
}

// TestLanguage: ui_locales first, then Accept-Language, then the language of the server.
func TestLanguage(t *testing.T) {
	english := newRenderer(t, page.Config{})
	german := newRenderer(t, page.Config{Language: "de"})
	arabic := newRenderer(t, page.Config{Files: fstest.MapFS{"languages/ar.json": copyOf(t, "files/languages/en.json")}})
	for _, c := range []struct {
		p                  *page.Renderer
		uiLocales, accepts string
		want, direction    string
	}{
		{english, "", "", "en", "ltr"},
		{english, "de-CH en", "en", "de", "ltr"},
		{english, "fr de", "", "de", "ltr"},
		{english, "xx", "de-AT,de;q=0.9,en;q=0.8", "de", "ltr"},
		{english, "", "fr,it;q=0.5", "en", "ltr"},
		{english, "", "en;q=0.4, de;q=0.8", "de", "ltr"},
		{english, "not a tag!! de", "", "de", "ltr"},
		{english, "", "de;q=nonsense", "en", "ltr"},
		{english, "", strings.Repeat("fr,", 200) + "de", "en", "ltr"},
		{german, "", "fr", "de", "ltr"},
		{german, "", "en", "en", "ltr"},
		{arabic, "ar-EG", "", "ar", "rtl"},
	} {
		response := c.p.SignIn(page.SignIn{Reader: page.Reader{UILocales: c.uiLocales, AcceptLanguage: c.accepts}})
		if got := response.Header.Get("Content-Language"); got != c.want || !strings.Contains(string(response.Raw), `<html lang="`+c.want+`" dir="`+c.direction+`">`) {
			t.Errorf("%.40q, %.40q: %s, want %s", c.uiLocales, c.accepts, got, c.want)
		}
	}
	if _, err := page.New(page.Config{Issuer: "https://auth.example.com", Language: "fr"}); err == nil || !strings.Contains(err.Error(), "there are de, en") {
		t.Errorf("a language that is not there: %v", err)
	}
}

func copyOf(t *testing.T, path string) *fstest.MapFile {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}

// TestTimes: times are words, since the server does not have the reader's time zone.
func TestTimes(t *testing.T) {
	p := newRenderer(t, page.Config{})
	for d, want := range map[time.Duration]string{-time.Minute: "just now", time.Minute: "just now", 2 * time.Minute: "2 minutes ago", 95 * time.Minute: "1 hour ago",
		23 * time.Hour: "23 hours ago", 30 * time.Hour: "yesterday", 50 * time.Hour: "2 days ago"} {
		body := string(p.Account(page.Account{Now: now, Sessions: []page.Session{{Used: now.Add(-d)}}}).Raw)
		if !strings.Contains(body, ">Last used "+want+"<") {
			t.Errorf("%s: not %q\n%s", d, want, body)
		}
	}
	for d, want := range map[time.Duration]string{0: "1 second", time.Second: "1 second", 1500 * time.Millisecond: "2 seconds", 90 * time.Second: "90 seconds", 91 * time.Second: "2 minutes"} {
		if body := string(p.SignIn(page.SignIn{Message: page.SlowDown, Wait: d}).Raw); !strings.Contains(body, "Try again in "+want+".") {
			t.Errorf("%s: not %q\n%s", d, want, body)
		}
	}
}

// FuzzLanguage: what a browser or an app asks for may be anything.
func FuzzLanguage(f *testing.F) {
	p := newRenderer(f, page.Config{})
	f.Add("de-CH en", "de;q=0.9, en")
	f.Add("x-a-a-a-a", "*")
	f.Add("\x00", strings.Repeat("a-", 300))
	f.Fuzz(func(t *testing.T, uiLocales, accepts string) {
		response := p.SignIn(page.SignIn{Reader: page.Reader{UILocales: uiLocales, AcceptLanguage: accepts}})
		if got := response.Header.Get("Content-Language"); got != "en" && got != "de" {
			t.Errorf("%q, %q: %q", uiLocales, accepts, got)
		}
	})
}

func BenchmarkSignIn(b *testing.B) {
	p := newRenderer(b, company)
	b.ReportAllocs()
	for b.Loop() {
		p.SignIn(page.SignIn{Reader: page.Reader{AcceptLanguage: "de-DE,de;q=0.9,en;q=0.8"}, App: "Field reports", Action: "/authorize", Hidden: []page.Field{{Name: "request", Value: "sealed"}}})
	}
}
