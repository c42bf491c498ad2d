package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/server/servertest"
)

// answer is what came back, read to the end.
type answer struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any // nil where the body is no JSON object
	Closed bool           // the server closes the connection behind it
}

func (a answer) str(name string) string {
	s, _ := a.JSON[name].(string)
	return s
}

// request is one HTTP request in the making.
type request struct {
	t      testing.TB
	s      *servertest.Server
	method string
	path   string
	body   string
	header http.Header
	note   func(answer) // told of the answer; may be nil
}

func call(t testing.TB, s *servertest.Server, method, path string) *request {
	return &request{t: t, s: s, method: method, path: path, header: http.Header{}}
}

// form makes a POST of the parameters, given as name=value with the value not yet encoded.
func form(t testing.TB, s *servertest.Server, path string, params ...string) *request {
	r := call(t, s, http.MethodPost, path)
	values := url.Values{}
	for _, param := range params {
		name, value, _ := strings.Cut(param, "=")
		values.Add(name, value)
	}
	return r.raw(values.Encode())
}

func (r *request) raw(body string) *request {
	r.body = body
	return r.set("Content-Type", "application/x-www-form-urlencoded")
}

func (r *request) set(name, value string) *request {
	r.header.Set(name, value)
	return r
}

func (r *request) basic(id, secret string) *request {
	req := http.Request{Header: r.header}
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r
}

func (r *request) web() *request { return r.basic(servertest.Web, servertest.WebSecret) }

func (r *request) do() answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), r.method, r.s.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = r.header
	res, err := servertest.Client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{Status: res.StatusCode, Header: res.Header, Raw: string(body), Closed: res.Close}
	_ = json.Unmarshal(body, &a.JSON)
	if r.note != nil {
		r.note(a)
	}
	return a
}

// wants checks status and, where it is not empty, the error code.
func (r *request) wants(status int, code string) answer {
	r.t.Helper()
	a := r.do()
	if a.Status != status || a.str("error") != code {
		r.t.Errorf("%s %s: got %d %q, want %d %q\n%s", r.method, r.path, a.Status, a.str("error"), status, code, a.Raw)
	}
	return a
}

// login returns the tokens of the test's user in a client.
func login(t testing.TB, s *servertest.Server, more ...string) answer {
	t.Helper()
	return form(t, s, "/token", append([]string{"grant_type=password", "username=" + servertest.User, "password=" + servertest.Password}, more...)...).
		web().wants(http.StatusOK, "")
}

func refresh(t testing.TB, s *servertest.Server, token string, more ...string) *request {
	return form(t, s, "/token", append([]string{"grant_type=refresh_token", "refresh_token=" + token}, more...)...).web()
}

func introspect(t testing.TB, s *servertest.Server, token string) answer {
	t.Helper()
	return form(t, s, "/introspect", "token="+token).web().wants(http.StatusOK, "")
}

func active(t testing.TB, s *servertest.Server, token string) bool {
	t.Helper()
	a := introspect(t, s, token)
	on, _ := a.JSON["active"].(bool)
	if !on && a.Raw != "{\"active\":false}\n" {
		t.Errorf("introspection of a token that is not live: got %s, want nothing but active false", a.Raw)
	}
	return on
}

// checkRefusal: JSON that nobody stores, an id to quote, a description of RFC 6749 §5.2's characters
// with nothing of what was sent, a challenge with every 401 and Retry-After with every 429 and 503.
func checkRefusal(t testing.TB, a answer) {
	t.Helper()
	h := a.Header
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if h.Get("X-Request-Id") == "" || a.str("error") == "" || a.str("error_description") == "" || !legal(a.str("error_description")) {
		t.Errorf("not a refusal of RFC 6749 §5.2: %v %s", h, a.Raw)
	}
	if (a.Status == http.StatusUnauthorized) != strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic realm=") {
		t.Errorf("%d with WWW-Authenticate %q", a.Status, h.Get("WWW-Authenticate"))
	}
	if (a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable) == (h.Get("Retry-After") == "") {
		t.Errorf("%d with Retry-After %q", a.Status, h.Get("Retry-After"))
	}
	if strings.Contains(a.Raw, "canary") {
		t.Errorf("the answer has what was sent: %s", a.Raw)
	}
}

// legal reports whether the text is of RFC 6749 §5.2's characters for error_description.
func legal(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' })
}
