package admin_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
)

// FuzzAdmin sends any body to any path: every answer is JSON in the admin API's words, and no
// body makes the server fail.
func FuzzAdmin(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/v1/clients", `{"client_id":"x","grants":["password"],"origins":["https://a.example"],"access_token_ttl":"5m"}`},
		{"PATCH", "/v1/clients/web", `{"scopes":["a"],"audiences":["urn:x"],"claims":["roles"]}`},
		{"POST", "/v1/clients/web/secret", `{"revoke_old":true}`},
		{"POST", "/v1/users", `{"username":"bob","claims":{"a":[1,{"b":null}]}}`},
		{"POST", "/v1/users:import", "{\"username\":\"eve\",\"password_hash\":\"$2b$04$x\"}\n{}\n\n[]"},
		{"PATCH", "/v1/users/ada", `{"claims":{"a":"\ud83d\ude00","b":1e400}}`},
		{"PUT", "/v1/users/%61da/password", `{"password":"` + strings.Repeat("x", 20) + `"}`},
		{"DELETE", "/v1/users/ada/sessions/AAAAAAAAAAAAAAAAAAAAAA", ""},
		{"GET", "/v1/audit?after=1&limit=5&newest=true", ""},
		{"POST", "/v1/keys/rotate", `{"alg":"ES256"}`},
		{"GET", "/v1/clients/%ff", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	s := servertest.New(f, func(cfg *server.Config) { cfg.Policy.MinLength = 8 })
	admin := s.Admin()
	f.Fuzz(func(t *testing.T, method, target, body string) {
		if !strings.HasPrefix(target, "/") || method == "" || strings.ContainsAny(method+target, " \r\n\t\x00") {
			return
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		u, err := r.URL.Parse(target)
		if err != nil || u.Path == "/metrics" || u.Path == "/v1/backup" {
			return
		}
		r.Method, r.URL = method, u
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %s: got %d %s", method, target, w.Code, w.Body)
		}
		if w.Code == 204 {
			return
		}
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %s: got %d %q, which is not JSON: %v", method, target, w.Code, w.Body, err)
		}
		if message, _ := answer["message"].(string); w.Code >= 400 && (answer["error"] == nil || message == "") {
			t.Fatalf("%s %s: got %d %s, want an error and a message", method, target, w.Code, w.Body)
		}
	})
}
