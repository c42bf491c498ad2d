package server_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
)

// FuzzClientAssertion sends anything as an assertion: signed by a key of the client where it comes in
// three parts, as it is where not. It is good only with the claims of a good one; whatever else it
// is, the refusal is one that other clients get too, and never a failure of the server.
func FuzzClientAssertion(f *testing.F) {
	const good = `{"iss":"robot","sub":"robot","aud":"https://auth.example.com","exp":@exp,"jti":"one"}`
	for _, seed := range [][2]string{
		{`{"alg":"ES256"}`, good},
		{`{"alg":"ES256","typ":"client-authentication+jwt"}`, strings.Replace(good, "}", `,"iat":1,"nbf":1,"x":{"y":[]}}`, 1)},
		{`{"alg":"ES256","typ":"JWT","kid":"x"}`, good},
		{`{"alg":"none"}`, good},
		{`{"alg":"ES256","alg":"HS256","jku":"http://127.0.0.1:1"}`, `{"iss":"robot","sub":"robot","aud":["a"],"exp":1e400,"jti":""}`},
		{`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"robot\u0000","sub":"robot","aud":null,"exp":"1","nbf":-1,"jti":1}`},
		{`{"alg":"ES256","kid":"\ud800"}`, strings.Repeat(`{"a":`, 50) + `1` + strings.Repeat(`}`, 50)},
		{"", "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJyb2JvdCJ9.AAAA"},
		{"", "a.b.c"},
	} {
		f.Add(seed[0], seed[1])
	}
	s := servertest.New(f, func(cfg *server.Config) {
		cfg.Issuer, cfg.Throttle = "https://auth.example.com", throttle.Config{}
	})
	key := servertest.NewAppKey(f, "ES256")
	addRobot(f, s, key.JWK(""))
	exp := s.Clock.Now().Unix() + 60
	f.Fuzz(func(t *testing.T, header, text string) {
		text = strings.ReplaceAll(text, "@exp", fmt.Sprint(exp)) // seeds cannot know the time
		assertion := text
		if header != "" {
			assertion = key.SignRaw(t, header, text)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {servertest.JWTBearer}, "client_assertion": {assertion}}
		r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200:
			checkAccepted(t, exp, header, text)
		case 400, 401, 413:
			if strings.Contains(s.Log.Drain(), assertion) && len(assertion) > 60 {
				t.Errorf("the log holds the assertion %q", assertion)
			}
		default:
			t.Fatalf("%q %q: got %d %s", header, text, w.Code, w.Body)
		}
	})
}

// checkAccepted looks at what was taken with another reader than the server's.
func checkAccepted(t *testing.T, exp int64, header, text string) {
	t.Helper()
	var claims map[string]any // names as they are spelt, unlike in a struct
	var head map[string]string
	if json.Unmarshal([]byte(header), &head) != nil || head["alg"] != "ES256" {
		t.Errorf("accepted the header %q", header)
	}
	err := json.Unmarshal([]byte(text), &claims)
	until, _ := claims["exp"].(float64)
	if err != nil || claims["iss"] != robot || claims["sub"] != robot || claims["aud"] != "https://auth.example.com" ||
		claims["jti"] == "" || until <= float64(exp-60) || until > float64(exp+270) {
		t.Errorf("accepted the claims %q", text)
	}
}
