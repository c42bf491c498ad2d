package server_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
)

// FuzzClientAssertion sends anything as an assertion: signed by a key of the client where it comes in
// three parts, as it is where not. It is good only if it says what a good one must; whatever else it
// is, the refusal is one that other clients get too, and never a failure of the server.
func FuzzClientAssertion(f *testing.F) {
	s := servertest.New(f, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{} })
	key := newAppKey(f, "ES256")
	addRobot(f, s, key.jwk(""))
	d := key.draft(s, robot)
	claims, err := json.Marshal(d.claims)
	if err != nil {
		f.Fatal(err)
	}
	now := s.Clock.Now().Unix()
	for _, seed := range [][2]string{
		{`{"alg":"ES256"}`, string(claims)},
		{`{"alg":"ES256","typ":"client-authentication+jwt","kid":"x"}`, string(claims)},
		{`{"alg":"none"}`, string(claims)},
		{`{"alg":"ES256","alg":"HS256","jku":"http://127.0.0.1:1"}`, `{"iss":"robot","sub":"robot","aud":["a"],"exp":1e400,"jti":""}`},
		{`{"alg":"ES256","typ":"at+jwt"}`, `{"iss":"robot\u0000","sub":"robot","aud":null,"exp":"1","nbf":-1,"jti":1}`},
		{`{"alg":"ES256","kid":"\ud800"}`, strings.Repeat(`{"a":`, 50) + `1` + strings.Repeat(`}`, 50)},
		{"", d.sign()},
		{"", login(f, s).str("access_token")},
		{"", "a.b.c"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, header, text string) {
		assertion := text
		if header != "" {
			assertion = key.signRaw(t, header, text)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {jwtBearer}, "client_assertion": {assertion}}
		r := httptest.NewRequest("POST", "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		switch w.Code {
		case 200:
			checkAccepted(t, s, now, header, text)
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
func checkAccepted(t *testing.T, s *servertest.Server, now int64, header, text string) {
	t.Helper()
	if header == "" {
		return // signed beforehand
	}
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                float64
	}
	var head map[string]string
	if json.Unmarshal([]byte(header), &head) != nil || head["alg"] != "ES256" {
		t.Errorf("accepted the header %q", header)
	}
	if err := json.Unmarshal([]byte(text), &claims); err != nil || claims.Iss != robot || claims.Sub != robot || claims.Aud != s.URL ||
		claims.Jti == "" || claims.Exp <= float64(now) || claims.Exp > float64(now+330) {
		t.Errorf("accepted the claims %q", text)
	}
}
