package server_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/rotation"
	"signet/server"
	"signet/server/edge"
	"signet/server/servertest"
	"signet/store"
)

// adminOf serves the admin API of s over TCP, with the limits of a real listener.
func adminOf(t testing.TB, s *servertest.Server, h http.Handler) *servertest.Server {
	t.Helper()
	web := httptest.NewUnstartedServer(nil)
	web.Config = edge.HTTPServer(h, s.Config.Log)
	web.Start()
	t.Cleanup(web.Close)
	return &servertest.Server{Server: s.Server, URL: web.URL, Config: s.Config, Store: s.Store, Keys: s.Keys, Clock: s.Clock, Log: s.Log, UserID: s.UserID}
}

// newAdmin starts a server and the admin API that its socket would have.
func newAdmin(t testing.TB, change func(*server.Config)) (s, admin *servertest.Server) {
	t.Helper()
	s = servertest.New(t, change)
	return s, adminOf(t, s, s.Admin())
}

func adminCall(t testing.TB, admin *servertest.Server, method, path, body string) *request {
	r := call(t, admin, method, path)
	r.body = body
	return r.set("Content-Type", "application/json")
}

// message is what the refusal tells the operator.
func (a answer) wantsMessage(t testing.TB, part string) {
	t.Helper()
	if got := a.str("message"); !strings.Contains(got, part) {
		t.Errorf("message: got %q, want it to contain %q", got, part)
	}
}

// trail waits for an audit event of the type and returns the newest.
func trail(t testing.TB, s *servertest.Server, kind string) store.Event {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		flushTrail(t, s)
		if events := eventsOf(t, s, kind); len(events) > 0 {
			return events[0]
		} // the request may still be ending
	}
	t.Errorf("no audit event of type %s", kind)
	return store.Event{}
}

// flushTrail waits until what was recorded is on the trail. Events are written in order, so a last one shows it.
func flushTrail(t testing.TB, s *servertest.Server) {
	t.Helper()
	mark := rand.Text()
	s.Server.KeyEvent(keys.Event{Transition: rotation.Transition{Step: "flushed", KID: mark}})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if events := eventsOf(t, s, store.EventKeyPrefix+"flushed"); len(events) > 0 && events[0].KeyID == mark {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the audit trail is not written")
		}
	}
}

// eventsOf returns the newest event of a type, or none.
func eventsOf(t testing.TB, s *servertest.Server, kind string) []store.Event {
	t.Helper()
	events, err := s.Store.Events(context.Background(), store.EventQuery{Types: []string{kind}, Newest: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestAdminEnvelope(t *testing.T) {
	t.Parallel()
	_, admin := newAdmin(t, nil)
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
			a := adminCall(t, admin, c.method, c.path, "").wants(c.status, c.code)
			if got := a.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow: got %q, want %q", got, c.allow)
			}
			if a.Header.Get("X-Request-Id") == "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: got %v", a.Header)
			}
			if c.path == "/v1/backup" && a.Header.Get("Content-Length") != "" {
				t.Error("HEAD: a length that nobody knows")
			}
			if c.code != "" && a.str("message") == "" {
				t.Errorf("no message in %s", a.Raw)
			}
		})
	}
}

func TestAdminIsNotOnThePublicListener(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, path := range []string{"/v1/clients", "/v1/backup", "/v1/status", "/metrics"} {
		call(t, s, http.MethodGet, path).wants(http.StatusNotFound, "not_found")
	}
}

func TestAdminOnASocket(t *testing.T) {
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
	if e := trail(t, s, "client.disable"); e.Actor != "socket" || e.ClientID != "web" || e.Outcome != "ok" || e.Address != "" {
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

func TestAdminWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	_, admin := newAdmin(t, func(cfg *server.Config) { cfg.Store = &faultyStore{cfg.Store, store.ErrUnavailable} })
	a := adminCall(t, admin, "GET", "/v1/clients", "").wants(503, "unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	adminCall(t, admin, "POST", "/v1/users", `{"username":"bob"}`).wants(503, "unavailable")
	adminCall(t, admin, "POST", "/v1/users:import", `{"username":"bob"}`).wants(503, "unavailable")
	adminCall(t, admin, "GET", "/v1/backup", "").wants(501, "unsupported")
	adminCall(t, admin, "POST", "/v1/users:import", `{"username":"ada"}`).wants(500, "internal") // in a goroutine of its own
	a = adminCall(t, admin, "GET", "/v1/users/ada", "").wants(500, "internal")
	if strings.Contains(a.Raw, "secret") || !strings.Contains(admin.Log.String(), "panic: a secret") {
		t.Errorf("a panic: got %s, want the cause in the log alone", a.Raw)
	}
}
