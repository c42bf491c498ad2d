package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// canaryPlace is a place where people and programs put a secret, rightly or by mistake.
type canaryPlace struct {
	name string
	put  func(e *canaryEdge, secret string)
}

// canaryEdge sends requests to a server and keeps what it was refused with.
type canaryEdge struct {
	p        *process
	admin    string // the address of the admin listener; empty: none
	client   *http.Client
	sent     int
	refusals strings.Builder // status, headers and body of every answer that is not a success
}

func newCanaryEdge(p *process) *canaryEdge {
	return &canaryEdge{p: p, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends a request. What HTTP libraries refuse to send is sent by raw instead.
func (e *canaryEdge) do(method, address, body string, headers ...string) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		e.p.t.Errorf("%s %s: %v", method, address, err)
		return
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := e.client.Do(req)
	if err != nil {
		e.p.t.Errorf("%s: %v", method, err)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		e.p.t.Error(err)
	}
	e.sent++
	if res.StatusCode >= 300 {
		fmt.Fprintf(&e.refusals, "%s %v %s\n", res.Status, res.Header, answer)
	}
}

// raw sends bytes and keeps whatever comes back until the connection is closed.
func (e *canaryEdge) raw(send string) {
	conn, err := net.Dial("tcp", e.p.address())
	if err != nil {
		e.p.t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, send)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		e.p.t.Errorf("no end of the answer to %.40q", send)
	}
	e.sent++
	e.refusals.Write(answer)
}

// base are good requests to the endpoints that take a form, but for what is put into them.
func (e *canaryEdge) base() map[string]url.Values {
	client := url.Values{"client_id": {e.p.demo.ClientID}, "client_secret": {e.p.demo.ClientSecret}}
	return map[string]url.Values{
		"password":           with(client, "grant_type", "password", "username", "nobody", "password", "nothing"),
		"refresh_token":      with(client, "grant_type", "refresh_token", "refresh_token", "none"),
		"client_credentials": with(client, "grant_type", "client_credentials"),
		"/revoke":            with(client, "token", "none"),
		"/introspect":        with(client, "token", "none"),
	}
}

// form sends a body to the endpoint of one of base.
func (e *canaryEdge) form(name, body string, headers ...string) {
	path := "/token"
	if strings.HasPrefix(name, "/") {
		path = name
	}
	e.do(http.MethodPost, e.p.demo.Issuer+path, body, headers...)
}

var canaryParameters = []string{"grant_type", "username", "password", "scope", "refresh_token", "client_id", "client_secret",
	"client_assertion", "client_assertion_type", "token", "token_type_hint", "resource", "unknown"}

// formOfASecret reports whether a secret can be told from other text by its beginning.
func formOfASecret(s string) bool {
	return strings.HasPrefix(s, "signet_") || strings.HasPrefix(s, "eyJ")
}

var canaryHeaders = []string{"User-Agent", "Origin", "X-Request-Id", "Cookie", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Host",
	"Accept", "Content-Type", "Content-Encoding", "If-None-Match", "Access-Control-Request-Headers", "Traceparent", "Proxy-Authorization", "X-Api-Key", "Expect"}

// canaryPlaces is every parameter of every endpoint, every way to misuse the Authorization header,
// the query, the path, other headers, and what is not even HTTP.
var canaryPlaces = []canaryPlace{
	{"form parameters", func(e *canaryEdge, secret string) {
		for name, base := range e.base() {
			for _, parameter := range canaryParameters {
				if parameter == "scope" && !formOfASecret(secret) {
					continue // a refused scope is named, unless it looks like a secret, which a password does not
				}
				e.form(name, with(base, parameter, secret).Encode())
			}
		}
	}},
	{"form parameters, malformed", func(e *canaryEdge, secret string) {
		base := e.base()["password"]
		for _, parameter := range canaryParameters {
			base := with(base, parameter, "x")
			base.Del(parameter)
			for _, tail := range []string{"%ZZ", "%00", "%ff", "%0d%0aleaked: 1", ";x=y", "&" + parameter + "=again"} {
				e.form("password", base.Encode()+"&"+parameter+"="+url.QueryEscape(secret)+tail)
			}
		}
		e.form("password", base.Encode()+"&"+url.QueryEscape(secret)+"=1")
		e.form("password", base.Encode()+"&"+url.QueryEscape(secret))
		e.form("password", `{"password":"`+secret+`"}`, "Content-Type", "application/json")
		e.form("password", secret, "Content-Type", "text/plain")
		e.form("password", secret, "Content-Encoding", "gzip")
		e.form("password", base.Encode()+"&x="+secret+strings.Repeat("a", 70_000))
		e.form("password", base.Encode()+strings.Repeat("&a=b", 100)+"&x="+secret)
	}},
	{"Authorization", func(e *canaryEdge, secret string) {
		encode := base64.StdEncoding.EncodeToString
		for _, value := range []string{
			secret, "Basic " + secret, "Basic " + encode([]byte(secret)), "Basic " + encode([]byte(secret+":x")), "Basic " + encode([]byte("web:"+secret)),
			"Basic " + encode([]byte("nobody:"+secret)), "Basic " + encode([]byte("web:"+secret+"%ZZ")), "Basic " + encode([]byte("web:"+secret)) + "!",
			"basic  " + encode([]byte("web:"+secret)), "Bearer " + secret, "Bearer " + secret + " x", "Digest username=" + secret, "DPoP " + secret,
		} {
			for name, base := range e.base() {
				base.Del("client_id")
				base.Del("client_secret")
				e.form(name, base.Encode(), "Authorization", value)
			}
			e.do(http.MethodGet, e.p.demo.Issuer+"/userinfo", "", "Authorization", value)
			if e.admin != "" {
				e.do(http.MethodGet, "http://"+e.admin+"/v1/clients", "", "Authorization", value)
			}
		}
		e.raw("GET /userinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + secret + "\r\nAuthorization: Bearer x\r\n\r\n")
	}},
	{"other headers", func(e *canaryEdge, secret string) {
		for _, header := range canaryHeaders {
			e.form("password", e.base()["password"].Encode(), header, secret)
			e.do(http.MethodGet, e.p.demo.Issuer+"/.well-known/jwks.json", "", header, secret)
			e.do(http.MethodOptions, e.p.demo.Issuer+"/token", "", "Origin", "https://evil.example", header, secret)
		}
	}},
	{"query and path", func(e *canaryEdge, secret string) {
		for _, path := range []string{"/token", "/revoke", "/introspect", "/userinfo", "/.well-known/jwks.json", "/nothing", "/readyz"} {
			for _, name := range []string{"password", "client_secret", "access_token", "token"} {
				e.do(http.MethodPost, e.p.demo.Issuer+path+"?"+name+"="+url.QueryEscape(secret), "grant_type=password")
				e.do(http.MethodGet, e.p.demo.Issuer+path+"?"+name+"="+url.QueryEscape(secret), "")
			}
			e.do(http.MethodGet, e.p.demo.Issuer+path+"/"+url.PathEscape(secret), "")
		}
		e.do(http.MethodGet, e.p.demo.Issuer+"/"+url.PathEscape(secret), "")
		e.do(http.MethodPost, e.p.demo.Issuer+"//token/"+url.PathEscape(secret)+"/..", "a=b")
		if e.admin != "" {
			e.do(http.MethodGet, "http://"+e.admin+"/v1/users/"+url.PathEscape(secret), "")
		}
	}},
	{"what is hardly HTTP", func(e *canaryEdge, secret string) {
		for _, send := range []string{
			secret + "\r\n\r\n",
			secret + " / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"GET " + secret + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET http://user:" + secret + "@x/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"GET /" + secret + "%zz HTTP/1.1\r\nHost: x\r\n\r\n",
			"CONNECT " + secret + ":443 HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / " + secret + "\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\n" + secret + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nX: " + secret + "\x00\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nX " + secret + ": y\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: " + secret + "{}\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + secret + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + secret + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nX: " + secret + strings.Repeat("a", 20<<10) + "\r\n\r\n",
			rawPost + "Transfer-Encoding: chunked\r\n\r\n" + secret + "\r\n\r\n",
			rawPost + "Transfer-Encoding: chunked\r\n\r\n1;" + secret + "\r\na\r\n0\r\n" + secret + ": " + secret + "\r\n\r\n",
			rawPost + "Content-Length: 5000\r\n\r\npassword=" + secret,
		} {
			e.raw(send)
		}
	}},
}
