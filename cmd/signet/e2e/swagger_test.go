package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// docs is the FastAPI recipe behind an origin that is known to be registered. Its docs page is as
// FastAPI makes it, except that Swagger UI comes from the same place and not from a CDN.
type docs struct {
	url string

	mu     sync.Mutex
	bearer []string // Authorization of the requests for /users/me
}

var swaggerCDN = regexp.MustCompile(`https://cdn\.jsdelivr\.net/npm/swagger-ui-dist@[\d.]+/`)

func startDocs(t testing.TB, issuer string) *docs {
	t.Helper()
	_, folder := npmFolder(t, "browser")
	api, err := url.Parse(startFastAPI(t, issuer).url)
	if err != nil {
		t.Fatal(err)
	}
	d := &docs{}
	proxy := httputil.NewSingleHostReverseProxy(api)
	proxy.ModifyResponse = localSwagger
	mux := http.NewServeMux()
	mux.Handle("/swagger/", http.StripPrefix("/swagger/", http.FileServer(http.Dir(filepath.Join(folder, "node_modules/swagger-ui-dist")))))
	mux.Handle("/", proxy)
	mux.HandleFunc("/users/me", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.bearer = append(d.bearer, r.Header.Get("Authorization"))
		d.mu.Unlock()
		proxy.ServeHTTP(w, r)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	d.url = srv.URL
	return d
}

// localSwagger has the docs page load Swagger UI from here.
func localSwagger(res *http.Response) error {
	if res.Request.URL.Path != "/docs" {
		return nil
	}
	html, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body.Close()
	local := swaggerCDN.ReplaceAllString(string(html), "/swagger/")
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(local)), int64(len(local))
	res.Header.Set("Content-Length", fmt.Sprint(len(local)))
	return nil
}

// lastBearer is the token of the last request for /users/me.
func (d *docs) lastBearer() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.bearer) == 0 {
		return ""
	}
	return strings.TrimPrefix(d.bearer[len(d.bearer)-1], "Bearer ")
}

// authorize opens the docs page, fills in the form of the Authorize button and sends it.
func (d *docs) authorize(t *testing.T, b *chromium, fields map[string]string, inBody bool) *tab {
	t.Helper()
	p := b.open(t, d.url+"/docs")
	p.click(".scheme-container .btn.authorize")
	for id, text := range fields {
		if text != "" {
			p.fill("#"+id, text)
		}
	}
	if inBody {
		p.eval(`(() => {
			const how = document.querySelector("#password_type")
			Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value").set.call(how, "request-body")
			how.dispatchEvent(new Event("change", {bubbles: true}))
		})()`, nil)
	}
	p.click(".auth-btn-wrapper .btn.authorize")
	p.await("an answer of the Authorize button", `document.querySelector(".auth-container .errors, .auth-container h6")`)
	return p
}

// tryOut has the page call /users/me, and returns the status and the body that it then shows.
func (d *docs) tryOut(p *tab) (status, body string) {
	p.click(".auth-btn-wrapper .btn-done")
	p.click(".opblock-summary-control")
	p.click(".try-out__btn")
	p.click(".btn.execute")
	const shown = ".live-responses-table .response"
	p.await("an answer of /users/me", fmt.Sprintf("document.querySelector(%q)", shown+" .response-col_status"))
	p.eval(fmt.Sprintf("document.querySelector(%q).innerText.trim()", shown+" .response-col_status"), &status)
	p.eval(fmt.Sprintf("document.querySelector(%q).innerText", shown+" .response-col_description"), &body)
	return status, body
}

// A developer logs in with the Authorize button of the docs page, with and without a client, and
// what the page then sends has the token.
func TestSwaggerUI(t *testing.T) {
	t.Parallel()
	browser := startChromium(t)
	server := startDev(t, t.TempDir())
	d := server.demo
	page := startDocs(t, d.Issuer)
	for _, client := range []string{d.PublicClient, d.ClientID} {
		server.admin("", "client", "update", client, "--origin", page.url)
	}
	for _, c := range []struct {
		name, id, secret string
		inBody           bool
	}{
		{"no client", "", "", false},
		{"public client, in the body", d.PublicClient, "", true},
		{"client with a secret", d.ClientID, d.ClientSecret, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := page.authorize(t, browser, map[string]string{"oauth_username": d.Username, "oauth_password": d.Password,
				"client_id_password": c.id, "client_secret_password": c.secret}, c.inBody)
			if text := p.text(".auth-container"); !strings.Contains(text, "Authorized") {
				t.Fatalf("the form says\n%s", text)
			}
			status, body := page.tryOut(p)
			if status != "200" || !strings.Contains(body, d.Username) {
				t.Errorf("/users/me: got %s\n%s", status, body)
			}
			wanted := d.PublicClient // the default
			if c.id != "" {
				wanted = c.id
			}
			if claims := claimsOf(t, page.lastBearer()); claims["client_id"] != wanted {
				t.Errorf("/users/me was asked with %v; want a token of %s", claims, wanted)
			}
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		p := page.authorize(t, browser, map[string]string{"oauth_username": d.Username, "oauth_password": "wrong"}, false)
		if text := p.text(".auth-container"); !strings.Contains(text, "the username or password is wrong") || strings.Contains(text, "Authorized") {
			t.Errorf("the form says\n%s", text)
		}
	})
}
