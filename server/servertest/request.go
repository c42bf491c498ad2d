package servertest

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Raw    string
	JSON   map[string]any // nil where the body is no JSON object
	Closed bool           // the server closes the connection behind it
}

// Str returns the string member of the JSON object, or nothing.
func (a Answer) Str(name string) string {
	s, _ := a.JSON[name].(string)
	return s
}

// WantsMessage checks the message of an error of the admin API.
func (a Answer) WantsMessage(t testing.TB, part string) {
	t.Helper()
	if got := a.Str("message"); !strings.Contains(got, part) {
		t.Errorf("message: got %q, want it to contain %q", got, part)
	}
}

// Request is an HTTP request that a test makes in steps.
type Request struct {
	T      testing.TB
	Server *Server
	Method string
	Path   string
	Body   string
	Header http.Header
	Note   func(Answer) // is called with the answer; may be nil
}

// Call returns a request without a body.
func (s *Server) Call(t testing.TB, method, path string) *Request {
	return &Request{T: t, Server: s, Method: method, Path: path, Header: http.Header{}}
}

// Form returns a POST of the parameters, given as name=value with the value not yet encoded.
func (s *Server) Form(t testing.TB, path string, params ...string) *Request {
	values := url.Values{}
	for _, param := range params {
		name, value, _ := strings.Cut(param, "=")
		values.Add(name, value)
	}
	return s.Call(t, http.MethodPost, path).Raw(values.Encode())
}

// CallJSON returns a request of the admin API.
func (s *Server) CallJSON(t testing.TB, method, path, body string) *Request {
	return s.Call(t, method, path).Set("Content-Type", "application/json").WithBody(body)
}

// Raw sets an encoded form as the body.
func (r *Request) Raw(form string) *Request {
	return r.Set("Content-Type", "application/x-www-form-urlencoded").WithBody(form)
}

// WithBody sets the body alone.
func (r *Request) WithBody(body string) *Request {
	r.Body = body
	return r
}

// Set sets a header field.
func (r *Request) Set(name, value string) *Request {
	r.Header.Set(name, value)
	return r
}

// Basic authenticates a client by its secret (RFC 6749 §2.3.1).
func (r *Request) Basic(id, secret string) *Request {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return r.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
}

// Bearer sends an access token (RFC 6750 §2.1).
func (r *Request) Bearer(token string) *Request { return r.Set("Authorization", "Bearer "+token) }

// Web authenticates the client Web.
func (r *Request) Web() *Request { return r.Basic(Web, WebSecret) }

// Do sends the request.
func (r *Request) Do() Answer {
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), r.Method, r.Server.URL+r.Path, strings.NewReader(r.Body))
	must(r.T, err)
	req.Header = r.Header
	res, err := Client.Do(req)
	must(r.T, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(r.T, err)
	a := Answer{Status: res.StatusCode, Header: res.Header, Raw: string(body), Closed: res.Close}
	_ = json.Unmarshal(body, &a.JSON)
	if r.Note != nil {
		r.Note(a)
	}
	return a
}

// Wants sends the request and checks the status and the error code, which is empty where there is none.
func (r *Request) Wants(status int, code string) Answer {
	r.T.Helper()
	a := r.Do()
	if a.Status != status || a.Str("error") != code {
		r.T.Errorf("%s %s: got %d %q, want %d %q\n%s", r.Method, r.Path, a.Status, a.Str("error"), status, code, a.Raw)
	}
	return a
}

// Serve has the request answered inside the process, without a network, and returns the status.
func (r *Request) Serve() int {
	req := httptest.NewRequest(r.Method, r.Path, strings.NewReader(r.Body))
	req.Header = r.Header
	w := httptest.NewRecorder()
	r.Server.ServeHTTP(w, req)
	return w.Code
}

// Login returns the tokens of User in the client Web.
func (s *Server) Login(t testing.TB, more ...string) Answer {
	t.Helper()
	return s.PasswordLogin(t, User, Password, more...).Wants(http.StatusOK, "")
}

// PasswordLogin is a login in the client Web.
func (s *Server) PasswordLogin(t testing.TB, username, password string, more ...string) *Request {
	return s.Form(t, "/token", append([]string{"grant_type=password", "username=" + username, "password=" + password}, more...)...).Web()
}

// ClientToken asks for a token of the client's own.
func (s *Server) ClientToken(t testing.TB, id, secret string) *Request {
	return s.Form(t, "/token", "grant_type=client_credentials").Basic(id, secret)
}

// Refresh is a refresh in the client Web.
func (s *Server) Refresh(t testing.TB, token string, more ...string) *Request {
	return s.Form(t, "/token", append([]string{"grant_type=refresh_token", "refresh_token=" + token}, more...)...).Web()
}

// Introspect returns what the client Web learns of the token.
func (s *Server) Introspect(t testing.TB, token string) Answer {
	t.Helper()
	return s.Form(t, "/introspect", "token="+token).Web().Wants(http.StatusOK, "")
}

// Active reports whether the token is active. Of any other, introspection may reveal nothing more.
func (s *Server) Active(t testing.TB, token string) bool {
	t.Helper()
	a := s.Introspect(t, token)
	on, _ := a.JSON["active"].(bool)
	if !on && a.Raw != "{\"active\":false}\n" {
		t.Errorf("introspection of a token that is not active: got %s, want nothing but active false", a.Raw)
	}
	return on
}

// Userinfo asks for the user of the access token.
func (s *Server) Userinfo(t testing.TB, token string) *Request {
	return s.Call(t, http.MethodGet, "/userinfo").Bearer(token)
}

// DecodeJWT returns the header and the claims of a token, unverified.
func DecodeJWT(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts", len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(raw, into))
	}
	return header, claims
}
