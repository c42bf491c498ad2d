package server_test

import (
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signet/server/authorize"
	"signet/server/servertest"
)

// scriptBrowser is a browser of a script: it keeps cookies, and has the page that was last shown.
type scriptBrowser struct {
	cookies map[string]string
	page    servertest.Answer
	off     bool // it keeps no cookies
}

// useBrowser goes on in a browser, which is new at its first use: "browser victim", "browser private off" without cookies,
// "browser victim from attacker" with a copy of the cookies of another one.
func (sc *script) useBrowser(args []string) {
	if sc.browsers == nil {
		sc.browsers = map[string]*scriptBrowser{}
	}
	b := sc.browsers[args[0]]
	if b == nil {
		b = &scriptBrowser{cookies: map[string]string{}}
		sc.browsers[args[0]] = b
	}
	sc.people = b
	switch {
	case len(args) == 2 && args[1] == "off":
		b.off = true
	case len(args) == 3 && args[1] == "from":
		b.cookies = maps.Clone(sc.browsers[args[2]].cookies)
	}
}

// visit sends a request of the browser.
func (sc *script) visit(r *servertest.Request) {
	if sc.people == nil {
		sc.useBrowser([]string{"first"})
	}
	b := sc.people
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.Header.Add("Cookie", name+"="+b.cookies[name])
	}
	sc.send(r)
	if !b.off {
		for _, c := range (&http.Response{Header: sc.last.Header}).Cookies() {
			b.cookies[c.Name] = c.Value
			sc.ts.Setenv(strings.Split(c.Name, "-")[1]+"_cookie", c.Name)
		}
	}
	if strings.Contains(sc.last.Raw, `name="`+requestField+`"`) {
		b.page = sc.last
	}
}

const requestField = "request"

// authorizationRequest is the query of a good request, which arguments change: NAME=VALUE sets a parameter, -NAME leaves it out,
// +NAME=VALUE adds it once more.
func (sc *script) authorizationRequest(args []string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {args[0]}, "redirect_uri": {"https://app.example.com/cb"}, "state": {"st"},
		"code_challenge": {challengeOfRFC}, "code_challenge_method": {"S256"}}
	sc.ts.Setenv("verifier", verifierOfRFC)
	for _, word := range args[1:] {
		name, value, _ := strings.Cut(word, "=")
		value = sc.value(value)
		switch name[0] {
		case '-':
			q.Del(name[1:])
		case '+':
			q.Add(name[1:], value)
		default:
			q.Set(name, value)
		}
	}
	return q
}

// headersOf cuts -H 'NAME: VALUE' out of arguments.
func headersOf(args []string) (rest []string, headers http.Header) {
	headers = http.Header{}
	for i := 0; i < len(args); i++ {
		if args[i] == "-H" && i+1 < len(args) {
			name, value, _ := strings.Cut(args[i+1], ":")
			headers.Add(name, strings.TrimPrefix(value, " "))
			i++
			continue
		}
		rest = append(rest, args[i])
	}
	return rest, headers
}

// open goes to the authorization endpoint in the browser: "open spa prompt=none".
func (sc *script) open(args []string) {
	args, headers := headersOf(args)
	r := sc.readRequest([]string{"GET", authorize.Path + "?" + sc.authorizationRequest(args).Encode()})
	maps.Copy(r.Header, headers)
	sc.visit(r)
}

// push sends an authorization request beforehand: "push web", "push web:wrong scope=profile".
func (sc *script) push(args []string) {
	id, _, _ := strings.Cut(args[0], ":")
	q := sc.authorizationRequest(append([]string{id}, args[1:]...))
	q.Del("client_id")
	r := sc.readRequest([]string{"POST", authorize.PARPath, "as", args[0]})
	if r.Body != "" {
		r.Body += "&"
	}
	r.Body += q.Encode()
	sc.send(r)
}

// submit sends the sign-in form that the browser shows, as ada: "submit", "submit password=wrong". The argument "form of OTHER"
// sends that of another browser.
func (sc *script) submit(args []string) {
	args, headers := headersOf(args)
	page := sc.people.page
	if len(args) >= 3 && args[0] == "form" {
		page, args = sc.browsers[args[2]].page, args[3:]
	}
	field := hidden.FindStringSubmatch(page.Raw)
	if field == nil {
		sc.Fatalf("the browser shows no form: %s", page.Raw)
	}
	form := url.Values{requestField: {html.UnescapeString(field[1])}, "username": {servertest.User}, "password": {servertest.Password}}
	for _, word := range args {
		name, value, _ := strings.Cut(word, "=")
		form.Set(name, sc.value(value))
	}
	r := sc.readRequest([]string{"POST", authorize.SignInPath, "-d", form.Encode()})
	r.Set("Origin", sc.stage.URL)
	maps.Copy(r.Header, headers)
	sc.visit(r)
}

// wantPage checks that the answer is a page for people, which no other site can frame and no cache keeps, and which leads nowhere:
// "page 400", "page 400 'a text'".
func (sc *script) wantPage(args []string) {
	h := sc.last.Header
	switch {
	case sc.last.Status != sc.number(args[0]), h.Get("Location") != "", !strings.HasPrefix(h.Get("Content-Type"), "text/html"):
		sc.Fatalf("got %d %v %s", sc.last.Status, h, sc.last.Raw)
	case !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'"), h.Get("X-Frame-Options") != "DENY",
		h.Get("Cache-Control") != "no-store", h.Get("Referrer-Policy") == "":
		sc.Fatalf("got %v", h)
	case len(args) > 1 && !strings.Contains(html.UnescapeString(sc.last.Raw), args[1]):
		sc.Fatalf("got %s", sc.last.Raw)
	}
}

// sent checks that the browser was sent to a URI, and what the app finds in its query: "sent https://app.example.com/cb code state=st
// -error". A name alone must be there, and a name behind - must not.
func (sc *script) sent(args []string) {
	base, query, _ := strings.Cut(sc.last.Header.Get("Location"), "?")
	q, err := url.ParseQuery(query)
	if sc.last.Status != http.StatusSeeOther || base != args[0] || err != nil {
		sc.Fatalf("got %d to %q, %v: %s", sc.last.Status, sc.last.Header.Get("Location"), err, sc.last.Raw)
	}
	for _, word := range args[1:] {
		name, value, valued := strings.Cut(word, "=")
		absent := strings.HasPrefix(name, "-")
		got := q[strings.TrimPrefix(name, "-")]
		if absent != (len(got) == 0) || valued && !slices.Equal(got, []string{sc.value(value)}) {
			sc.Fatalf("%s: got %v", word, q)
		}
	}
	for name := range q {
		if len(q[name]) == 1 {
			sc.ts.Setenv("sent_"+name, q.Get(name))
		}
	}
}
