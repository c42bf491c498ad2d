package admin_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"signet/server"
	"signet/server/edge"
	"signet/server/servertest"
	"signet/store"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/v1/status", 200, "", ""},
		{"HEAD", "/v1/status", 200, "", ""},
		{"HEAD", "/v1/backup", 200, "", ""},
		{"GET", "/", 404, "not_found", ""},
		{"GET", "/v1/", 404, "not_found", ""},
		{"GET", "/v1/clients/", 404, "not_found", ""},
		{"GET", "//v1/clients", 404, "not_found", ""},
		{"POST", "/v1/clients/web/../web/disable", 404, "not_found", ""},
		{"GET", "/v1/clients/web/nothing", 404, "not_found", ""},
		{"GET", "/token", 404, "not_found", ""},
		{"GET", "/debug/pprof/", 404, "not_found", ""},
		{"PUT", "/v1/clients", 405, "invalid", "GET, HEAD, POST"},
		{"GET", "/v1/users:import", 405, "invalid", "POST"},
		{"OPTIONS", "/v1/users/ada/password", 405, "invalid", "PUT"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			if c.method == http.MethodHead {
				c.code = ""
			}
			a := admin.CallJSON(t, c.method, c.path, "").Wants(c.status, c.code)
			if got := a.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow: got %q, want %q", got, c.allow)
			}
			if a.Header.Get("X-Request-Id") == "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: got %v", a.Header)
			}
			if c.path == "/v1/backup" && a.Header.Get("Content-Length") != "" {
				t.Error("HEAD: there is a Content-Length")
			}
			if c.code != "" && a.Str("message") == "" {
				t.Errorf("no message in %s", a.Raw)
			}
		})
	}
}

func TestIsNotOnThePublicListener(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, path := range []string{"/v1/clients", "/v1/backup", "/v1/status", "/metrics"} {
		s.Call(t, http.MethodGet, path).Wants(http.StatusNotFound, "not_found")
	}
}

func TestOnASocket(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	path := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	web := edge.HTTPServer(s.Admin(), s.Config.Log)
	go web.Serve(listener)
	defer web.Close()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	res, err := client.Post("http://signet/v1/clients/web/disable", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct{ Disabled bool }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || !got.Disabled || res.StatusCode != http.StatusOK {
		t.Errorf("disable: got %d %+v %v", res.StatusCode, got, err)
	}
	if e := s.AwaitEvent(t, "client.disable"); e.Actor != "socket" || e.ClientID != "web" || e.Outcome != "ok" || e.Address != "" {
		t.Errorf("audit: got %+v", e)
	}
	if !strings.Contains(s.Log.String(), `"msg":"admin.client.disable"`) || !strings.Contains(s.Log.String(), `"actor":"socket"`) {
		t.Error("the log has no line for it")
	}
}

// faultyStore fails as a store does whose disk is full; it also has no Backup.
type faultyStore struct {
	store.Store
	err error
}

func (f *faultyStore) ListClients(context.Context, string, int) ([]store.Client, error) {
	return nil, f.err
}

func (f *faultyStore) CreateUser(context.Context, store.User) error { return f.err }

func (f *faultyStore) UserByName(_ context.Context, name string) (store.User, error) {
	if name == "ada" {
		panic("a secret")
	}
	return store.User{}, f.err
}

func TestWhenTheStoreFails(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds; the full suite has it")
	}
	t.Parallel()
	_, admin := servertest.NewAdmin(t, func(cfg *server.Config) { cfg.Store = &faultyStore{cfg.Store, store.ErrUnavailable} })
	a := admin.CallJSON(t, "GET", "/v1/clients", "").Wants(503, "unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"bob"}`).Wants(503, "unavailable")
	admin.CallJSON(t, "POST", "/v1/users:import", `{"username":"bob"}`).Wants(503, "unavailable")
	admin.CallJSON(t, "GET", "/v1/backup", "").Wants(501, "unsupported")
	admin.CallJSON(t, "POST", "/v1/users:import", `{"username":"ada"}`).Wants(500, "internal") // in a goroutine of its own
	a = admin.CallJSON(t, "GET", "/v1/users/ada", "").Wants(500, "internal")
	if strings.Contains(a.Raw, "secret") || !strings.Contains(admin.Log.String(), "panic: a secret") {
		t.Errorf("a panic: got %s, want the cause in the log alone", a.Raw)
	}
}
