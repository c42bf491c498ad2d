package client_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"signet/server/admin/api"
	"signet/server/admin/client"
)

func serve(t *testing.T, handle http.HandlerFunc) *client.Client {
	t.Helper()
	srv := httptest.NewServer(handle)
	t.Cleanup(srv.Close)
	c, err := client.URL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	c.Token = "the-token"
	return c
}

// TestPages: every page of a list is read, with the filter on each.
func TestPages(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		after := r.FormValue("after")
		asked = append(asked, after)
		if r.FormValue("prefix") != "er" {
			t.Errorf("got the query %s", r.URL.RawQuery)
		}
		next := map[string]string{"": "b", "b": "d", "d": ""}[after]
		_ = json.NewEncoder(w).Encode(api.UserList{Users: []api.User{{Username: after + "1"}, {Username: after + "2"}}, Next: next})
	})
	var names []string
	err := c.Users(t.Context(), url.Values{"prefix": {"er"}}, func(u api.User) error { names = append(names, u.Username); return nil })
	if err != nil || !slices.Equal(names, []string{"1", "2", "b1", "b2", "d1", "d2"}) || !slices.Equal(asked, []string{"", "b", "d"}) {
		t.Errorf("got %q from %q, %v", names, asked, err)
	}
}

func TestListThatDoesNotEnd(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(api.ClientList{Next: "x"}) })
	if err := c.Clients(t.Context(), func(api.Client) error { return nil }); err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("got %v", err)
	}
}

// TestNoRedirect: the token goes to the server that was named and to no other.
func TestNoRedirect(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
			t.Errorf("got Authorization %q", got)
		}
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	})
	err := c.Call(t.Context(), api.ListKeys.At(), nil, nil)
	if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != http.StatusTemporaryRedirect || strings.Contains(err.Error(), "the-token") {
		t.Errorf("got %v", err)
	}
}

// TestErrors: a refusal has its code and its request, and Explain replaces it.
func TestErrors(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/v1/clients/a%2Fb" {
			t.Errorf("got path %s", r.URL.EscapedPath())
		}
		w.Header().Set("X-Request-Id", "r1")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(api.NewError(api.CodeNotFound, "there is none"))
	})
	err := c.Call(t.Context(), api.ShowClient.At("a/b"), nil, nil)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != api.CodeNotFound || e.RequestID != "r1" || e.Error() != "there is none" || e.Target.URL != "/v1/clients/a%2Fb" {
		t.Errorf("got %#v", err)
	}
	c.Explain = func(err error) error { return errors.New("explained: " + err.Error()) }
	if err := c.Call(t.Context(), api.ShowClient.At("a/b"), nil, nil); err == nil || err.Error() != "explained: there is none" {
		t.Errorf("got %v", err)
	}
}

// TestSocket: nothing is sent on a connection that the caller's check refuses.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int32
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = w.Write([]byte(`{"version": "v1"}`))
	})}
	go func() { _ = srv.Serve(listener) }()
	defer srv.Close()
	var status api.Status
	if err := client.Socket(path, nil).Call(t.Context(), api.ShowStatus.At(), nil, &status); err != nil || status.Version != "v1" {
		t.Errorf("got %v, %v", status, err)
	}
	wrong := errors.New("another user's server")
	err = client.Socket(path, func(net.Conn) error { return wrong }).Call(t.Context(), api.ShowStatus.At(), nil, &status)
	if unreachable, ok := errors.AsType[*client.UnreachableError](err); !ok || !errors.Is(err, wrong) || !unreachable.Client.OnSocket() || requests.Load() != 1 {
		t.Errorf("got %v after %d requests", err, requests.Load())
	}
}

func TestURL(t *testing.T) {
	for _, address := range []string{"", "auth.example.com", "ftp://auth.example.com", "https://a:b@auth.example.com", "https://auth.example.com?x=1", "http://auth.example.com"} {
		if c, err := client.URL(address); err == nil {
			t.Errorf("%q: got %v", address, c)
		}
	}
	for _, address := range []string{"https://auth.example.com:8443", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000/"} {
		if _, err := client.URL(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}
