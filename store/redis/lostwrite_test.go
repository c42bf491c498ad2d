package redis

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// A replica that has stopped following is made the master. Whatever was acknowledged since is lost,
// for certain: the address that clients use leads to the replica from then on.

// loss is a master and replicas behind an address that can move.
type loss struct {
	*redistest.Replicated
	proxy *network.Proxy
	stale *redistest.Server // the replica that takes over
}

func startLoss(t *testing.T, replicas int) *loss {
	t.Helper()
	r := redistest.StartReplicated(t, redistest.Config{}, replicas)
	return &loss{r, network.NewProxy(t, r.Master.Addr()), r.Replicas[0]}
}

// open returns a store that gets the hints of others, and looks for a change of master only when the
// test calls for it.
func (l *loss) open(t *testing.T, waitReplicas int) *Store {
	t.Helper()
	return openUnaware(t, Config{Addrs: []string{l.proxy.Addr()}, WaitReplicas: waitReplicas, Timeout: time.Second})
}

// from is the moment from which everything will be lost.
func (l *loss) from(t *testing.T) {
	t.Helper()
	redistest.WaitInSync(t, l.Master, l.Replicas...)
	l.stale.Do("replicaof", "no", "one")
}

// takeOver makes the stale replica the master, and returns a store that remembers nothing.
func (l *loss) takeOver(t *testing.T) (fresh *Store) {
	t.Helper()
	l.proxy.LeadTo(l.stale.Addr())
	return l.open(t, 0)
}

// change is something that is acknowledged and then lost.
type change struct {
	name  string
	do    func(ctx context.Context, s *Store) error
	holds func(ctx context.Context, s *Store) (bool, error) // whether the store answers as it must after that
	heard func(s *Store) bool                               // by other replicas; nil: only this one knows
	token token                                             // must not be rotated after that; zero: there is none
}

func TestLostChangesOnTheReplicaThatMadeThem(t *testing.T) {
	testLostChanges(t, func(doer, _ *Store) *Store { return doer }, func(change) bool { return true })
}

func TestLostChangesOnAReplicaThatHeard(t *testing.T) {
	testLostChanges(t, func(_, hearer *Store) *Store { return hearer }, func(c change) bool { return c.heard != nil })
}

func testLostChanges(t *testing.T, choose func(doer, hearer *Store) *Store, covers func(change) bool) {
	l := startLoss(t, 1)
	doer, hearer := l.open(t, 0), l.open(t, 0)
	all := changes(t, doer)
	l.from(t)
	for _, c := range all {
		if err := c.do(t.Context(), doer); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		mustHold(t, doer, c, true)
		if c.heard != nil {
			redistest.Wait(t, c.name+" to be heard of", func() error {
				if !c.heard(hearer) {
					return errors.New("not yet")
				}
				return nil
			})
		}
	}

	fresh := l.takeOver(t)
	for _, c := range all {
		mustHold(t, fresh, c, false) // it is lost
		if c.heard == nil {
			continue
		}
		for _, s := range []*Store{doer, hearer} {
			mustHold(t, s, c, true)
			if c.token != (token{}) {
				if _, o := mustPresent(t, s, c.token); goesOn(o) {
					t.Errorf("%s: a token of before: got %v", c.name, o)
				}
			}
		}
	}

	s := choose(doer, hearer)
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	stats := s.Stats()
	t.Logf("changes of master %d, done again %d of %d", stats.MasterChanges, stats.Reapplied, len(all))
	if stats.MasterChanges != 1 || stats.Reapplied == 0 {
		t.Errorf("got %d changes of master and %d revocations done again, want 1 and more than 0", stats.MasterChanges, stats.Reapplied)
	}
	for _, c := range all {
		mustHold(t, fresh, c, covers(c))
	}
}

func mustHold(t *testing.T, s *Store, c change, want bool) {
	t.Helper()
	got, err := c.holds(t.Context(), s)
	if err != nil || got != want {
		t.Errorf("%s: holds: got %t, %v, want %t", c.name, got, err, want)
	}
}

// changes are one of each kind, each of a user or client of its own.
func changes(t *testing.T, s *Store) []change {
	all := []change{sessionRevoked(t, s), sessionsRevoked(t, s), userDisabled(t, s), passwordChanged(t, s)}
	return append(all, userDeleted(t, s), userGone(t, s), tokenRevoked(), clientDisabled(t, s), clientDeleted(t, s))
}

// sessionEnded reports whether tokens of the session are dead.
func sessionEnded(session store.Session) func(context.Context, *Store) (bool, error) {
	return func(ctx context.Context, s *Store) (bool, error) {
		state, err := s.TokenState(ctx, store.TokenRef{JTI: "none", UserID: session.UserID, SessionID: session.ID})
		return !state.Live, err
	}
}

func sessionRevoked(t *testing.T, s *Store) change {
	session := seedSession(t, s, seedUser(t, s).ID)
	return change{
		name: "a session revoked",
		do: func(ctx context.Context, s *Store) error {
			_, err := s.RevokeSession(ctx, session.UserID, session.ID)
			return err
		},
		holds: sessionEnded(session),
		heard: func(s *Store) bool { return s.deps.Revocations.HasSession(session.ID) },
		token: tokenOf(session),
	}
}

// sessionsRevoked presents the token of one session and looks at another one: who does not believe
// the store ends a session that it meets.
func sessionsRevoked(t *testing.T, s *Store) change {
	u := seedUser(t, s)
	seen, shown := seedSession(t, s, u.ID), seedSession(t, s, u.ID)
	return change{
		name: "all sessions of a user revoked",
		do: func(ctx context.Context, s *Store) error {
			_, err := s.RevokeSessions(ctx, u.ID)
			return err
		},
		holds: sessionEnded(seen),
		heard: func(s *Store) bool { return s.deps.Revocations.HasEnded(shown) },
		token: tokenOf(shown),
	}
}

// userDisabled is how an operator disables: what was begun before is over as well. Others hear of
// that, and not that the user is disabled.
func userDisabled(t *testing.T, s *Store) change {
	u := seedUser(t, s)
	session := seedSession(t, s, u.ID)
	return change{
		name: "a user disabled",
		do: func(ctx context.Context, s *Store) error {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Disabled, u.NotBefore = true, presented; return nil })
			return err
		},
		holds: func(ctx context.Context, s *Store) (bool, error) {
			ended, err := sessionEnded(session)(ctx, s)
			if err != nil {
				return false, err
			}
			u, err := s.User(ctx, u.ID)
			return ended && u.Disabled, err
		},
	}
}

func passwordChanged(t *testing.T, s *Store) change {
	u := seedUser(t, s)
	return change{
		name: "a password changed",
		do: func(ctx context.Context, s *Store) error {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.PasswordHash = "second"; return nil })
			return err
		},
		holds: func(ctx context.Context, s *Store) (bool, error) {
			_, c, err := s.BeginLogin(ctx, presented, store.Attempt{}, u.Username)
			return c.PasswordHash == "second", err
		},
	}
}

// userDeleted: others hear that no session of the user counts.
func userDeleted(t *testing.T, s *Store) change {
	u := seedUser(t, s)
	seen, shown := seedSession(t, s, u.ID), seedSession(t, s, u.ID)
	return change{
		name:  "a user deleted",
		do:    func(ctx context.Context, s *Store) error { return s.DeleteUser(ctx, u.ID) },
		holds: sessionEnded(seen),
		heard: func(s *Store) bool { return s.deps.Revocations.HasEnded(shown) },
		token: tokenOf(shown),
	}
}

// userGone is the same as seen by who looks for the user.
func userGone(t *testing.T, s *Store) change {
	u := seedUser(t, s)
	return change{
		name: "a user deleted, looked for",
		do:   func(ctx context.Context, s *Store) error { return s.DeleteUser(ctx, u.ID) },
		holds: func(ctx context.Context, s *Store) (bool, error) {
			_, err := s.User(ctx, u.ID)
			return errors.Is(err, store.ErrNotFound), absentIsNone(err)
		},
	}
}

func tokenRevoked() change {
	const jti = "revoked"
	return change{
		name: "an access token revoked",
		do:   func(ctx context.Context, s *Store) error { return s.RevokeToken(ctx, jti, time.Now().Add(time.Hour)) },
		holds: func(ctx context.Context, s *Store) (bool, error) {
			state, err := s.TokenState(ctx, store.TokenRef{JTI: jti})
			return state.Revoked, err
		},
		heard: func(s *Store) bool { return s.deps.Revocations.HasToken(jti) },
	}
}

func clientDisabled(t *testing.T, s *Store) change {
	c := seedClient(t, s)
	return change{
		name: "a client disabled",
		do: func(ctx context.Context, s *Store) error {
			_, err := s.UpdateClient(ctx, c.ID, func(c *store.Client) error { c.Disabled, c.UpdatedAt = true, presented; return nil })
			return err
		},
		holds: func(ctx context.Context, s *Store) (bool, error) {
			c, err := s.Client(ctx, c.ID)
			return c.Disabled, err
		},
	}
}

func clientDeleted(t *testing.T, s *Store) change {
	c := seedClient(t, s)
	return change{
		name: "a client deleted",
		do:   func(ctx context.Context, s *Store) error { return s.DeleteClient(ctx, c.ID, nil) },
		holds: func(ctx context.Context, s *Store) (bool, error) {
			_, err := s.Client(ctx, c.ID)
			return errors.Is(err, store.ErrNotFound), absentIsNone(err)
		},
	}
}

// TestLostRotationHeals: the app has a token that the store has never heard of, and stays logged in.
func TestLostRotationHeals(t *testing.T) {
	l := startLoss(t, 1)
	s := l.open(t, 0)
	if err := s.CreateInstall(t.Context(), store.Install{ID: "install", Schema: Schema}); err != nil {
		t.Fatal(err)
	}
	k := tokenOf(seedSession(t, s, seedUser(t, s).ID))
	l.from(t)
	for range 3 {
		k, _ = mustPresent(t, s, k)
	}
	fresh := l.takeOver(t)
	list, err := fresh.ListSessions(t.Context(), k.user, presented, long)
	if err != nil || len(list) != 1 || list[0].Generation != 0 {
		t.Fatalf("the rotations are lost: got %v, %v, want one session of generation 0", list, err)
	}
	k, o := mustPresent(t, s, k)
	if o != store.Healed || k.generation != 4 {
		t.Errorf("got %v with generation %d, want %v with 4", o, k.generation, store.Healed)
	}
	if _, o = mustPresent(t, fresh, k); o != store.Rotated {
		t.Errorf("the token after that: got %v, want %v", o, store.Rotated)
	}
}

// TestReapplicationIsRepeated: a replica that lacks what another one had confirmed takes over, and
// has nobody yet who could confirm.
func TestReapplicationIsRepeated(t *testing.T) {
	l := startLoss(t, 2)
	s := l.open(t, 1)
	c := passwordChanged(t, s)
	l.from(t)
	if err := c.do(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	fresh := l.takeOver(t)
	mustHold(t, fresh, c, false)
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); stats.MasterChanges != 1 || stats.Reapplied != 0 {
		t.Fatalf("without a replica: got %+v, want 1 change of master and nothing done again", stats)
	}

	_, port, _ := net.SplitHostPort(l.stale.Addr())
	l.Replicas[1].Do("replicaof", "127.0.0.1", port)
	redistest.WaitInSync(t, l.stale, l.Replicas[1])
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); stats.Reapplied != 1 {
		t.Errorf("with a replica: got %d done again, want 1", stats.Reapplied)
	}
	mustHold(t, fresh, c, true)
}

// TestClientMadeAnewStays: a change of master brings back that a client was deleted, and not the end
// of another one that has its id since.
func TestClientMadeAnewStays(t *testing.T) {
	l := startLoss(t, 1)
	s, other := l.open(t, 0), l.open(t, 0)
	c := seedClient(t, s)
	if err := s.DeleteClient(t.Context(), c.ID, nil); err != nil {
		t.Fatal(err)
	}
	c.CreatedAt, c.UpdatedAt = presented, presented
	if err := other.CreateClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	l.from(t)
	l.takeOver(t)
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().MasterChanges; got != 1 {
		t.Fatalf("changes of master: got %d, want 1", got)
	}
	if _, err := s.Client(t.Context(), c.ID); err != nil {
		t.Errorf("the client that was made anew: %v", err)
	}
}

// absentIsNone takes a missing record for no error.
func absentIsNone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
