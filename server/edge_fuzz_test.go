package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
)

// edgeCodes are all that an app can be told (the table of errors in README.md).
var edgeCodes = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"invalid_target", "invalid_token", "insufficient_scope", "not_found", "slow_down"}

// FuzzEndpoints sends any request to the public endpoints: there is an answer of RFC 6749,
// of legal characters, and never a failure.
func FuzzEndpoints(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:web-secret"))
	for _, seed := range [][5]string{
		{"POST", "/token", basic, form, "grant_type=password&username=ada&password=a+difference+engine&scope=profile"},
		{"POST", "/token", "", form, "grant_type=client_credentials&client_id=web&client_secret=web-secret&resource=https://a.example"},
		{"POST", "/token", "", form, "grant_type=refresh_token&client_id=spa&refresh_token=signet_rt_AQAA"},
		{"POST", "/token", "Basic Og==", form, "grant_type=password&username=%61da&password=%C3%A9"},
		{"POST", "/token", "", form, "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=e30.e30.AA"},
		{"POST", "/revoke", basic, form + "; charset=UTF-8", "token=signet_rt_AAAA&token_type_hint=access_token"},
		{"POST", "/introspect", basic, form, "token=eyJhbGciOiJub25lIn0.e30."},
		{"GET", "/userinfo", "Bearer eyJhbGciOiJub25lIn0.e30.", "", ""},
		{"OPTIONS", "/token", "", "", ""},
		{"GET", "/.well-known/jwks.json", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	s := servertest.New(f, func(cfg *server.Config) { cfg.Throttle = throttle.Config{} })
	f.Fuzz(func(t *testing.T, method, path, authorization, contentType, body string) {
		if !slices.Contains([]string{"/token", "/revoke", "/introspect", "/userinfo", "/.well-known/jwks.json", "/.well-known/openid-configuration"}, path) {
			return
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Method = method
		r.Header["Authorization"], r.Header["Content-Type"] = []string{authorization}, []string{contentType}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if w.Code < 400 || method == http.MethodHead {
			return
		}
		var refusal struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
			t.Fatalf("got %d %q: %v", w.Code, w.Body, err)
		}
		if !slices.Contains(edgeCodes, refusal.Error) || refusal.Description == "" || !legal(refusal.Description) || w.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %s %v", w.Code, w.Body, w.Header())
		}
	})
}
