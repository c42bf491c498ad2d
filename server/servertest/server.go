package servertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signet/keys"
	"signet/server"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/server/signin"
	"signet/server/throttle"
	"signet/store"
	"signet/store/bolt"
)

// The clients and the user that every test server has.
const (
	Web           = "web" // confidential: password, refresh_token, client_credentials; may introspect
	WebSecret     = "web-secret"
	SPA           = "spa" // public: password, refresh_token; origin SPAOrigin
	SPAOrigin     = "https://app.example.com"
	Other         = "other" // confidential, like Web, without the introspect right
	OtherSecret   = "other-secret"
	Service       = "service" // confidential: client_credentials only
	ServiceSecret = "service-secret"

	User     = "ada"
	Password = "a difference engine"
)

// Scopes are what Web, SPA and Other may be given.
var Scopes = []string{"profile", "orders:read", "orders:write"}

// Server is a running server and what stands behind it.
type Server struct {
	*server.Server
	URL       string // the issuer
	Config    server.Config
	Store     *bolt.Store
	StorePath string // its file
	Keys      *keys.Manager
	KeyConfig keys.Config // of Keys, for a test that opens the keyring as another replica
	Clock     *Clock
	Log       *Log
	UserID    store.UserID
}

// New starts a server that signs with ES256, and stops it when the test ends. change, which may be nil, sees the
// configuration before it is used.
func New(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	return start(t, sharedES256, change)
}

// NewRS256 is New with a server that can also sign with RS256.
func NewRS256(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	return start(t, sharedRS256, change)
}

// NewFresh is NewRS256 with a keyring that is made when the server starts, for tests of what happens to keys after an exact
// time. The keyrings of New and NewRS256 are as old as the test binary.
func NewFresh(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	return start(t, func(now func() time.Time) (*keyring, error) { return newKeyring(withRS256, now) }, change)
}

func start(t testing.TB, first firstKeyring, change func(*server.Config)) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "http://" + listener.Addr().String(), Clock: NewClock(), Log: &Log{}}
	s.openStore(t)
	s.openKeys(t, first)
	s.Config = server.Config{
		Issuer: s.URL, Version: "test", Store: s.Store, Keys: s.Keys, Now: s.Clock.Now,
		Passwords:   password.New(password.Config{Argon2: CheapHash, Slots: 2, Queue: 256, Wait: 30 * time.Second}),
		RefreshKeys: [][32]byte{{1}}, ThrottleKeys: [][32]byte{{2}}, AuditKeys: [][32]byte{{3}},
		Settings: server.Settings{Settings: oauth.Settings{
			Settings: signin.Settings{
				Lifetimes: store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour},
				Throttle:  throttle.Config{PerAccount: 10, PerNetwork: 100, PerClient: 100, Anywhere: 30},
			},
			Grace: 10 * time.Second,
		}},
		Log: slog.New(slog.NewJSONHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&s.Config)
	}
	s.populate(t)
	if s.Server, err = server.New(s.Config); err != nil {
		t.Fatal(err)
	}
	web := edge.HTTPServer(s.Server, s.Config.Log)
	go web.Serve(listener)
	t.Cleanup(func() {
		web.Close()
		s.Server.Close()
		s.Store.Close()
	})
	return s
}

// CheapHash makes logins fast; the work is real argon2id all the same.
var CheapHash = hash.Params{Memory: 64, Time: 1, Threads: 1}

// storeDir returns a directory that is removed when the test ends. It is in memory where the system has such a place: a
// third of the work of the tests is otherwise waiting for a disk, which these tests do not look at. Benchmarks use the disk.
func storeDir(t testing.TB) string {
	t.Helper()
	if _, ok := t.(*testing.B); !ok {
		if dir, err := os.MkdirTemp("/dev/shm", "signet"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

func (s *Server) openStore(t testing.TB) {
	t.Helper()
	var err error
	s.StorePath = filepath.Join(storeDir(t), "signet.db")
	s.Store, err = bolt.Open(s.StorePath, bolt.Options{Create: true, Now: s.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	must(t, s.Store.CreateInstall(t.Context(), store.Install{ID: installID, Schema: bolt.Schema, CreatedAt: s.Clock.Now()}))
}

func (s *Server) openKeys(t testing.TB, first func(now func() time.Time) (*keyring, error)) {
	t.Helper()
	ring, err := first(s.Clock.Now)
	must(t, err)
	if swapped, err := s.Store.SwapKeyring(t.Context(), 0, ring.version, ring.document); err != nil || !swapped {
		t.Fatalf("writing the keyring: %v, %v", swapped, err)
	}
	s.KeyConfig = ring.config(s.Clock.Now)
	s.KeyConfig.Storage = s.Store
	s.Keys, err = keys.Open(t.Context(), s.KeyConfig)
	must(t, err)
}

func (s *Server) populate(t testing.TB) {
	t.Helper()
	ctx, now := t.Context(), s.Clock.Now()
	user := []string{"password", "refresh_token"}
	all := append(user, "client_credentials")
	both := []string{"client_secret_basic", "client_secret_post"}
	for _, c := range []store.Client{
		{ID: Web, Grants: all, Scopes: Scopes, AuthMethods: both, Secrets: secret(WebSecret, now), Introspect: true, Claims: []string{"roles", "preferred_username"}},
		{ID: SPA, Public: true, Grants: user, Scopes: Scopes, AuthMethods: []string{"none"}, Origins: []string{SPAOrigin}},
		{ID: Other, Grants: all, Scopes: Scopes, AuthMethods: both, Secrets: secret(OtherSecret, now)},
		{ID: Service, Grants: []string{"client_credentials"}, Scopes: []string{"jobs"}, AuthMethods: both, Secrets: secret(ServiceSecret, now),
			Audiences: []string{"https://a.example.com", "https://b.example.com"}},
	} {
		c.CreatedAt, c.UpdatedAt = now, now
		must(t, s.Store.CreateClient(ctx, c))
	}
	hash, err := s.Config.Passwords.Hash(ctx, Password)
	must(t, err)
	rand.Read(s.UserID[:])
	must(t, s.Store.CreateUser(ctx, store.User{ID: s.UserID, Username: User, PasswordHash: hash, CreatedAt: now, UpdatedAt: now,
		Claims: map[string]json.RawMessage{"roles": json.RawMessage(`["engineer"]`), "shoe_size": json.RawMessage(`38`)}}))
}

func secret(text string, now time.Time) []store.Secret {
	sum := sha256.Sum256([]byte(text))
	return []store.Secret{{Hash: sum[:], CreatedAt: now}}
}

// SetClient changes a registered client as an operator would, with no cache in between.
func (s *Server) SetClient(t testing.TB, id string, change func(*store.Client)) {
	t.Helper()
	_, err := s.Store.UpdateClient(context.Background(), id, func(c *store.Client) error { change(c); return nil })
	must(t, err)
	s.Clock.Add(11 * time.Second) // longer than a client is cached
}

// Client is an HTTP client that follows no redirect: an answer that redirects a password is a bug.
var Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Move moves the clock and lets the keyring keep up, as a running server does by itself.
func (s *Server) Move(t testing.TB, d time.Duration) {
	t.Helper()
	s.Clock.Add(d)
	must(t, s.Keys.Step(context.Background()))
}
