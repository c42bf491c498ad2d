package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestRestartKeepsWhatWasAcknowledged kills Redis under load and starts it again, three times. The
// file is synced before each answer; TestEverysecCanLoseAnswers shows why. The store does not look for a change of master, so
// that its revocation log does not restore what was lost.
func TestRestartKeepsWhatWasAcknowledged(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	d := &deeds{t: t, store: openUnaware(t, Config{Addrs: []string{server.Addr()}})}
	for range 3 {
		d.workUntilKilled(server, 100)
		if lost := d.lost(mustOpen(t, Config{Addrs: []string{server.Addr()}})); len(lost) > 0 {
			t.Fatalf("after a restart: lost %d of %d: %v", len(lost), d.count(), lost)
		}
	}
	t.Logf("acknowledged %d changes and %d rotations over 3 kills, lost none; answered unavailable %d",
		d.count(), d.rotations.Load(), d.unavailable.Load())
}

// TestRestartWithoutFileLoses shows that the above can fail.
func TestRestartWithoutFileLoses(t *testing.T) {
	server := redistest.Start(t, redistest.Config{})
	d := &deeds{t: t, store: openUnaware(t, Config{Addrs: []string{server.Addr()}})}
	d.workUntilKilled(server, 20)
	if lost := d.lost(mustOpen(t, Config{Addrs: []string{server.Addr()}})); len(lost) == 0 {
		t.Errorf("a server without a file has lost nothing of %d", d.count())
	}
}

// deeds are changes that were acknowledged, and how to see that each is still there.
type deeds struct {
	t     *testing.T
	store *Store

	rotations, unavailable atomic.Int64

	mu    sync.Mutex
	there []check // guarded by mu
}

// check returns nil while a change is there.
type check func(ctx context.Context, s *Store) error

const deedWorkers = 4

// workUntilKilled has workers change things, kills the server when so many more changes were
// acknowledged, and starts it again when somebody has noticed.
func (d *deeds) workUntilKilled(server *redistest.Server, changes int) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	defer cancel()
	var workers sync.WaitGroup
	for range deedWorkers {
		workers.Go(func() {
			for ctx.Err() == nil {
				d.work(ctx)
			}
		})
	}
	want, errs := d.count()+changes, int64(0)
	redistest.Wait(d.t, "changes", func() error {
		errs = d.unavailable.Load()
		return atLeast(d.count(), want)
	})
	server.Kill()
	redistest.Wait(d.t, "a worker to notice", func() error { return atLeast(int(d.unavailable.Load()), int(errs)+1) })
	cancel()
	workers.Wait()
	server.Restart()
}

func atLeast(have, want int) error {
	if have < want {
		return fmt.Errorf("have %d, want %d", have, want)
	}
	return nil
}

// work changes one thing after the other, until an error: whether that one happened is open.
func (d *deeds) work(ctx context.Context) {
	s, name, jti := d.store, fmt.Sprintf("%x", randomID()), fmt.Sprintf("%x", randomID())
	u := store.User{ID: randomID(), Username: name, CreatedAt: begun, UpdatedAt: begun}
	other := store.User{ID: randomID(), Username: "other-" + name, CreatedAt: begun, UpdatedAt: begun}
	ends := store.Session{ID: randomID(), UserID: u.ID}
	endsToo := store.Session{ID: randomID(), UserID: other.ID}
	for _, did := range []func() bool{
		func() bool {
			return d.did(s.CreateUser(ctx, u), hasUser(u)) && d.did(s.CreateUser(ctx, other), hasUser(other))
		},
		func() bool {
			return d.did(s.CreateClient(ctx, store.Client{ID: name}), func(ctx context.Context, s *Store) error { _, err := s.Client(ctx, name); return err })
		},
		func() bool { return d.refresh(ctx, u.ID) },
		func() bool { return d.starts(ctx, ends) && d.starts(ctx, endsToo) },
		func() bool { _, err := s.RevokeSession(ctx, u.ID, ends.ID); return d.did(err, hasEnded(ends)) },
		func() bool {
			_, err := s.RevokeSessions(ctx, other.ID)
			return d.did(err, hasEnded(endsToo))
		},
		func() bool {
			return d.did(s.RevokeToken(ctx, jti, time.Now().Add(time.Hour)), func(ctx context.Context, s *Store) error {
				state, err := s.TokenState(ctx, store.TokenRef{JTI: jti})
				return holds(state.Revoked, err)
			})
		},
		func() bool {
			id := store.AssertionID(randomID())
			return d.did(s.UseAssertion(ctx, id, time.Now().Add(time.Hour)), func(ctx context.Context, s *Store) error { return wasUsed(ctx, s, id) })
		},
		func() bool {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.PasswordHash = "second"; return nil })
			return d.did(err, func(ctx context.Context, s *Store) error {
				_, c, err := s.BeginLogin(ctx, presented, store.Attempt{}, u.Username)
				return holds(c.PasswordHash == "second", err)
			})
		},
	} {
		if !did() {
			_ = pause(ctx, 5*time.Millisecond)
			return
		}
	}
}

// did notes what was acknowledged, and reports whether it was.
func (d *deeds) did(err error, there check) bool {
	if err != nil {
		d.unavailable.Add(1)
		if !errors.Is(err, store.ErrUnavailable) {
			d.t.Errorf("got %v, want %v", err, store.ErrUnavailable)
		}
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.there = append(d.there, there)
	return true
}

func (d *deeds) starts(ctx context.Context, in store.Session) bool {
	_, err := startSession(ctx, d.store, in.UserID, in.ID)
	return d.did(err, func(context.Context, *Store) error { return nil }) // it is about to end
}

// refresh starts a session and rotates it; it must have at least the generation that its app has got.
func (d *deeds) refresh(ctx context.Context, user store.UserID) bool {
	var generation atomic.Uint32
	session, err := startSession(ctx, d.store, user, randomID())
	if !d.did(err, func(ctx context.Context, s *Store) error {
		state, err := s.TokenState(ctx, store.TokenRef{JTI: "none", UserID: session.UserID, SessionID: session.ID})
		return holds(state.Live && state.Session.Generation >= generation.Load(), err)
	}) {
		return false
	}
	k := tokenOf(session)
	for range 5 {
		if k, _, err = k.present(ctx, d.store); err != nil {
			d.unavailable.Add(1)
			return false
		}
		d.rotations.Add(1)
		generation.Store(k.generation)
	}
	return true
}

func hasUser(u store.User) check {
	return func(ctx context.Context, s *Store) error { _, err := s.UserByName(ctx, u.Username); return err }
}

func hasEnded(session store.Session) check {
	return func(ctx context.Context, s *Store) error {
		ended, err := sessionEnded(session)(ctx, s)
		return holds(ended, err)
	}
}

func holds(there bool, err error) error {
	if err == nil && !there {
		return errors.New("it is lost")
	}
	return err
}

func (d *deeds) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.there)
}

// lost returns what is not there, according to a store that remembers nothing.
func (d *deeds) lost(s *Store) (lost []error) {
	for _, there := range d.there {
		if err := there(d.t.Context(), s); err != nil {
			lost = append(lost, err)
		}
	}
	return lost
}
