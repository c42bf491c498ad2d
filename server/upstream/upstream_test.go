package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/server/upstream"
	"signet/store"
)

// fake is a login system with a table of users.
type fake struct {
	mu     sync.Mutex
	users  map[string]account
	calls  atomic.Int32
	before func(username string) error // called first, without the lock
	extra  func(*upstream.Answer)      // changes what is accepted
}

type account struct {
	password, id string
	disabled     bool
}

func (f *fake) Check(_ context.Context, username, password string) (upstream.Answer, error) {
	f.calls.Add(1)
	if f.before != nil {
		if err := f.before(username); err != nil {
			return upstream.Answer{}, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.users[strings.ToLower(username)]
	if !ok || a.password != password {
		return upstream.Answer{Reason: "as the table has it"}, nil
	}
	answer := upstream.Answer{Match: true, ID: json.RawMessage(a.id), Disabled: a.disabled,
		Claims: map[string]json.RawMessage{"roles": json.RawMessage(`["old"]`)}}
	if f.extra != nil {
		f.extra(&answer)
	}
	return answer, nil
}

const bobPassword = "hunter2 of the old system"

func oldTable() *fake {
	return &fake{users: map[string]account{"bob": {bobPassword, "17", false}, "eve": {"a disabled one", `"e-5"`, true}}}
}

func start(t *testing.T, f upstream.Source, change func(*upstream.Settings)) *servertest.Server {
	t.Helper()
	return servertest.New(t, func(c *server.Config) {
		c.Upstream = upstream.Settings{Source: f, Kind: "test", IDClaim: "upstream_id", Timeout: 5 * time.Second, Concurrency: 4}
		c.Throttle = throttle.Config{PerAccount: 100, PerNetwork: 10_000}
		if change != nil {
			change(&c.Upstream)
		}
	})
}

// login returns the status and the error code, "" for tokens.
func login(t testing.TB, s *servertest.Server, username, password string) (status int, code string) {
	t.Helper()
	resp, err := servertest.Client.PostForm(s.URL+"/token", url.Values{"grant_type": {"password"}, "client_id": {servertest.SPA},
		"username": {username}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		t.Errorf("503 for %s has no Retry-After", username)
	}
	return resp.StatusCode, body.Error
}

func wantLogin(t testing.TB, s *servertest.Server, username, password string, status int, code string) {
	t.Helper()
	if gotStatus, gotCode := login(t, s, username, password); gotStatus != status || gotCode != code {
		t.Errorf("login of %s: got %d %s, want %d %s", username, gotStatus, gotCode, status, code)
	}
}

func user(t testing.TB, s *servertest.Server, name string) store.User {
	t.Helper()
	u, err := s.Store.UserByName(t.Context(), name)
	if err != nil {
		t.Fatalf("user %s: %v", name, err)
	}
	return u
}

func add(t testing.TB, s *servertest.Server, u store.User) store.User {
	t.Helper()
	u.ID = store.UserID{byte(len(u.Username)), 7, u.Username[0]}
	u.CreatedAt = s.Clock.Now()
	if err := s.Store.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestMove: a user of the old system is made at the first right password, and never asked for there again.
func TestMove(t *testing.T) {
	f := oldTable()
	s := start(t, f, nil)
	wantLogin(t, s, "bob", "wrong", 400, "invalid_grant")
	if _, err := s.Store.UserByName(t.Context(), "bob"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a wrong password made a user: %v", err)
	}
	wantLogin(t, s, " BOB ", bobPassword, 200, "")
	bob := user(t, s, "bob")
	if !strings.HasPrefix(bob.PasswordHash, "$argon2id$") || bob.Move != store.MoveDone || bob.MovedAt.IsZero() || bob.Disabled {
		t.Errorf("got %+v", bob)
	}
	if got := string(bob.Claims["upstream_id"]) + string(bob.Claims["roles"]); got != `17["old"]` {
		t.Errorf("claims: got %s", got)
	}
	calls := f.calls.Load()
	wantLogin(t, s, "bob", bobPassword, 200, "")
	wantLogin(t, s, "bob", "wrong", 400, "invalid_grant")
	wantLogin(t, s, servertest.User, servertest.Password, 200, "")
	wantLogin(t, s, servertest.User, "wrong", 400, "invalid_grant")
	wantLogin(t, s, "usr_bob", bobPassword, 400, "invalid_grant")
	wantLogin(t, s, "b\u2000ob", bobPassword, 400, "invalid_grant")
	if f.calls.Load() != calls {
		t.Errorf("the upstream was asked %d times about users that are here", f.calls.Load()-calls)
	}
	waitForEvent(t, s, store.EventUserMove, func(e store.Event) bool { return e.Subject == bob.ID.String() && e.Detail["how"] == "created" })
}

func waitForEvent(t testing.TB, s *servertest.Server, kind string, right func(store.Event) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		events, err := s.Store.Events(t.Context(), store.EventQuery{Types: []string{kind}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(events, right) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no event %s is as wanted: %+v", kind, events)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestDisabled: whoever is disabled there stays so here, and whoever is disabled here is not asked for.
func TestDisabled(t *testing.T) {
	f := oldTable()
	s := start(t, f, nil)
	wantLogin(t, s, "eve", "a disabled one", 400, "invalid_grant")
	if eve := user(t, s, "eve"); !eve.Disabled || eve.PasswordHash == "" || eve.Move != store.MoveDone {
		t.Errorf("got %+v", eve)
	}
	add(t, s, store.User{Username: "bob", Move: store.MovePending, Disabled: true})
	calls := f.calls.Load()
	wantLogin(t, s, "bob", bobPassword, 400, "invalid_grant")
	wantLogin(t, s, "eve", "a disabled one", 400, "invalid_grant")
	if f.calls.Load() != calls {
		t.Error("the upstream was asked about a disabled user")
	}
}

// TestPending: a user who was imported without a password is completed, and keeps sub and claims.
func TestPending(t *testing.T) {
	s := start(t, oldTable(), nil)
	before := add(t, s, store.User{Username: "bob", Move: store.MovePending,
		Claims: map[string]json.RawMessage{"team": json.RawMessage(`"red"`), "upstream_id": json.RawMessage(`17`)}})
	local := add(t, s, store.User{Username: "nobody"})
	wantLogin(t, s, "bob", "wrong", 400, "invalid_grant")
	wantLogin(t, s, "bob", bobPassword, 200, "")
	bob := user(t, s, "bob")
	if bob.ID != before.ID || bob.Move != store.MoveDone || string(bob.Claims["team"]) != `"red"` || string(bob.Claims["roles"]) != `["old"]` {
		t.Errorf("got %+v", bob)
	}
	wantLogin(t, s, local.Username, bobPassword, 400, "invalid_grant")
	waitForEvent(t, s, store.EventUserMove, func(e store.Event) bool { return e.Detail["how"] == "completed" && e.Subject == bob.ID.String() })
}

// TestAliases: the other system is asked for the username of a user who has typed an alias, which is known here alone, and for any
// other spelling of the username as it was typed.
func TestAliases(t *testing.T) {
	for _, mode := range []store.Move{store.MovePending, store.MoveStay} {
		f := oldTable()
		var asked []string
		f.before = func(username string) error { asked = append(asked, username); return nil }
		s := start(t, f, func(set *upstream.Settings) { set.Stay = mode == store.MoveStay })
		add(t, s, store.User{Username: "bob", Aliases: []string{"bob@example.com"}, Move: mode, Claims: map[string]json.RawMessage{"upstream_id": json.RawMessage(`17`)}})
		wantLogin(t, s, "bob@example.com", "wrong", 400, "invalid_grant")
		wantLogin(t, s, "BoB", "wrong", 400, "invalid_grant")
		wantLogin(t, s, "Bob@Example.com", bobPassword, 200, "")
		wantLogin(t, s, "Rob", "wrong", 400, "invalid_grant")
		if want := []string{"bob", "BoB", "bob", "Rob"}; !slices.Equal(asked, want) {
			t.Errorf("%s: asked for %q, want %q", mode, asked, want)
		}
	}
}

// TestLies: an answer that cannot be right changes nothing, and is no decision about the password.
func TestLies(t *testing.T) {
	for name, lie := range map[string]func(*upstream.Answer){
		"the id of another user": func(a *upstream.Answer) { a.ID = json.RawMessage(`18`) },
		"no id":                  func(a *upstream.Answer) { a.ID = nil },
		"null as id":             func(a *upstream.Answer) { a.ID = json.RawMessage(`null`) },
		"an object as id":        func(a *upstream.Answer) { a.ID = json.RawMessage(`{}`) },
		"a fraction as id":       func(a *upstream.Answer) { a.ID = json.RawMessage(`1.5`) },
		"an id beyond float64":   func(a *upstream.Answer) { a.ID = json.RawMessage(`9007199254740993`) },
		"an empty id":            func(a *upstream.Answer) { a.ID = json.RawMessage(`" "`) },
		"a long id":              func(a *upstream.Answer) { a.ID = json.RawMessage(`"` + strings.Repeat("x", 300) + `"`) },
		"sub":                    func(a *upstream.Answer) { a.Claims["sub"] = json.RawMessage(`"usr_ada"`) },
		"ISS":                    func(a *upstream.Answer) { a.Claims["ISS"] = json.RawMessage(`"x"`) },
		"claims of 9 KB":         func(a *upstream.Answer) { a.Claims["x"] = json.RawMessage(`"` + strings.Repeat("x", 9000) + `"`) },
		"another id in a claim":  func(a *upstream.Answer) { a.Claims["upstream_id"] = json.RawMessage(`1`) },
	} {
		t.Run(name, func(t *testing.T) {
			f := oldTable()
			f.extra = lie
			s := start(t, f, nil)
			before := add(t, s, store.User{Username: "bob", Move: store.MovePending, Claims: map[string]json.RawMessage{"upstream_id": json.RawMessage(`17`)}})
			wantLogin(t, s, "bob", bobPassword, 503, "temporarily_unavailable")
			if bob := user(t, s, "bob"); bob.PasswordHash != "" || bob.Move != store.MovePending || len(bob.Claims) != len(before.Claims) {
				t.Errorf("got %+v", bob)
			}
			waitForEvent(t, s, store.EventUpstream, func(e store.Event) bool { return e.Outcome == store.OutcomeUnavailable && e.Detail["reason"] != "" })
			f.extra = nil
			wantLogin(t, s, "bob", bobPassword, 200, "")
		})
	}
}

// TestTwoAtOnce: logins of one user that the upstream accepts at the same time make one user.
func TestTwoAtOnce(t *testing.T) {
	const n = 8
	f := oldTable()
	var here sync.WaitGroup
	here.Add(n)
	f.before = func(string) error { here.Done(); here.Wait(); return nil }
	s := start(t, f, func(c *upstream.Settings) { c.Concurrency = n })
	var done sync.WaitGroup
	for range n {
		done.Go(func() { wantLogin(t, s, "bob", bobPassword, 200, "") })
	}
	done.Wait()
	if f.calls.Load() != n {
		t.Fatalf("%d calls; the logins were not at the same time", f.calls.Load())
	}
	users, err := s.Store.ListUsers(t.Context(), "", 100)
	if err != nil || len(users) != 2 {
		t.Errorf("got %d users, %v; want ada and bob", len(users), err)
	}
	sessions, err := s.Store.ListSessions(t.Context(), user(t, s, "bob").ID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(sessions) != n {
		t.Errorf("got %d sessions, %v", len(sessions), err)
	}
}

// TestUnsettable: a password that could not be set here is hashed as it was sent, and its owner has moved.
func TestUnsettable(t *testing.T) {
	for name, secret := range map[string]string{"long": strings.Repeat("a very long passphrase ", 20), "control": "tab\there \x01"} {
		t.Run(name, func(t *testing.T) {
			f := oldTable()
			f.users["bob"] = account{secret, "17", false}
			s := start(t, f, nil)
			wantLogin(t, s, "bob", secret, 200, "")
			if bob := user(t, s, "bob"); bob.PasswordHash == "" || bob.Move != store.MoveDone {
				t.Errorf("got %+v", bob)
			}
			delete(f.users, "bob") // he is not asked for there any more
			wantLogin(t, s, "bob", secret, 200, "")
			wantLogin(t, s, "bob", secret+"x", 400, "invalid_grant")
		})
	}
}

// TestUnhashable: a password that cannot be hashed here lets its owner in every time, and nobody else.
func TestUnhashable(t *testing.T) {
	f := oldTable()
	long := strings.Repeat("a very long passphrase ", 200)
	f.users["bob"] = account{long, "17", false}
	s := start(t, f, nil)
	for range 2 {
		wantLogin(t, s, "bob", long, 200, "")
	}
	wantLogin(t, s, "bob", long+"x", 400, "invalid_grant")
	if bob := user(t, s, "bob"); bob.PasswordHash != "" || bob.Move != store.MovePending {
		t.Errorf("got %+v", bob)
	}
}

// TestStay: a directory that stays is asked every time, its claims are the user's, and its id cannot change.
func TestStay(t *testing.T) {
	f := oldTable()
	s := start(t, f, func(c *upstream.Settings) { c.Stay = true })
	wantLogin(t, s, "bob", bobPassword, 200, "")
	bob := user(t, s, "bob")
	if bob.PasswordHash != "" || bob.Move != store.MoveStay {
		t.Errorf("got %+v", bob)
	}
	f.users["bob"] = account{"a new password", "17", false}
	f.extra = func(a *upstream.Answer) { a.Claims = map[string]json.RawMessage{"roles": json.RawMessage(`["new"]`)} }
	wantLogin(t, s, "bob", bobPassword, 400, "invalid_grant")
	wantLogin(t, s, "bob", "a new password", 200, "")
	if got := user(t, s, "bob"); got.ID != bob.ID || string(got.Claims["roles"]) != `["new"]` {
		t.Errorf("got %+v", got)
	}
	revision := user(t, s, "bob").Revision
	wantLogin(t, s, "bob", "a new password", 200, "")
	if user(t, s, "bob").Revision != revision {
		t.Error("a login that changes nothing wrote the record")
	}
	f.users["bob"] = account{"a new password", "18", false}
	wantLogin(t, s, "bob", "a new password", 503, "temporarily_unavailable")
	f.users["bob"] = account{"a new password", "17", true}
	wantLogin(t, s, "bob", "a new password", 400, "invalid_grant")
	sessions, err := s.Store.ListSessions(t.Context(), bob.ID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(sessions) != 0 {
		t.Errorf("%d sessions of a user whom the directory has disabled, %v", len(sessions), err)
	}
	f.users["bob"] = account{"a new password", "17", false}
	wantLogin(t, s, "bob", "a new password", 200, "")
	if _, err := s.Store.UpdateUser(t.Context(), bob.ID, func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	wantLogin(t, s, "bob", "a new password", 400, "invalid_grant")
}

// TestDown: while nothing is known, the response is 503; users who are here can still log in; and the breaker spares
// the upstream calls, then asks again.
func TestDown(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits two seconds for the breaker")
	}
	t.Parallel()
	f := oldTable()
	var down atomic.Bool
	down.Store(true)
	f.before = func(string) error {
		if down.Load() {
			return upstream.NoAnswer(errors.New("connection refused"))
		}
		return nil
	}
	s := start(t, f, nil)
	for i := range 8 {
		wantLogin(t, s, fmt.Sprint("bob", i%2), bobPassword, 503, "temporarily_unavailable")
	}
	if calls := f.calls.Load(); calls != 5 {
		t.Errorf("%d calls; the breaker is open after five", calls)
	}
	wantLogin(t, s, servertest.User, servertest.Password, 200, "")
	wantLogin(t, s, servertest.User, "wrong", 400, "invalid_grant")
	down.Store(false)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, code := login(t, s, "bob", bobPassword)
		if status == 200 {
			break
		}
		if status != 503 || time.Now().After(deadline) {
			t.Fatalf("got %d %s", status, code)
		}
	}
}

// TestAnswersDoNotTrip: what one user's answer is like shuts nobody else out.
func TestAnswersDoNotTrip(t *testing.T) {
	f := oldTable()
	f.before = func(username string) error {
		if username != "bob" {
			return upstream.BadAnswer("status 500")
		}
		return nil
	}
	s := start(t, f, nil)
	for range 30 {
		wantLogin(t, s, "o0027brien", "x", 503, "temporarily_unavailable")
	}
	wantLogin(t, s, "bob", bobPassword, 200, "")
}

// TestSlow: calls and their waiting are bounded.
func TestSlow(t *testing.T) {
	const atOnce = 2
	f := oldTable()
	var running, most atomic.Int32
	release := make(chan struct{})
	f.before = func(string) error {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-release
		return nil
	}
	s := start(t, f, func(c *upstream.Settings) { c.Concurrency = atOnce })
	var crowded, refused atomic.Int32
	var done sync.WaitGroup
	for i := range atOnce*9 + 5 {
		done.Go(func() {
			switch status, code := login(t, s, fmt.Sprint("user", i), "x"); {
			case status == 503:
				if crowded.Add(1) == 5 {
					close(release) // all others run or wait
				}
			case status == 400:
				refused.Add(1)
			default:
				t.Errorf("got %d %s", status, code)
			}
		})
	}
	done.Wait()
	if crowded.Load() != 5 || refused.Load() != atOnce*9 || most.Load() != atOnce {
		t.Errorf("got %d times 503, %d times 400, %d calls at once", crowded.Load(), refused.Load(), most.Load())
	}
}

// TestThrottled: a login that has to wait does not reach the upstream.
func TestThrottled(t *testing.T) {
	f := oldTable()
	s := servertest.New(t, func(c *server.Config) {
		c.Upstream = upstream.Settings{Source: f, Kind: "test", IDClaim: "upstream_id", Timeout: time.Second, Concurrency: 4}
		c.Throttle = throttle.Config{PerAccount: 3, PerNetwork: 100}
	})
	for i := range 3 {
		wantLogin(t, s, "bob", fmt.Sprint("wrong", i), 400, "invalid_grant")
	}
	wantLogin(t, s, "bob", bobPassword, 429, "slow_down")
	if f.calls.Load() != 3 {
		t.Errorf("%d calls, want 3", f.calls.Load())
	}
}

// TestTimeOfRefusals: where the old system needs longer for its own users, a refusal takes as long for a name that it has
// not, and for a user whose password is here.
func TestTimeOfRefusals(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures times; the full suite has it")
	}
	const known = 150 * time.Millisecond
	f := oldTable()
	f.before = func(username string) error {
		if username == "bob" || username == "carl" {
			time.Sleep(known)
		}
		return nil
	}
	f.users["carl"] = account{"the password of carl", "20", false}
	s := start(t, f, nil)
	wantLogin(t, s, "carl", "the password of carl", 200, "") // so that the time of a right password is known
	for _, name := range []string{"bob", "who is that", "carl", servertest.User} {
		began := time.Now()
		wantLogin(t, s, name, "wrong", 400, "invalid_grant")
		if took := time.Since(began); took < known {
			t.Errorf("a refusal of %q took %v; that of a user of the old system takes at least %v", name, took, known)
		}
	}
}
