package syntax_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"signet/server/syntax"
)

func TestCheckRedirectURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://app.example/cb":                   "",
		"https://app.example":                      "",
		"https://app.example:8443/cb?tenant=a%20b": "",
		"https://app.example:443/cb":               "",
		"https://[2001:db8::1]/cb":                 "",
		"http://127.0.0.1/cb":                      "",
		"http://127.0.0.1:5173/cb":                 "",
		"http://[::1]:5173/cb":                     "",
		"http://localhost:5173/cb":                 "",
		"http://app.localhost:5173/cb":             "",
		"com.example.app:/cb":                      "",
		"com.example.app://cb":                     "",
		"https://app.example/a//b":                 "",

		"":                                       "absolute URI",
		"/cb":                                    "scheme",
		"app.example/cb":                         "scheme",
		"//app.example/cb":                       "scheme",
		"https:":                                 "scheme",
		"HTTPS://app.example/cb":                 "lower case",
		"https:/app.example/cb":                  "host",
		"https:app.example/cb":                   "host",
		"https:///cb":                            "host",
		"https://?x":                             "host",
		"https://App.example/cb":                 "lower case",
		"https://app.example./cb":                "dot at the end",
		"https://2130706433/cb":                  "usual form",
		"https://0x7f.1/cb":                      "usual form",
		"https://[::ffff:192.0.2.1]/cb":          "usual form",
		"https://bücher.example/cb":              "percent-encode",
		"https://user@app.example/cb":            "username",
		"https://@app.example/cb":                "username",
		"https://app.example:/cb":                "port",
		"https://app.example:0/cb":               "port",
		"https://app.example:65536/cb":           "port",
		"https://app.example:0443/cb":            "port",
		"https://app.example/cb#x":               "fragment",
		"https://app.example/cb#":                "fragment",
		"https://*.app.example/cb":               "patterns",
		"https://app.example/*":                  "patterns",
		"https://app.example/a b":                "percent-encode",
		"https://app.example\\@evil.example/":    "percent-encode",
		"https://app.example/a\nb":               "percent-encode",
		"https://app.example/%zz":                "hexadecimal",
		"https://app.example/?a=%g":              "hexadecimal",
		"https://app.example/%":                  "hexadecimal",
		"https://app.example/../cb":              "segments",
		"https://app.example/.":                  "segments",
		"https://app.example/a/%2e%2E/cb":        "segments",
		"https://app.example/a%2fb":              "encoded slash",
		"https://app.example/a%5Cb":              "backslash",
		"https://app.example/a%00":               "control",
		"https://app.example/cb?code=1":          "code",
		"https://app.example/cb?a=1&state=":      "state",
		"https://app.example/cb?%69ss=x":         "iss",
		"http://app.example/cb":                  "https://",
		"http://127.0.0.1.example/cb":            "https://",
		"http://localhost.example/cb":            "https://",
		"http://10.0.0.1/cb":                     "https://",
		"http://127.1/cb":                        "usual form",
		"http://[::1%25lo]/cb":                   "host",
		"javascript:alert(1)":                    "has a dot",
		"data:text/html,x":                       "has a dot",
		"myapp:/cb":                              "has a dot",
		"myapp://cb":                             "has a dot",
		".app:/cb":                               "absolute",
		"com..app:/cb":                           "has a dot",
		"com.example.app:cb":                     "slash behind",
		"com.example.app://user@host/cb":         "username",
		"file:///etc/passwd":                     "has a dot",
		"https://x/" + strings.Repeat("a", 1000): "at most",
	} {
		why := syntax.CheckRedirectURI(uri)
		if (want == "") != (why == "") || !strings.Contains(why, want) {
			t.Errorf("%q: got %q, want %q", uri, why, want)
		}
	}
	for uri, want := range map[string]bool{"https://app.example/logout": true, "http://127.0.0.1:8000/logout": true, "http://app.example/logout": false,
		"com.example.app:/logout": false, "https://u@app.example/": false, "": false, "https://app.example/#": false} {
		if got := syntax.CheckWebURI(uri) == ""; got != want {
			t.Errorf("web URI %q: got %v", uri, got)
		}
	}
}

// TestRedirectURIAllowed: each requested URI looks nearly like a registered one. An attacker who gets one of them through has
// the codes of the app's users.
func TestRedirectURIAllowed(t *testing.T) {
	t.Parallel()
	registered := []string{"https://app.example/cb", "https://app.example/q?tenant=a", "http://127.0.0.1/cb", "http://127.0.0.1:5173/at?x=1", "http://[::1]/cb",
		"http://localhost:5173/cb", "com.example.app:/cb"}
	for uri, want := range map[string]bool{
		"https://app.example/cb":         true,
		"https://app.example/q?tenant=a": true,
		"http://127.0.0.1/cb":            true,
		"http://127.0.0.1:1/cb":          true,
		"http://127.0.0.1:65535/cb":      true,
		"http://127.0.0.1:80/cb":         true,
		"http://127.0.0.1/at?x=1":        true,
		"http://127.0.0.1:9/at?x=1":      true,
		"http://[::1]:49152/cb":          true,
		"http://localhost:5173/cb":       true,
		"com.example.app:/cb":            true,

		"":                                   false,
		"https://app.example/cb/":            false,
		"https://app.example/cb?":            false,
		"https://app.example/cb?x=1":         false,
		"https://app.example/cb#":            false,
		"https://app.example/cb#x":           false,
		"https://app.example/CB":             false,
		"https://app.example//cb":            false,
		"https://app.example/./cb":           false,
		"https://app.example/x/../cb":        false,
		"https://app.example/%2e/cb":         false,
		"https://app.example/%63b":           false,
		"https://app.example/cb%00":          false,
		"https://app.example/cb\x00":         false,
		"https://app.example/cb ":            false,
		" https://app.example/cb":            false,
		"https://app.example/cb\r\n":         false,
		"https://app.example\\cb":            false,
		"https:\\\\app.example\\cb":          false,
		"https:/app.example/cb":              false,
		"https:app.example/cb":               false,
		"//app.example/cb":                   false,
		"/cb":                                false,
		"HTTPS://app.example/cb":             false,
		"https://APP.example/cb":             false,
		"https://app.example./cb":            false,
		"https://app.example:443/cb":         false,
		"https://app.example:/cb":            false,
		"https://app.example:8443/cb":        false,
		"http://app.example/cb":              false,
		"https://app.example.evil.test/cb":   false,
		"https://evilapp.example/cb":         false,
		"https://evil.test/app.example/cb":   false,
		"https://app.example@evil.test/cb":   false,
		"https://app.example:x@evil.test/cb": false,
		"https://evil.test#@app.example/cb":  false,
		"https://evil.test?@app.example/cb":  false,
		"https://evil.test\\@app.example/cb": false,
		"https://user@app.example/cb":        false,
		"https://app。example/cb":             false,
		"https://аpp.example/cb":             false, // the first letter is Cyrillic
		"https://app.example/q?tenant=b":     false,
		"https://app.example/q?tenant=a&x":   false,
		"https://app.example/q?Tenant=a":     false,
		"https://app.example/q?tenant=%61":   false,

		"https://127.0.0.1/cb":               false,
		"http://127.0.0.1:0/cb":              false,
		"http://127.0.0.1:080/cb":            false,
		"http://127.0.0.1:65536/cb":          false,
		"http://127.0.0.1:/cb":               false,
		"http://127.0.0.1:+80/cb":            false,
		"http://127.0.0.1:80:80/cb":          false,
		"http://127.0.0.1:80@evil.test/cb":   false,
		"http://127.0.0.1@evil.test/cb":      false,
		"http://evil.test@127.0.0.1/cb":      false,
		"http://127.0.0.1.evil.test/cb":      false,
		"http://127.0.0.1:80\\.evil.test/cb": false,
		"http://127.0.0.1:80#@evil.test/cb":  false,
		"http://127.0.0.1:80?/cb":            false,
		"http://127.0.0.1:80//cb":            false,
		"http://127.0.0.1:80/cb/":            false,
		"http://127.0.0.2/cb":                false,
		"http://127.1/cb":                    false,
		"http://2130706433/cb":               false,
		"http://0x7f000001/cb":               false,
		"http://127.000.000.001/cb":          false,
		"http://[127.0.0.1]/cb":              false,
		"http://[::ffff:127.0.0.1]/cb":       false,
		"http://::1/cb":                      false,
		"http://[::1%lo]/cb":                 false,
		"http://[0:0:0:0:0:0:0:1]/cb":        false,
		"http://[::1]evil.test/cb":           false,
		"http://[::1]:80]:80/cb":             false,
		"http://localhost/cb":                false,
		"http://localhost:5174/cb":           false,
		"http://LOCALHOST:5173/cb":           false,
		"HTTP://127.0.0.1/cb":                false,
		"http://127.0.0.1/at?x=2":            false,

		"com.example.app://cb":  false,
		"com.example.app:/cb/":  false,
		"com.example.app:/CB":   false,
		"com.example.App:/cb":   false,
		"com.example.app2:/cb":  false,
		"com.example.app:/cb#x": false,
	} {
		if got := syntax.RedirectURIAllowed(registered, uri); got != want {
			t.Errorf("%q: got %v", uri, got)
		}
	}
	if syntax.RedirectURIAllowed(nil, "https://app.example/cb") || syntax.RedirectURIAllowed([]string{""}, "") {
		t.Error("a URI is allowed that is not registered")
	}
}

// FuzzRedirectURIAllowed: what is accepted is a registered URI, or one that a browser takes for the same place on this machine.
func FuzzRedirectURIAllowed(f *testing.F) {
	registered := []string{"https://app.example/cb", "http://127.0.0.1/cb", "http://[::1]:80/cb", "com.example.app:/cb"}
	for _, seed := range append(registered, "http://127.0.0.1:1/cb", "http://[::1]:1/cb", "http://127.0.0.1:1@evil.test/cb", "http://127.0.0.1:1\\@evil.test/cb", "http://[::1]x:1/cb") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !syntax.RedirectURIAllowed(registered, uri) || slices.Contains(registered, uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Path != "/cb" || u.RawQuery != "" || u.Fragment != "" || u.String() != uri ||
			u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
			t.Errorf("%q is allowed: %+v, %v", uri, u, err)
		}
	})
}

// FuzzCheckRedirectURI: what can be registered is an absolute URI that Go reads in the same way, and is allowed.
func FuzzCheckRedirectURI(f *testing.F) {
	for _, seed := range []string{"https://app.example/cb", "http://[::1]:80/cb?x", "com.example.app:/cb", "https://a@b/", "https:///", "a.b:/%2e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if syntax.CheckRedirectURI(uri) != "" {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || !u.IsAbs() || u.Fragment != "" || u.User != nil {
			t.Errorf("%q can be registered: %+v, %v", uri, u, err)
		}
		if !syntax.RedirectURIAllowed([]string{uri}, uri) {
			t.Errorf("%q can be registered, and is not allowed", uri)
		}
	})
}
