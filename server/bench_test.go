package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signet/server/servertest"
)

// BenchmarkRefresh is one session that goes on and on. Its time is that of the store's commits; what counts is
// what it allocates.
func BenchmarkRefresh(b *testing.B) { benchmarkRefresh(b, servertest.New(b, nil)) }

// BenchmarkRefreshOpenID is BenchmarkRefresh with an id_token: a second signature.
func BenchmarkRefreshOpenID(b *testing.B) {
	s := servertest.New(b, nil)
	withOpenID(b, s)
	benchmarkRefresh(b, s)
}

func benchmarkRefresh(b *testing.B, s *servertest.Server) {
	b.Helper()
	token := s.Login(b).Str("refresh_token")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type=refresh_token&client_id=web&client_secret=web-secret&refresh_token="+token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var issued struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &issued); err != nil || w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body, err)
		}
		token = issued.RefreshToken
	}
}

// What one request costs inside the handler, without the network.
func BenchmarkHandler(b *testing.B) {
	s := servertest.New(b, nil)
	for _, bench := range []struct{ name, method, path, body string }{
		{"client_credentials", "POST", "/token", "grant_type=client_credentials&client_id=web&client_secret=web-secret"},
		{"password", "POST", "/token", "grant_type=password&client_id=web&client_secret=web-secret&username=" + servertest.User + "&password=" + url.QueryEscape(servertest.Password)},
		{"jwks", "GET", "/.well-known/jwks.json", ""},
		{"refused", "POST", "/token", "grant_type=refresh_token&refresh_token=x&client_id=web&client_secret=web-secret"},
		{"introspect", "POST", "/introspect", "client_id=web&client_secret=web-secret&token=" + s.Login(b).Str("access_token")},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(bench.method, bench.path, strings.NewReader(bench.body))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code >= http.StatusInternalServerError {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
