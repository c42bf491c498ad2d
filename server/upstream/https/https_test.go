package https_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/server/outbound"
	"signet/server/upstream"
	"signet/server/upstream/https"
)

var loopback = outbound.Dialer{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

var key = []byte("a secret of both")

func source(t testing.TB, server *httptest.Server, change func(*https.Config)) *https.Source {
	t.Helper()
	cfg := https.Config{URL: server.URL + "/check?x=hidden", Secret: key, Dialer: loopback, TLS: trust(server)}
	if change != nil {
		change(&cfg)
	}
	s, err := https.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func trust(server *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	if server.Certificate() != nil {
		pool.AddCert(server.Certificate())
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, body)
}

// TestRequest: what the other system gets.
func TestRequest(t *testing.T) {
	var body []byte
	var header http.Header
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
		answer(w, `{"id":"x-1","claims":{"n":1},"disabled":true}`)
	}))
	defer server.Close()
	got, err := source(t, server, func(c *https.Config) { c.Now = func() time.Time { return time.Unix(1700000000, 0) } }).Check(t.Context(), `a"<b`, "pä ss")
	if err != nil || !got.Match || string(got.ID) != `"x-1"` || string(got.Claims["n"]) != "1" || !got.Disabled {
		t.Errorf("got %+v, %v", got, err)
	}
	var sent map[string]string
	if json.Unmarshal(body, &sent) != nil || len(sent) != 2 || sent["username"] != `a"<b` || sent["password"] != "pä ss" {
		t.Errorf("body %q", body)
	}
	if header.Get("Signet-Timestamp") != "1700000000" || header.Get("Signet-Signature") != https.Signature(key, "1700000000", body) ||
		header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", header)
	}
	// printf '1700000000.{}' | openssl dgst -sha256 -hmac 'a secret of both'
	const want = "5f0f9d5b599f175c557e6fa037e4174a6d31512c487f9edecf52a60c5322be23"
	if got := https.Signature(key, "1700000000", []byte("{}")); got != want {
		t.Errorf("signature: got %s, want %s", got, want)
	}
}

// TestFaults: nothing but an answer in the right form is a decision. Each fault is first seen by a client that follows
// whatever the server does.
func TestFaults(t *testing.T) {
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		answer(w, `{"id":1}`)
	}))
	defer elsewhere.Close()
	const yes = `{"id":1}`
	stop := make(chan struct{})
	for _, tc := range []struct {
		name   string
		handle http.HandlerFunc
		fault  func(*http.Response, []byte, error) bool // the client has seen it
		want   error
	}{
		{"down", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			func(_ *http.Response, _ []byte, err error) bool { return err != nil }, upstream.ErrUnavailable},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
			func(*http.Response, []byte, error) bool { return asked.Swap(0) == 1 }, upstream.ErrAnswer},
		{"307", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
			func(*http.Response, []byte, error) bool { return asked.Swap(0) == 1 }, upstream.ErrAnswer},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") },
			func(r *http.Response, _ []byte, _ error) bool {
				return strings.HasPrefix(r.Header.Get("Content-Type"), "text/html")
			}, upstream.ErrAnswer},
		{"right body, wrong type", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, yes) },
			func(r *http.Response, b []byte, _ error) bool { return string(b) == yes }, upstream.ErrAnswer},
		{"10 MB", func(w http.ResponseWriter, _ *http.Request) {
			answer(w, `{"id":"`+strings.Repeat("x", 10<<20)+`"}`)
		}, func(_ *http.Response, b []byte, err error) bool { return err == nil && len(b) > 10<<20 }, upstream.ErrAnswer},
		{"500", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
			fmt.Fprint(w, `"no"`)
		}, func(r *http.Response, _ []byte, _ error) bool { return r.StatusCode == 500 }, upstream.ErrAnswer},
		{"401, as for a bad signature", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(401)
			fmt.Fprint(w, `"no"`)
		}, func(r *http.Response, _ []byte, _ error) bool { return r.StatusCode == 401 }, upstream.ErrAnswer},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
			func(r *http.Response, _ []byte, _ error) bool { return r.StatusCode == 503 }, upstream.ErrUnavailable},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
			func(r *http.Response, _ []byte, _ error) bool { return r.StatusCode == 204 }, upstream.ErrAnswer},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			answer(w, `"no"`)
		}, func(_ *http.Response, b []byte, err error) bool { return err != nil && string(b) == `"no"` }, upstream.ErrUnavailable},
		{"slow", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, " ")
			_ = http.NewResponseController(w).Flush()
			<-stop
		}, func(_ *http.Response, _ []byte, err error) bool { return errors.Is(err, context.DeadlineExceeded) }, upstream.ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(tc.handle)
			server.Config.ErrorLog = nil
			server.StartTLS()
			defer server.Close()
			if tc.name == "slow" {
				defer close(stop)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if tc.name == "slow" {
				ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
			}
			witness := &http.Client{Transport: &http.Transport{TLSClientConfig: trust(server)}}
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("{}"))
			resp, err := witness.Do(req)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if !tc.fault(resp, body, err) {
				t.Fatalf("the fault did not happen: %v, %.100q, %v", resp, body, err)
			}
			if tc.name == "slow" {
				ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
			}
			got, err := source(t, server, nil).Check(ctx, "ada", "correct horse")
			if got.Match || !errors.Is(err, tc.want) {
				t.Errorf("got %+v, %v; want %v", got, err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "correct horse")) {
				t.Errorf("the error shows what it must not: %v", err)
			}
			if asked.Load() != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// TestBodies: what is an answer, and what is none.
func TestBodies(t *testing.T) {
	body := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, body) }))
	defer server.Close()
	s := source(t, server, nil)
	for _, tc := range []struct {
		body  string
		match bool
		want  error
	}{
		{`"no"`, false, nil},
		{" \"no\"\n", false, nil},
		{`{"id":1}`, true, nil},
		{`{"id":"a","claims":null,"disabled":null}`, true, nil},
		{``, false, upstream.ErrAnswer},
		{`no`, false, upstream.ErrAnswer},
		{`"No"`, false, upstream.ErrAnswer},
		{`null`, false, upstream.ErrAnswer},
		{`false`, false, upstream.ErrAnswer},
		{`{}`, false, upstream.ErrAnswer},
		{`[]`, false, upstream.ErrAnswer},
		{`{"id":1}"no"`, false, upstream.ErrAnswer},
		{`"no"{"id":1}`, false, upstream.ErrAnswer},
		{`{"id":1,"id":2}`, false, upstream.ErrAnswer},
		{`{"id":1,"disabled":"yes"}`, false, upstream.ErrAnswer},
		{`{"ID":1}`, false, upstream.ErrAnswer},
		{`{"id":1,"admin":true}`, false, upstream.ErrAnswer},
		{`{"id":1,"claims":[]}`, false, upstream.ErrAnswer},
		{`{"id":1,"claims":{"a":1,"a":2}}`, false, upstream.ErrAnswer},
		{"{\"id\":\"\xff\"}", false, upstream.ErrAnswer},
		{"\ufeff\"no\"", false, upstream.ErrAnswer},
	} {
		body = tc.body
		got, err := s.Check(t.Context(), "ada", "x")
		if got.Match != tc.match || !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%q: got %+v, %v; want %v, %v", tc.body, got, err, tc.match, tc.want)
		}
	}
}

// TestTLS: an unknown authority is refused, and a client certificate is shown where there is one.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		answer(w, `"no"`)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	if _, err := source(t, server, func(c *https.Config) { c.TLS = nil }).Check(t.Context(), "a", "b"); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("an unknown authority: got %v", err)
	}
	_, err := source(t, server, func(c *https.Config) { c.Secret = nil }).Check(t.Context(), "a", "b")
	if !errors.Is(err, upstream.ErrAnswer) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without a certificate: got %v", err)
	}
	if _, err := source(t, server, nil).Check(t.Context(), "a", "b"); !errors.Is(err, upstream.ErrAnswer) || !strings.Contains(err.Error(), "secret") {
		t.Errorf("with a secret, where a certificate is wanted: got %v", err)
	}
	if _, err := source(t, server, func(c *https.Config) { c.TLS.Certificates = server.TLS.Certificates }).Check(t.Context(), "a", "b"); err != nil {
		t.Errorf("with a certificate: got %v", err)
	}
}

// TestPrivate: a URL that leads to a private network is not called.
func TestPrivate(t *testing.T) {
	called := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	s := source(t, server, func(c *https.Config) { c.URL, c.Dialer = "http://localhost:"+port, outbound.Dialer{} })
	if _, err := s.Check(t.Context(), "a", "b"); !errors.Is(err, outbound.ErrNetwork) || !errors.Is(err, upstream.ErrUnavailable) || called {
		t.Errorf("got %v, called %v", err, called)
	}
}
