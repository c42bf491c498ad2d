package e2e

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// fastAPI is the recipe in deploy/examples/fastapi, run by uvicorn just as it is there.
type fastAPI struct {
	t   testing.TB
	url string
	log *lockedBuffer
}

var uvicornAddress = regexp.MustCompile(`Uvicorn running on (http://127\.0\.0\.1:\d+)`)

// fastAPIPython is an interpreter that has what requirements.txt names.
func fastAPIPython(t testing.TB) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import fastapi, jwt, uvicorn, cryptography").Run() == nil {
			return python
		}
	}
	needs(t, "FastAPI with PyJWT and uvicorn", "apt-get install python3-fastapi python3-jwt python3-uvicorn python3-cryptography")
	return ""
}

func startFastAPI(t testing.TB, issuer string, env ...string) *fastAPI {
	t.Helper()
	return runFastAPI(t, "../../../deploy/examples/fastapi", issuer, env...)
}

// runFastAPI runs the main.py in dir.
func runFastAPI(t testing.TB, dir, issuer string, env ...string) *fastAPI {
	t.Helper()
	cmd := exec.Command(fastAPIPython(t), "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TOKEN_ISSUER="+issuer, "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=127.0.0.1")
	cmd.Env = append(cmd.Env, env...)
	api := &fastAPI{t: t, log: &lockedBuffer{}}
	cmd.Stdout, cmd.Stderr = api.log, api.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	waitFor(t, "uvicorn", func() bool {
		select {
		case <-exited:
			t.Fatalf("uvicorn ended:\n%s", api.log)
		default:
		}
		if found := uvicornAddress.FindStringSubmatch(api.log.String()); found != nil {
			api.url = found[1]
		}
		return api.url != ""
	})
	return api
}

// me asks /users/me with the Authorization header as given; none if it is empty.
func (a *fastAPI) me(authorization string) (*http.Response, map[string]any) {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodGet, a.url+"/users/me", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	patient := http.Client{Timeout: 20 * time.Second} // not as patient as urllib
	res, err := patient.Do(req)
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.log)
	}
	defer res.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(res.Body).Decode(&body)
	return res, body
}

// want checks the status of an answer to a token, and what comes with that status.
func (a *fastAPI) want(what, authorization string, status int) {
	a.t.Helper()
	res, body := a.me(authorization)
	switch {
	case res.StatusCode != status:
		a.t.Errorf("%s: got %d %v, want %d\n%s", what, res.StatusCode, body, status, a.log)
	case status == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") != "Bearer":
		a.t.Errorf("%s: got WWW-Authenticate %q, want Bearer", what, res.Header.Get("WWW-Authenticate"))
	case status == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "":
		a.t.Errorf("%s: 503 without Retry-After", what)
	case status == http.StatusOK && body["sub"] == "":
		a.t.Errorf("%s: got %v, want a user", what, body)
	}
}

// swaggerLogin is what the Authorize button of a FastAPI docs page sends, the preflight first. The
// id and the secret are empty where the user left the fields so.
func swaggerLogin(t testing.TB, d demo, id, secret string) (status int, body map[string]any) {
	t.Helper()
	const origin = "http://127.0.0.1:8000"
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		form := url.Values{"grant_type": {"password"}, "scope": {""}, "username": {d.Username}, "password": {d.Password}}
		req, err := http.NewRequest(method, d.Issuer+"/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			req.Body, req.ContentLength = http.NoBody, 0
			req.Header.Set("Access-Control-Request-Method", http.MethodPost)
			req.Header.Set("Access-Control-Request-Headers", "authorization,x-requested-with")
		} else {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("X-Requested-With", "XMLHttpRequest")
			req.SetBasicAuth(id, secret)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("%s: got %d with Access-Control-Allow-Origin %q, want %s", method, res.StatusCode, got, origin)
		}
		allowed := res.Header.Get("Access-Control-Allow-Headers")
		if method == http.MethodOptions && !(strings.Contains(allowed, "authorization") && strings.Contains(allowed, "x-requested-with")) {
			t.Errorf("the preflight allows the headers %q; Swagger sends authorization and x-requested-with", allowed)
		}
		_ = json.NewDecoder(res.Body).Decode(&body)
		res.Body.Close()
		status = res.StatusCode
	}
	return status, body
}

// accessToken logs the user in as code written after FastAPI's guide does, with these parameters more.
func (d demo) accessToken(t testing.TB, more url.Values) string {
	t.Helper()
	form := url.Values{"grant_type": {"password"}, "username": {d.Username}, "password": {d.Password}}
	maps.Copy(form, more)
	status, body := post(t, d.Issuer+"/token", form)
	if status != http.StatusOK {
		t.Fatalf("login: got %d %v", status, body)
	}
	return body["access_token"].(string)
}

func TestFastAPI(t *testing.T) {
	t.Parallel()
	p, other := startDev(t, t.TempDir()), startDev(t, t.TempDir())
	api := startFastAPI(t, p.demo.Issuer)
	d := p.demo
	good := d.accessToken(t, nil)
	api.want("the guide's form, which names no client", "Bearer "+good, http.StatusOK)
	if _, user := api.me("bearer " + good); user["username"] != d.Username || !strings.HasPrefix(user["sub"].(string), "usr_") {
		t.Errorf("got %v, want the user %s", user, d.Username)
	}
	for name, client := range map[string][2]string{"Swagger without a client": {}, "Swagger with a client": {d.ClientID, d.ClientSecret}} {
		status, body := swaggerLogin(t, d, client[0], client[1])
		if status != http.StatusOK {
			t.Errorf("%s: got %d %v", name, status, body)
			continue
		}
		api.want(name, "Bearer "+body["access_token"].(string), http.StatusOK)
	}

	elsewhere := url.Values{"client_id": {"elsewhere"}, "client_secret": {p.createClient("elsewhere", "--audience", "https://elsewhere.example.com")}}
	machine := url.Values{"grant_type": {"client_credentials"}, "client_id": {d.ClientID}, "client_secret": {d.ClientSecret}}
	_, tokens := post(t, d.Issuer+"/token", d.login())
	parts := strings.Split(good, ".")
	none := b64([]byte(`{"typ":"at+jwt","alg":"none","kid":"` + kidOf(t, good) + `"}`))
	for what, authorization := range map[string]string{
		"no token":                   "",
		"another scheme":             "Basic " + parts[1],
		"an empty token":             "Bearer ",
		"not a token":                "Bearer x.y.z",
		"a refresh token":            "Bearer " + tokens["refresh_token"].(string),
		"a changed claim":            "Bearer " + tamper(t, good, "preferred_username", "root"),
		"a changed signature":        "Bearer " + strings.Join([]string{parts[0], parts[1], flip(parts[2])}, "."),
		"no signature":               "Bearer " + parts[0] + "." + parts[1] + ".",
		"alg none":                   "Bearer " + none + "." + parts[1] + ".",
		"alg none, with a signature": "Bearer " + none + "." + parts[1] + "." + parts[2],
		"another issuer's":           "Bearer " + other.demo.accessToken(t, nil),
		"for another service":        "Bearer " + d.accessToken(t, elsewhere),
	} {
		api.want(what, authorization, http.StatusUnauthorized)
	}
	api.want("a client's own", "Bearer "+d.accessToken(t, machine), http.StatusForbidden)
	api.want("the good one after all", "Bearer "+good, http.StatusOK)
}

// flip changes bits in the middle; the last character has some that decoders do not look at.
func flip(s string) string {
	middle := []byte(s)
	if middle[len(s)/2]++; middle[len(s)/2] > 'Z' {
		middle[len(s)/2] = 'A'
	}
	return string(middle)
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	var header struct{ Kid string }
	jwtPart(t, token, 0, &header)
	if header.Kid == "" {
		t.Fatal("no kid")
	}
	return header.Kid
}

// A rotation under the eyes of one running app: no token is ever refused before it has expired.
func TestFastAPIRotation(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "/auth", "SIGNET_KEYS_PUBLISH=6s", "SIGNET_KEYS_ACTIVE=6s", "SIGNET_KEYS_RETAIN=15s", "SIGNET_KEYS_CACHE=0s",
		"SIGNET_KEYS_CDN=0s", "SIGNET_KEYS_SKEW=0s", "SIGNET_KEYS_MAX_TOKEN_LIFE=10s", "SIGNET_KEYS_LEEWAY=0s", "SIGNET_KEYS_SIGN_STALE=5s",
		"SIGNET_KEYS_SERVE_STALE=6s", "SIGNET_KEYS_POLL=200ms", "SIGNET_ACCESS_TOKEN_TTL=10s")
	short := url.Values{"client_id": {"short"}, "client_secret": {p.createClient("short", "--ttl", "4s")}}
	api := startFastAPI(t, p.demo.Issuer, "TOKEN_LEEWAY=0")       // as SIGNET_KEYS_LEEWAY above
	published, now := map[string]bool{}, kidsOf(t, p.demo.Issuer) // the key set when old was issued, and when fresh was
	old, fresh := "", p.demo.accessToken(t, short)
	waitFor(t, "the next key to sign", func() bool {
		published, now = now, kidsOf(t, p.demo.Issuer)
		old, fresh = fresh, p.demo.accessToken(t, short)
		api.want("a token just issued", "Bearer "+fresh, http.StatusOK)
		return kidOf(t, fresh) != kidOf(t, old)
	})
	if !published[kidOf(t, fresh)] || !now[kidOf(t, old)] {
		t.Errorf("%s signed when the key set was %v; then %s did, when it was %v", kidOf(t, old), published, kidOf(t, fresh), now)
	}
	// A kid that it does not know makes the app fetch the key set of now, after the rotation.
	parts := strings.Split(old, ".")
	stray := b64([]byte(`{"typ":"at+jwt","alg":"ES256","kid":"stray"}`))
	api.want("a key that does not exist", "Bearer "+stray+"."+parts[1]+"."+parts[2], http.StatusUnauthorized)
	expiry := time.Unix(int64(claimsOf(t, old)["exp"].(float64)), 0)
	accepted := 0
	waitFor(t, "the old key's token to expire", func() bool {
		res, _ := api.me("Bearer " + old)
		if res.StatusCode == http.StatusOK {
			accepted++
			return false
		}
		return true
	})
	if now := time.Now(); accepted == 0 || now.Before(expiry) {
		t.Errorf("the old key's token was accepted %d times and refused at %v; it expires at %v", accepted, now, expiry)
	}
	api.want("expired", "Bearer "+old, http.StatusUnauthorized)
	api.want("a token of now", "Bearer "+p.demo.accessToken(t, short), http.StatusOK)
}

// kidsOf are the kids in the issuer's key set.
func kidsOf(t testing.TB, issuer string) map[string]bool {
	t.Helper()
	res, err := http.Get(issuer + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	kids := map[string]bool{}
	for _, key := range set.Keys {
		kids[key.KeyID] = true
	}
	return kids
}

// forger is an issuer that signs whatever it is told to, and whose key set can fail in every way.
type forger struct {
	url   string
	key   *ecdsa.PrivateKey  // k1, which signs the tokens
	other ed25519.PrivateKey // ed, of an algorithm that the app was not told to accept
	mood  atomic.Value       // how the key set is answered
}

func newForger(t *testing.T) *forger {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{key: key, other: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *forger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch f.mood.Load() {
	case "an error":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "a page":
		_, _ = w.Write([]byte("<!doctype html><title>Welcome</title>"))
	case "no object":
		_, _ = w.Write([]byte("[]"))
	case "no keys":
		_, _ = w.Write([]byte(`{"keys":[]}`))
	case "half an answer":
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"keys":[`))
	case "no answer":
		panic(http.ErrAbortHandler)
	case "nothing for long":
		<-r.Context().Done()
	default:
		point, _ := f.key.PublicKey.Bytes() // of a curve that has the form
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{
			{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1", "x": b64(point[1:33]), "y": b64(point[33:])},
			{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "ed", "x": b64(f.other.Public().(ed25519.PublicKey))},
		}})
	}
}

// token is a good one but for the changes; nil takes a member out.
func (f *forger) token(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": f.url, "aud": f.url, "sub": "usr_1", "client_id": "web",
		"iat": now, "nbf": now, "exp": now + 300})
	token.Header["typ"], token.Header["kid"] = "at+jwt", "k1"
	change := func(members, changes map[string]any) {
		for name, value := range changes {
			if members[name] = value; value == nil {
				delete(members, name)
			}
		}
	}
	change(token.Header, header)
	change(token.Claims.(jwt.MapClaims), claims)
	signed, err := token.SignedString(f.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// unaccepted is a good token of an algorithm that the app was not told to accept.
func (f *forger) unaccepted(t testing.TB) string {
	t.Helper()
	parts := strings.Split(f.token(t, map[string]any{"alg": "EdDSA", "kid": "ed"}, nil), ".")
	return parts[0] + "." + parts[1] + "." + b64(ed25519.Sign(f.other, []byte(parts[0]+"."+parts[1])))
}

// confused is a token signed with the public key as if it were a shared secret.
func (f *forger) confused(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(f.token(t, map[string]any{"alg": "HS256"}, nil), ".")
	signature, err := jwt.SigningMethodHS256.Sign(parts[0]+"."+parts[1], pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + parts[1] + "." + b64(signature)
}

// Every check of the recipe by itself: these tokens have a good signature, and one thing wrong.
func TestFastAPIChecks(t *testing.T) {
	t.Parallel()
	f := newForger(t)
	api := startFastAPI(t, f.url)
	type members = map[string]any
	good, unknown := "Bearer "+f.token(t, nil, nil), "Bearer "+f.token(t, members{"kid": "k2"}, nil)

	for _, mood := range []string{"an error", "a page", "no object", "no keys", "half an answer", "no answer", "nothing for long"} {
		f.mood.Store(mood)
		api.want("a key set that is "+mood, good, http.StatusServiceUnavailable)
	}
	f.mood.Store("fine")
	api.want("a key set that is fine again", good, http.StatusOK)
	f.mood.Store("an error")
	api.want("a key that is known, in an outage", good, http.StatusOK)
	api.want("a key that is not known, in an outage", unknown, http.StatusServiceUnavailable)
	api.want("a key that is still known", good, http.StatusOK)
	f.mood.Store("fine")
	api.want("a key that does not exist", unknown, http.StatusUnauthorized)

	soon, past := time.Now().Add(time.Minute).Unix(), time.Now().Add(-time.Minute).Unix()
	parts := strings.Split(strings.TrimPrefix(good, "Bearer "), ".")
	deep := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 5_000)))
	for what, token := range map[string]string{
		"another issuer":           f.token(t, nil, members{"iss": "https://evil.example"}),
		"the issuer with a slash":  f.token(t, nil, members{"iss": f.url + "/"}),
		"no issuer":                f.token(t, nil, members{"iss": nil}),
		"another audience":         f.token(t, nil, members{"aud": "https://api.example.com"}),
		"other audiences":          f.token(t, nil, members{"aud": []string{"a", "b"}}),
		"no audience":              f.token(t, nil, members{"aud": nil}),
		"expired":                  f.token(t, nil, members{"exp": past}),
		"no expiry":                f.token(t, nil, members{"exp": nil}),
		"an expiry that is a list": f.token(t, nil, members{"exp": []int{1}}),
		"not yet valid":            f.token(t, nil, members{"nbf": soon}),
		"no subject":               f.token(t, nil, members{"sub": nil}),
		"no client":                f.token(t, nil, members{"client_id": nil}),
		"an id_token":              f.token(t, members{"typ": "JWT"}, nil),
		"no type":                  f.token(t, members{"typ": nil}, nil),
		"no kid":                   f.token(t, members{"kid": nil}, nil),
		"a kid that is a number":   f.token(t, members{"kid": 1}, nil),
		"alg none":                 f.token(t, members{"alg": "none"}, nil),
		"the alg of another kind":  f.token(t, members{"alg": "RS256"}, nil),
		"an alg not accepted here": f.unaccepted(t),
		"the public key as secret": f.confused(t),
		"a header without end":     deep + "." + parts[1] + "." + parts[2],
		"claims without end":       parts[0] + "." + deep + "." + parts[2],
	} {
		api.want(what, "Bearer "+token, http.StatusUnauthorized)
	}
	if log := api.log.String(); !strings.Contains(log, "token refused: ExpiredSignatureError") || !strings.Contains(log, "token refused: InvalidAudienceError") {
		t.Errorf("the app's log does not have the reasons of its refusals:\n%s", log)
	}
	ahead := time.Now().Add(2 * time.Second).Unix()
	api.want("a token of a server whose clock is 2 s ahead", "Bearer "+f.token(t, nil, members{"iat": ahead, "nbf": ahead}), http.StatusOK)
	api.want("several audiences", "Bearer "+f.token(t, nil, members{"aud": []string{"a", f.url}}), http.StatusOK)
	api.want("the good one after all", good, http.StatusOK)
}
