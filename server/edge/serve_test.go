package edge_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signet/server/edge"
)

var surface = &edge.Surface{Error: func(err error) *edge.Error {
	if known, ok := errors.AsType[*edge.Error](err); ok {
		return known
	}
	return edge.Internal(err)
}}

// serve runs one request through a route and returns the response, the log, and how often a refusal was reported.
func serve(t *testing.T, cfg edge.Config, rt edge.Route, r *http.Request) (w *httptest.ResponseRecorder, log string, refused int) {
	t.Helper()
	var out bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&out, nil))
	counting := *surface
	counting.Refused = func(*edge.Request, *edge.Route, *edge.Error, error) { refused++ }
	rt.Name, rt.Surface = "test", &counting
	w = httptest.NewRecorder()
	edge.New(cfg).Serve(w, r, &rt)
	return w, out.String(), refused
}

func form(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/test", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// Each request gets exactly one response, with the headers that every response has, whatever its handler does.
func TestServe(t *testing.T) {
	ok := func(*edge.Request) (edge.Response, error) { return edge.Response{Body: map[string]int{"a": 1}}, nil }
	const secret = "hunter2"
	for _, c := range []struct {
		name         string
		cfg          edge.Config
		route        edge.Route
		request      *http.Request
		status       int
		body, logged string
	}{
		{name: "good", route: edge.Route{Handle: ok}, request: httptest.NewRequest("GET", "/", nil), status: 200, body: `{"a":1}`, logged: "outcome=ok"},
		{name: "another method", route: edge.Route{Methods: []string{"POST"}, Handle: ok}, request: httptest.NewRequest("GET", "/", nil), status: 405,
			body: "POST only", logged: "invalid_request"},
		{name: "panic", route: edge.Route{Handle: func(*edge.Request) (edge.Response, error) { panic(secret) }}, request: httptest.NewRequest("GET", "/", nil),
			status: 500, body: "server_error", logged: "serve_test.go"},
		{name: "an error of its own", route: edge.Route{Handle: func(*edge.Request) (edge.Response, error) { return edge.Response{}, errors.New(secret) }},
			request: httptest.NewRequest("GET", "/", nil), status: 500, body: "server_error", logged: secret},
		{name: "the clock is off", cfg: edge.Config{CheckClock: func() error { return errors.New(secret) }}, route: edge.Route{NeedsClock: true, Handle: ok},
			request: httptest.NewRequest("GET", "/", nil), status: 503, body: "temporarily_unavailable", logged: secret},
		{name: "a page of nobody", route: edge.Route{Form: true, Handle: ok}, request: withHeader(form("a=b"), "Sec-Fetch-Site", "cross-site"), status: 403,
			body: "origin", logged: "invalid_request"},
		{name: "no form", route: edge.Route{Form: true, Handle: ok}, request: httptest.NewRequest("POST", "/", strings.NewReader("{}")), status: 400,
			body: "x-www-form-urlencoded", logged: "invalid_request"},
		{name: "refused by the listener", route: edge.Route{Handle: ok}, request: edge.WithRefusal(httptest.NewRequest("GET", "/", nil), edge.SlowDown(1)), status: 429,
			body: "slow_down", logged: "slow_down"},
		{name: "a stream that fails before its first byte", route: edge.Route{Handle: func(*edge.Request) (edge.Response, error) {
			return edge.Response{Header: http.Header{"Content-Type": {"text/x"}}, Stream: func(http.ResponseWriter) error { return edge.InvalidRequest("no") }}, nil
		}}, request: httptest.NewRequest("GET", "/", nil), status: 400, body: `"no"`, logged: "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, log, refused := serve(t, c.cfg, c.route, c.request)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) || strings.Contains(w.Body.String(), secret) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if h := w.Header(); h.Get("X-Request-Id") == "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" ||
				h.Get("Content-Type") != edge.JSON || (w.Code == 503) != (h.Get("Retry-After") != "" && w.Code != 429) {
				t.Errorf("got headers %v", h)
			}
			if strings.Count(log, "msg=test") != 1 || !strings.Contains(log, c.logged) {
				t.Errorf("got the log %s", log)
			}
			if want := min(1, c.status/400); refused != want {
				t.Errorf("%d refusals were reported, want %d", refused, want)
			}
		})
	}
}

func withHeader(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

// A stream that breaks off after its first byte must not look whole.
func TestBrokenStream(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("got %v, want the connection to be cut", p)
		}
	}()
	serve(t, edge.Config{}, edge.Route{Handle: func(*edge.Request) (edge.Response, error) {
		return edge.Response{Stream: func(w http.ResponseWriter) error {
			_, _ = io.WriteString(w, "half")
			return errors.New("the disk is gone")
		}}, nil
	}}, httptest.NewRequest("GET", "/", nil))
}

// What changes something goes on when its caller hangs up, and nothing is recorded as refused for it.
func TestHangUp(t *testing.T) {
	for _, changes := range []bool{true, false} {
		ctx, hangUp := context.WithCancel(t.Context())
		ended := false
		_, log, refused := serve(t, edge.Config{}, edge.Route{Changes: changes, Handle: func(r *edge.Request) (edge.Response, error) {
			hangUp()
			ended = r.Context().Err() != nil
			waiting, cancel := r.WhileCallerWaits()
			defer cancel()
			return edge.Response{}, waiting.Err()
		}}, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		if ended == changes || refused != 0 || !strings.Contains(log, "outcome=hung_up") {
			t.Errorf("changes %t: ended %t, %d refusals, %s", changes, ended, refused, log)
		}
	}
}
