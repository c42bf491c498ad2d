package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/account"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/server/signin"
	"signet/server/throttle"
	"signet/server/upstream"
	"signet/store"
	"signet/store/bolt"
)

// right is the password of the users of a test, but for those whose password is elsewhere.
const right = "a difference engine"

// cheap makes logins fast; the work is real argon2id all the same.
var cheap = hash.Params{Memory: 64, Time: 1, Threads: 1}

// faulty is a store in which something fails, or happens, just before a step of a login.
type faulty struct {
	store.Store
	onFinish func() error // before a session begins
	onRevoke func() error // before a session ends
	onChange func() error // before a user changes
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (f *faulty) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, s store.Session, b store.SessionLimits) (store.Login, error) {
	if err := call(f.onFinish); err != nil {
		return store.Login{}, err
	}
	return f.Store.FinishLogin(ctx, now, r, s, b)
}

func (f *faulty) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (bool, error) {
	if err := call(f.onRevoke); err != nil {
		return false, err
	}
	return f.Store.RevokeSession(ctx, user, id)
}

func (f *faulty) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	if err := call(f.onChange); err != nil {
		return store.User{}, err
	}
	return f.Store.UpdateUser(ctx, id, change)
}

// source is an upstream that gives one answer.
type source struct {
	answer upstream.Answer
	err    error
}

func (s *source) Check(context.Context, string, string) (upstream.Answer, error) {
	return s.answer, s.err
}

// house is an Engine over a real store, and what a test does to them.
type house struct {
	*signin.Engine
	t        *testing.T
	store    *faulty
	bolt     *bolt.Store
	clients  *clientauth.Cache
	recorder *audit.Recorder
	settings signin.Settings
	now      time.Time
	source   *source // nil: there is no upstream
	slots    *password.Pool
	occupied chan struct{} // not nil: hashing waits until it is closed
	begun    chan struct{} // gets an element when a hash begins that waits
	edge     *edge.Server
}

// newHouse has the client web and the users ada, and grace, who is disabled. change, which may be nil, sees the house before the
// engine is made.
func newHouse(t *testing.T, change func(*house)) *house {
	t.Helper()
	h := &house{t: t, now: time.Now().Truncate(time.Second), begun: make(chan struct{}, 8), settings: signin.Settings{
		Lifetimes: store.Lifetimes{Idle: 24 * time.Hour, Absolute: 48 * time.Hour}, Throttle: throttle.Config{PerAccount: 3, PerNetwork: 100}}}
	now := func() time.Time { return h.now }
	var err error
	if h.bolt, err = bolt.Open(filepath.Join(t.TempDir(), "signet.db"), bolt.Options{Create: true, Now: now}); err != nil {
		t.Fatal(err)
	}
	h.store = &faulty{Store: h.bolt}
	h.slots = password.New(password.Config{Argon2: cheap, Slots: 1, Queue: -1, Observe: func(time.Duration) {
		if occupied := h.occupied; occupied != nil {
			h.begun <- struct{}{}
			<-occupied
		}
	}})
	if change != nil {
		change(h)
	}
	log := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	first := func() int { return 0 }
	h.recorder = audit.New(audit.Config{Store: h.store, Log: log, Now: now, Registry: registry})
	h.clients = clientauth.NewCache(h.store, now, 10*time.Second, func(store.Client) error { return nil })
	cfg := upstream.Config{Store: h.store, Passwords: h.slots, Audit: h.recorder, Log: log, Now: now, Registry: registry}
	if h.source != nil {
		cfg.Settings = upstream.Settings{Source: h.source, Kind: "https", IDClaim: "old_id", Timeout: time.Second, Concurrency: 1}
	}
	h.Engine = signin.New(signin.Config{Store: h.store, Passwords: h.slots, Upstream: upstream.New(cfg), Hashes: account.NewSampler(h.store, h.slots, log),
		Clients: h.clients, Throttle: throttle.New([][32]byte{{1}}, first), Audit: h.recorder, Log: log, Now: now, Registry: registry,
		Settings: func() *signin.Settings { return &h.settings }})
	h.edge = edge.New(edge.Config{Now: now})
	t.Cleanup(func() {
		h.recorder.Close()
		h.bolt.Close()
	})
	if err := h.bolt.CreateClient(t.Context(), store.Client{ID: "web", Public: true, CreatedAt: h.now, UpdatedAt: h.now}); err != nil {
		t.Fatal(err)
	}
	h.addUser("ada", nil)
	h.addUser("grace", func(u *store.User) { u.Disabled = true })
	return h
}

func (h *house) addUser(name string, change func(*store.User)) store.UserID {
	h.t.Helper()
	hashed, err := h.slots.Hash(h.t.Context(), right)
	if err != nil {
		h.t.Fatal(err)
	}
	u := store.User{ID: store.UserID{byte(len(name)), name[0]}, Username: name, PasswordHash: hashed, CreatedAt: h.now, UpdatedAt: h.now}
	if change != nil {
		change(&u)
	}
	if err := h.bolt.CreateUser(h.t.Context(), u); err != nil {
		h.t.Fatal(err)
	}
	return u.ID
}

// changeUser changes a user behind the back of the engine.
func (h *house) changeUser(name string, change func(*store.User)) {
	h.t.Helper()
	u := h.user(name)
	if _, err := h.bolt.UpdateUser(h.t.Context(), u.ID, func(u *store.User) error { change(u); return nil }); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) user(name string) store.User {
	h.t.Helper()
	u, err := h.bolt.UserByName(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// serve runs a door on a request, as a server does.
func (h *house) serve(door func(*edge.Request)) {
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/token", nil)
	h.edge.Serve(httptest.NewRecorder(), r, &edge.Route{Name: "token", Timeout: edge.AnswerWithin, Changes: true, Handle: func(r *edge.Request) (edge.Response, error) {
		door(r)
		return edge.Response{Status: http.StatusOK}, nil
	}})
}

// login is a login to web that is confirmed.
func (h *house) login(name, secret string) (in signin.SignedIn, err error) {
	h.t.Helper()
	h.serve(func(r *edge.Request) {
		in, err = h.Password(r, signin.Login{Client: h.client(), Username: name, Password: secret})
		if err == nil {
			h.Confirm(r, in)
		}
	})
	return in, err
}

func (h *house) client() *store.Client {
	h.t.Helper()
	c, err := h.clients.Get(h.t.Context(), "web")
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// sessions returns the ids of a user's sessions.
func (h *house) sessions(name string) (ids []store.SessionID) {
	h.t.Helper()
	list, err := h.bolt.ListSessions(h.t.Context(), h.user(name).ID, h.now, h.settings.Lifetimes)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

// outcomes returns the outcomes of the events of a type on the audit trail, the first one first.
func (h *house) outcomes(kind string) (list []string) {
	h.t.Helper()
	h.recorder.Close()
	err := h.bolt.Export(h.t.Context(), func(r store.Record) error {
		if r.Event != nil && r.Event.Type == kind {
			list = append(list, r.Event.Outcome)
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// want describes an error of a login.
func want(err error) string {
	var refused *signin.RefusedError
	var throttled *signin.ThrottledError
	var e *edge.Error
	switch {
	case err == nil:
		return "signed in"
	case errors.As(err, &refused):
		return "refused: " + refused.Reason
	case errors.As(err, &throttled):
		return "throttled"
	case errors.As(err, &e):
		return e.Code
	}
	return err.Error()
}

func TestSignedIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	in, err := h.login("  ADA ", right)
	if err != nil {
		t.Fatal(err)
	}
	s := in.Session
	if s.ClientID != "web" || s.UserID != h.user("ada").ID || !s.StartedAt.Equal(h.now) || in.User.Username != "ada" || in.ACR != signin.ACRPassword ||
		!slices.Equal(in.AMR, []string{"pwd"}) {
		t.Errorf("got %+v", in)
	}
	if got := h.sessions("ada"); !slices.Equal(got, []store.SessionID{s.ID}) {
		t.Errorf("sessions: got %v, want %v", got, s.ID)
	}
	if got := h.outcomes(store.EventLogin); !slices.Equal(got, []string{store.OutcomeOK}) {
		t.Errorf("audit trail: got %v", got)
	}
}

// A login that is refused leaves no session, and has its reason for the operator.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		username, password string
		want               string
		recorded           []string // on the audit trail
	}{
		{"a wrong password", "ada", "wrong", "refused: wrong password", []string{store.OutcomeRefused}},
		{"an unknown user", "nobody", right, "refused: no such user", []string{store.OutcomeRefused}},
		{"a name that nobody can have", "a\x00da", right, "refused: no such user", []string{store.OutcomeRefused}},
		{"a disabled user with the right password", "grace", right, "refused: user is disabled", []string{store.OutcomeRefused}},
		{"a disabled user with a wrong password", "grace", "wrong", "refused: user is disabled", []string{store.OutcomeRefused}},
		{"a user without a password", "empty", right, "refused: user has no password", []string{store.OutcomeRefused}},
		{"a user whose password is elsewhere, where nobody is to be asked", "mover", right, "refused: user has not moved from the upstream", []string{store.OutcomeRefused}},
		{"a hash that cannot be read", "broken", right, "refused: wrong password", []string{store.OutcomeRefused}},
		{"no password", "ada", "", signin.ErrIncomplete.Error(), nil},
		{"no username", "", right, signin.ErrIncomplete.Error(), nil},
		{"a long username", strings.Repeat("a", account.MaxName+1), right, signin.ErrNameTooLong.Error(), nil},
		{"a password with another case", "ada", strings.ToUpper(right), "refused: wrong password", []string{store.OutcomeRefused}},
		{"a password with a space behind it", "ada", right + " ", "refused: wrong password", []string{store.OutcomeRefused}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			h.addUser("empty", func(u *store.User) { u.PasswordHash = "" })
			h.addUser("mover", func(u *store.User) { u.PasswordHash, u.Move = "", store.MovePending })
			h.addUser("broken", func(u *store.User) { u.PasswordHash = "$argon2id$v=19$m=64,t=1,p=1$broken" })
			if _, err := h.login(c.username, c.password); want(err) != c.want {
				t.Errorf("got %s, want %s", want(err), c.want)
			}
			for _, name := range []string{"ada", "grace", "empty", "mover", "broken"} {
				if got := h.sessions(name); len(got) > 0 {
					t.Errorf("%s has sessions: %v", name, got)
				}
			}
			if got := h.outcomes(store.EventLogin); !slices.Equal(got, c.recorded) {
				t.Errorf("audit trail: got %v, want %v", got, c.recorded)
			}
		})
	}
}

// An account that was failed too often waits, with the right password too, and so does a name that is no user's. Time and a login
// that succeeds forget.
func TestThrottled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	for _, name := range []string{"ada", "nobody"} {
		for i := range 3 {
			if _, err := h.login(name, "wrong "+string(rune('a'+i))); !strings.HasPrefix(want(err), "refused") {
				t.Errorf("%s: got %s", name, want(err))
			}
		}
		_, err := h.login(name, right)
		var throttled *signin.ThrottledError
		if !errors.As(err, &throttled) || throttled.Wait <= 0 || throttled.Wait > time.Minute {
			t.Errorf("%s: got %v, want to wait for a while", name, err)
		}
	}
	h.now = h.now.Add(2 * time.Second)
	if _, err := h.login("ada", right); err != nil {
		t.Errorf("after the wait: got %v", err)
	}
	for i := range 3 {
		if _, err := h.login("ada", "wrong again "+string(rune('a'+i))); !strings.HasPrefix(want(err), "refused") {
			t.Errorf("the failures are not forgotten: got %s", want(err))
		}
	}
}

// The store is down: nothing is decided.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	client := h.client()
	h.bolt.Close()
	for _, secret := range []string{right, "wrong"} {
		h.serve(func(r *edge.Request) {
			_, err := h.Password(r, signin.Login{Client: client, Username: "ada", Password: secret})
			if want(err) != "temporarily_unavailable" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What fails when the password is right counts as no failure: the login works as soon as the store does, however often it was tried.
func TestStoreFailsAfterThePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.store.onFinish = func() error { return store.ErrUnavailable }
	for range 5 {
		if _, err := h.login("ada", right); want(err) != "temporarily_unavailable" {
			t.Fatalf("got %v", err)
		}
	}
	h.store.onFinish = nil
	if _, err := h.login("ada", right); err != nil {
		t.Errorf("got %v", err)
	}
}

// There is no place to hash: nothing is decided, and it counts as no failure.
func TestNoPlaceToHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.occupied = make(chan struct{})
	first := make(chan error)
	client := h.client()
	password := func(name string) (err error) {
		h.serve(func(r *edge.Request) {
			_, err = h.Password(r, signin.Login{Client: client, Username: name, Password: right})
		})
		return err
	}
	go func() { first <- password("ada") }()
	<-h.begun
	for range 5 {
		if err := password("grace"); want(err) != "temporarily_unavailable" {
			t.Errorf("got %v", err)
		}
	}
	close(h.occupied)
	if err := <-first; err != nil {
		t.Errorf("the login that has the place: got %v", err)
	}
	if err := password("grace"); want(err) != "refused: user is disabled" {
		t.Errorf("got %v", err)
	}
}

// The user or the client is changed after the password was checked, and before the session begins.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(h *house)
		want   string
	}{
		{"the user is disabled", func(h *house) { h.changeUser("ada", func(u *store.User) { u.Disabled = true }) }, "refused: user went away during the login: "},
		{"the user is deleted", func(h *house) {
			if err := h.bolt.DeleteUser(h.t.Context(), h.user("ada").ID); err != nil {
				h.t.Error(err)
			}
		}, "refused: user went away during the login: "},
		{"another password is set", func(h *house) {
			h.changeUser("ada", func(u *store.User) {
				hashed, err := h.slots.Hash(h.t.Context(), "another password")
				if err != nil {
					h.t.Error(err)
				}
				u.SetPassword(hashed)
				u.EndSessions()
			})
		}, "refused: password was changed during the login"},
		{"the same password is set", func(h *house) {
			h.changeUser("ada", func(u *store.User) {
				hashed, err := h.slots.Hash(h.t.Context(), right)
				if err != nil {
					h.t.Error(err)
				}
				u.SetPassword(hashed)
			})
		}, "signed in"},
		{"the user is signed out everywhere", func(h *house) { h.changeUser("ada", func(u *store.User) { u.EndSessions() }) }, "signed in"},
		{"the client is disabled", func(h *house) { h.changeClient(func(c *store.Client) { c.Disabled = true }) }, "invalid_client"},
		{"the client is deleted", func(h *house) {
			if err := h.bolt.DeleteClient(h.t.Context(), "web", nil); err != nil {
				h.t.Error(err)
			}
		}, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			id := h.user("ada").ID
			h.store.onFinish = func() error { c.change(h); return nil }
			_, err := h.login("ada", right)
			if got := want(err); got != c.want && (!strings.HasSuffix(c.want, ": ") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			list, listErr := h.bolt.ListSessions(t.Context(), id, h.now, h.settings.Lifetimes)
			if listErr != nil && !errors.Is(listErr, store.ErrNotFound) {
				t.Fatal(listErr)
			}
			if (len(list) == 1) != (err == nil) {
				t.Errorf("%d sessions after %v", len(list), err)
			}
		})
	}
}

func (h *house) changeClient(change func(*store.Client)) {
	h.t.Helper()
	if _, err := h.bolt.UpdateClient(h.t.Context(), "web", func(c *store.Client) error { change(c); return nil }); err != nil {
		h.t.Fatal(err)
	}
}

// A user has as many sessions as are allowed; the next one ends the oldest.
func TestSessionLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(h *house) { h.settings.SessionsPerUser = 2 })
	var begun []store.SessionID
	for range 4 {
		in, err := h.login("ada", right)
		if err != nil {
			t.Fatal(err)
		}
		begun = append(begun, in.Session.ID)
		h.now = h.now.Add(time.Minute)
	}
	got := h.sessions("ada")
	if len(got) != 2 || !slices.Contains(got, begun[2]) || !slices.Contains(got, begun[3]) {
		t.Errorf("got %v, want the last two of %v", got, begun)
	}
}

// A login that is abandoned leaves no session, and is not on the audit trail. One whose session cannot be ended is no error of the
// door: it has answered already.
func TestAbandon(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		h := newHouse(t, nil)
		if fails {
			h.store.onRevoke = func() error { return store.ErrUnavailable }
		}
		h.serve(func(r *edge.Request) {
			in, err := h.Password(r, signin.Login{Client: h.client(), Username: "ada", Password: right})
			if err != nil {
				t.Fatal(err)
			}
			h.Abandon(r, in)
		})
		if got := h.sessions("ada"); (len(got) == 1) != fails {
			t.Errorf("sessions: got %v", got)
		}
		if got := h.outcomes(store.EventLogin); len(got) > 0 && !fails {
			t.Errorf("audit trail: got %v", got)
		}
	}
}

// TestStillServed: whoever goes on with a session gets nothing once its client has changed, and the session ends.
func TestStillServed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(h *house)
		want   string
		ends   bool
	}{
		{"nothing has changed", func(*house) {}, "signed in", false},
		{"the client is disabled", func(h *house) { h.changeClient(func(c *store.Client) { c.Disabled = true }) }, "invalid_client", true},
		{"the client has other scopes", func(h *house) { h.changeClient(func(c *store.Client) { c.Scopes = []string{"a"} }) }, "signed in", false},
		{"the client was signed out everywhere", func(h *house) { h.changeClient((*store.Client).EndSessions) }, "invalid_client", true},
		{"the client is deleted", func(h *house) {
			if err := h.bolt.DeleteClient(h.t.Context(), "web", nil); err != nil {
				h.t.Error(err)
			}
		}, "invalid_client", true},
		{"the client has changed, and the session cannot be ended", func(h *house) {
			h.changeClient(func(c *store.Client) { c.Disabled = true })
			h.store.onRevoke = func() error { return store.ErrUnavailable }
		}, "temporarily_unavailable", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil)
			in, err := h.login("ada", right)
			if err != nil {
				t.Fatal(err)
			}
			client := h.client()
			c.change(h)
			h.clients.Drop("web") // as its notification does
			if got := want(h.StillServed(t.Context(), client, in.Session)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := h.sessions("ada"); (len(got) == 0) != c.ends {
				t.Errorf("sessions: got %v", got)
			}
		})
	}
}

// The hash of a right password that is weaker than the policy becomes a stronger one. Where that fails the user is signed in all
// the same, and the next login tries again.
func TestStrongerHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	weaker := password.New(password.Config{Argon2: hash.Params{Memory: 32, Time: 1, Threads: 1}})
	weak, err := weaker.Hash(t.Context(), right)
	if err != nil {
		t.Fatal(err)
	}
	h.changeUser("ada", func(u *store.User) { u.PasswordHash = weak })
	if _, err := h.login("ada", "wrong"); !strings.HasPrefix(want(err), "refused") || h.user("ada").PasswordHash != weak {
		t.Errorf("a wrong password: %v, or the hash changed", err)
	}
	h.store.onChange = func() error { return store.ErrUnavailable }
	if _, err := h.login("ada", right); err != nil || h.user("ada").PasswordHash != weak {
		t.Errorf("the store fails: %v, or the hash changed", err)
	}
	h.store.onChange = nil
	for range 2 { // with the weak hash, then with the strong one
		if _, err := h.login("ada", right); err != nil {
			t.Fatal(err)
		}
		if got := h.user("ada").PasswordHash; !strings.Contains(got, "m=64,") {
			t.Errorf("got %s", got)
		}
	}
}

// The mark of a breached password comes and goes with the list. What fails keeps nobody out.
func TestBreachedMark(t *testing.T) {
	t.Parallel()
	var found bool
	var broken error
	h := newHouse(t, func(h *house) {
		h.settings.Breached = func(string) (bool, error) { return found, broken }
	})
	for _, c := range []struct {
		found  bool
		broken error
		marked bool
	}{{false, nil, false}, {true, nil, true}, {false, errors.New("the list cannot be read"), true}, {true, nil, true}, {false, nil, false}} {
		found, broken = c.found, c.broken
		in, err := h.login("ada", right)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.user("ada").Breached; got != c.marked || c.broken == nil && in.User.Breached != c.marked {
			t.Errorf("found %t, %v: marked %t", c.found, c.broken, got)
		}
	}
	if got := h.outcomes(store.EventUserBreached); len(got) != 2 {
		t.Errorf("audit trail: got %v, want one event for each change", got)
	}
}

// A user who is not here yet is asked for at the upstream. While that is down, nothing is decided, and nobody has to wait later.
func TestUpstream(t *testing.T) {
	t.Parallel()
	match := upstream.Answer{Match: true, ID: json.RawMessage(`"17"`)}
	disabled := match
	disabled.Disabled = true
	for _, c := range []struct {
		name     string
		username string
		source   source
		want     string
		there    bool // the user is here afterwards
	}{
		{"accepted", "hedy", source{answer: match}, "signed in", true},
		{"refused", "hedy", source{}, "refused: no such user", false},
		{"refused, with a reason", "hedy", source{answer: upstream.Answer{Reason: "locked there"}}, "refused: locked there", false},
		{"disabled there", "hedy", source{answer: disabled}, "refused: user is disabled", true},
		{"down", "hedy", source{err: upstream.NoAnswer(errors.New("timeout"))}, "temporarily_unavailable", false},
		{"an answer that cannot be used", "hedy", source{answer: upstream.Answer{Match: true}}, "temporarily_unavailable", false},
		{"down, for a user who is here", "ada", source{err: upstream.NoAnswer(errors.New("timeout"))}, "signed in", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(h *house) { h.source = &c.source })
			_, err := h.login(c.username, right)
			if got := want(err); got != c.want && (!strings.HasPrefix(c.want, "refused") || !strings.HasPrefix(got, "refused")) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			_, err = h.bolt.UserByName(t.Context(), c.username)
			if (err == nil) != c.there {
				t.Errorf("the user is here: %t, %v", err == nil, err)
			}
			if c.want != "temporarily_unavailable" {
				return
			}
			for range 5 {
				_, _ = h.login(c.username, right)
			}
			h.source.err, h.source.answer = nil, match
			h.now = h.now.Add(time.Hour) // the upstream is asked again
			if _, err := h.login(c.username, right); want(err) == "throttled" {
				t.Error("the tries during the outage count as failures")
			}
		})
	}
}
