package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// visitor is a user with a browser that has cookies and follows redirects, but runs no scripts.
type visitor struct {
	t         testing.TB
	client    *http.Client
	user      demo // with whose name and password they sign in
	passwords int  // how often they have typed the password
}

// seen is a page that a visitor has reached.
type seen struct {
	at     *url.URL
	status int
	body   string
	form   *form // the first one; nil: there is none
}

// form is a form of a page as a browser would send it.
type form struct {
	action *url.URL
	method string
	fields url.Values // with their values of now
}

func newVisitor(t testing.TB, user demo) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, user: user, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// open goes to an address, and to where it redirects.
func (v *visitor) open(address string) *seen {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(req)
}

// submit sends the form of a page with these fields filled in.
func (v *visitor) submit(p *seen, filled url.Values) *seen {
	v.t.Helper()
	if p.form == nil {
		v.t.Fatalf("%s has no form: %d\n%s", p.at, p.status, p.body)
	}
	fields := maps.Clone(p.form.fields)
	for name, values := range filled {
		if _, there := fields[name]; !there {
			v.t.Fatalf("the form of %s has no field %s", p.at, name)
		}
		fields[name] = values
	}
	req, err := http.NewRequestWithContext(v.t.Context(), p.form.method, p.form.action.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
	return v.send(req)
}

// signIn types name and password into the sign-in page.
func (v *visitor) signIn(p *seen) *seen {
	v.t.Helper()
	if !p.asksForPassword() {
		v.t.Fatalf("%s is not the sign-in page: %d\n%s", p.at, p.status, p.body)
	}
	v.passwords++
	return v.submit(p, url.Values{"username": {v.user.Username}, "password": {v.user.Password}})
}

func (v *visitor) send(req *http.Request) *seen {
	v.t.Helper()
	req.Header.Set("Accept", "text/html,*/*;q=0.8") // without it mod_auth_openidc takes the request for a program's
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p := &seen{at: res.Request.URL, status: res.StatusCode, body: string(body)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		p.readForm()
	}
	return p
}

// asksForPassword reports whether the page is one to sign in.
func (p *seen) asksForPassword() bool { return p.form != nil && p.form.fields.Has("password") }

// wants checks where a visitor has arrived, and what the page has.
func (p *seen) wants(t testing.TB, prefix string, texts ...string) *seen {
	t.Helper()
	if p.status != http.StatusOK || !strings.HasPrefix(p.at.String(), prefix) {
		t.Fatalf("arrived at %s with %d, want %s\n%s", p.at, p.status, prefix, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Fatalf("%s has no %q:\n%s", p.at, text, p.body)
		}
	}
	return p
}

// readForm finds the first form of the page.
func (p *seen) readForm() {
	root, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		return // of a reader in memory it returns none
	}
	for node := range root.Descendants() {
		if node.Data != "form" || node.Type != html.ElementNode {
			continue
		}
		p.form = &form{method: strings.ToUpper(attribute(node, "method")), fields: url.Values{}}
		if p.form.action, err = p.at.Parse(attribute(node, "action")); err != nil {
			p.form = nil
			return
		}
		for field := range node.Descendants() {
			if name := attribute(field, "name"); field.Data == "input" && name != "" {
				p.form.fields.Add(name, attribute(field, "value"))
			} else if field.Data == "button" && name != "" && !p.form.fields.Has(name) {
				p.form.fields.Add(name, attribute(field, "value"))
			}
		}
		return
	}
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
