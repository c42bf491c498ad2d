package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// subject is what the calls of a test are about.
type subject struct {
	user    store.User
	session store.Session
	client  store.Client
	now     time.Time
}

var month = store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour}

func newSubject() subject {
	now := store.Millis(time.Now())
	x := subject{
		user:   store.User{Username: "ada", PasswordHash: "hash", CreatedAt: now, UpdatedAt: now},
		client: store.Client{ID: "app", CreatedAt: now, UpdatedAt: now},
		now:    now,
	}
	rand.Read(x.user.ID[:])
	x.session = store.Session{UserID: x.user.ID, ClientID: x.client.ID, StartedAt: now}
	rand.Read(x.session.ID[:])
	return x
}

// populate writes the records of the subject.
func (x subject) populate(t testing.TB, s *Store) {
	t.Helper()
	ctx := t.Context()
	_, _, started := s.StartSession(ctx, x.session, store.SessionLimits{})
	if !errors.Is(started, store.ErrNotFound) {
		t.Fatalf("StartSession without a user: got %v", started)
	}
	err := errors.Join(s.CreateUser(ctx, x.user), s.CreateClient(ctx, x.client))
	if _, _, started = s.StartSession(ctx, x.session, store.SessionLimits{}); err != nil || started != nil {
		t.Fatalf("the first records: %v, %v", err, started)
	}
}

func (x subject) rotation(generation uint32) store.Rotation {
	return store.Rotation{
		UserID: x.user.ID, SessionID: x.session.ID, ClientID: x.client.ID, Generation: generation,
		Now: x.now, Lifetimes: month, Grace: 10 * time.Second, MaxReplays: 3, Loss: store.Loss{At: x.now.Add(time.Hour)},
	}
}

func (x subject) attempt() store.Attempt {
	a := store.Attempt{Scopes: []store.Scope{
		{Place: "10.0.0.0/24", Limits: []store.Limit{{Key: "ada", Free: 1000, Window: time.Minute}}},
		{Place: "ada", Limits: []store.Limit{{Key: "anywhere", Free: 1000, Window: time.Hour}}, From: []byte("abcdef")},
	}}
	rand.Read(a.ID[:])
	return a
}

// A method is one call of a Store's method. Reads names the kinds of reply that its first command
// may have; whatever else comes back must be an error.
type method struct {
	name  string
	reads conn.Shape
	call  func(ctx context.Context, s *Store, x subject) (outcome any, err error)
}

// methods are all that ask Redis. Those that change what the others need come last.
var methods = []method{
	{"Install", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.Install(ctx)) }},
	{"CreateInstall", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.CreateInstall(ctx, store.Install{ID: "install", Schema: store.Format1})
	}},
	{"LoadKeyring", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		version, document, err := s.LoadKeyring(ctx)
		return []any{version, string(document)}, err
	}},
	{"SwapKeyring", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.SwapKeyring(ctx, 0, 1, []byte("sealed")))
	}},
	{"Ping", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return nil, s.Ping(ctx) }},
	{"Beat", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Beat(ctx, store.Heartbeat{Replica: "one", At: x.now}, time.Minute)
	}},
	{"Beats", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.Beats(ctx, x.now)) }},

	{"CreateClient", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.CreateClient(ctx, store.Client{ID: "another"})
	}},
	{"Client", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Client(ctx, x.client.ID))
	}},
	{"ListClients", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.ListClients(ctx, "", 10))
	}},
	{"ClientsVersion", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.ClientsVersion(ctx)) }},
	{"UpdateClient", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.UpdateClient(ctx, x.client.ID, func(c *store.Client) error { c.Alg = "ES256"; return nil }))
	}},

	{"CreateUser", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		other := x.user
		rand.Read(other.ID[:])
		other.Username = "bob"
		return nil, s.CreateUser(ctx, other)
	}},
	{"User", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.User(ctx, x.user.ID)) }},
	{"UserByName", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.UserByName(ctx, x.user.Username))
	}},
	{"ListUsers", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.ListUsers(ctx, "", 10)) }},
	{"UpdateUser", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.UpdateUser(ctx, x.user.ID, func(u *store.User) error { u.PasswordHash += "."; return nil }))
	}},

	{"BeginLogin", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		adm, c, err := s.BeginLogin(ctx, x.now, x.attempt(), x.user.Username)
		return []any{adm.Wait, adm.Busy, c}, err
	}},
	{"FinishLogin", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		next := x.session
		rand.Read(next.ID[:])
		return outcome(s.FinishLogin(ctx, x.now, store.Receipt{Attempt: x.attempt()}, next, store.SessionLimits{PerUser: 100}))
	}},
	{"Allow", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		adm, err := s.Allow(ctx, x.now, x.attempt())
		return []any{adm.Wait, adm.Busy}, err
	}},
	{"Count", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Count(ctx, x.now, x.attempt().Scopes[0]))
	}},
	{"Fail", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Fail(ctx, x.now, store.Receipt{Attempt: x.attempt()}))
	}},
	{"Refund", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Refund(ctx, x.now, store.Receipt{Attempt: x.attempt()})
	}},
	{"ClearThrottle", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.ClearThrottle(ctx, "10.0.0.0/24", []string{"ada"})
	}},

	{"StartSession", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		next := x.session
		rand.Read(next.ID[:])
		started, _, err := s.StartSession(ctx, next, store.SessionLimits{PerUser: 100, Absolute: time.Hour})
		return started, err
	}},
	{"RedeemCode", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		next := store.Session{UserID: x.user.ID, ClientID: x.client.ID, StartedAt: x.now, RotatedAt: x.now, Parent: x.session.ID}
		rand.Read(next.ID[:])
		redeemed, _, err := s.RedeemCode(ctx, next, store.SessionLimits{PerUser: 100, Absolute: time.Hour}, time.Now().Add(2*time.Minute))
		return redeemed, err
	}},
	{"Rotate", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		session, _, o, err := s.Rotate(ctx, x.rotation(0))
		return []any{session, o}, err
	}},
	{"ListSessions", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.ListSessions(ctx, x.user.ID, x.now, month))
	}},
	{"TokenState", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.TokenState(ctx, store.TokenRef{JTI: "jti", UserID: x.user.ID, SessionID: x.session.ID}))
	}},
	{"Import of a loss", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Fill(ctx, func(yield func(store.Record, error) bool) { yield(store.Record{Loss: &store.Loss{At: x.now}}, nil) })
	}},
	{"Loss", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.Loss(ctx)) }},
	{"RevokeToken", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.RevokeToken(ctx, "another", x.now.Add(time.Hour))
	}},

	{"UseAssertion", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.UseAssertion(ctx, randomID(), x.now.Add(time.Minute))
	}},

	{"AppendEvents", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.AppendEvents(ctx, []store.Event{{Type: "login"}})
	}},
	{"KeepEvent", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.KeepEvent(ctx, &store.Event{Type: "login"})
	}},
	{"DropEvents", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.DropEvents(ctx, []string{"a/one", layout.UserTag(x.user.ID) + "/one"})
	}},
	{"Events", conn.NestedReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Events(ctx, store.EventQuery{}))
	}},
	{"Events newest", conn.NestedReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Events(ctx, store.EventQuery{Newest: true}))
	}},
	{"Manifest", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.Manifest(ctx)) }},

	{"queue a logout", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.deps.Logouts.Add(ctx, []store.Logout{{UserID: x.user.ID, SessionID: x.session.ID, ClientID: x.client.ID}})
	}},
	{"ClaimLogouts", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.ClaimLogouts(ctx, x.now.Add(time.Hour), time.Minute, 10))
	}},
	{"PostponeLogout", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.PostponeLogout(ctx, store.Logout{SessionID: x.session.ID, Attempts: 1}, x.now, time.Minute)
	}},
	{"LogoutQueue", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.LogoutQueue(ctx)) }},
	{"FinishLogout", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.FinishLogout(ctx, store.Logout{SessionID: x.session.ID})
	}},
	{"RevokeSession", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.RevokeSession(ctx, x.user.ID, x.session.ID))
	}},
	{"RevokeSessions", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.RevokeSessions(ctx, x.user.ID))
	}},
	{"DeleteUser", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) { return nil, s.DeleteUser(ctx, x.user.ID) }},
	{"DeleteClient", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.DeleteClient(ctx, x.client.ID, nil)
	}},
}

// upkeep are the methods that may walk over keys, or ask for the time.
var upkeep = []method{
	{"Change of the install", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.RaiseFormat(ctx, store.Format2)
	}},
	{"LoadKeyringAt", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		version, document, _, err := s.LoadKeyringAt(ctx)
		return []any{version, string(document)}, err
	}},
	{"Sweep", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.Sweep(ctx, x.now, month))
	}},
	{"ListThrottle", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return outcome(s.ListThrottle(ctx, x.now, func(_, _ string) bool { return false }, 10))
	}},
	{"Check", conn.TextReply, func(ctx context.Context, s *Store, x subject) (any, error) { return outcome(s.Check(ctx)) }},
	{"Export", conn.ListReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Export(ctx, func(store.Record) error { return nil })
	}},
	{"Import", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Import(ctx, store.Manifest{Install: store.Install{ID: "x"}}, func(func(store.Record, error) bool) {})
	}},
	{"Refill", conn.NumberReply, func(ctx context.Context, s *Store, x subject) (any, error) {
		return nil, s.Refill(ctx, func(func(store.Record, error) bool) {})
	}},
}

func outcome[T any](v T, err error) (any, error) { return v, err }

// isUnavailable reports whether err is ErrUnavailable and nothing that the edge would take for an answer.
func isUnavailable(err error) bool {
	for _, answer := range []error{store.ErrNotFound, store.ErrExists, store.ErrDisabled, store.ErrLocked, store.ErrSchema} {
		if errors.Is(err, answer) {
			return false
		}
	}
	return errors.Is(err, store.ErrUnavailable)
}

// rest is a store that asks nothing of its own accord while a test counts.
func rest(cfg Config) Config {
	cfg.ReplicaPoll = time.Hour
	return cfg
}

// node is the client of the server that has the install: of the only one, where there is no cluster.
func (s *Store) node() *redis.Client {
	node, err := s.deps.Conn.Node(context.Background(), s.deps.Key.Of(layout.Install))
	if err != nil {
		panic(err)
	}
	return node
}

// pause waits, or returns the error of the context where that ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
