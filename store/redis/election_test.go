package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
)

// backWithin is how soon the service must be there again after a master has died, without a hand.
const backWithin = 15 * time.Second

// TestElection kills a master that Sentinel watches, while apps refresh and an operator revokes.
func TestElection(t *testing.T) {
	sentinels := redistest.StartSentinel(t, redistest.SentinelConfig{})
	open := func() *Store {
		return mustOpen(t, Config{Mode: conn.Sentinel, Addrs: sentinels.Addrs(), Master: sentinels.MasterName(), WaitReplicas: 1, ReplicaPoll: 200 * time.Millisecond})
	}
	e := newElection(t, open(), open())
	sentinels.WaitForReplicas()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.begin(ctx)

	e.until(t, "revocations before the fault", func() bool { return e.revoked.Load() >= 5 && e.refreshed.Load() >= 300 })
	master := sentinels.Master()
	e.killed.Store(time.Now().UnixNano())
	master.Kill()
	now := sentinels.WaitForFailover(master, 0)
	e.until(t, "all revocations, and every session to be refreshed after the fault", func() bool {
		return int(e.revoked.Load()) == len(e.revocations) && e.allRefreshed()
	})
	cancel()
	e.running.Wait()

	t.Logf("%s took over from %s; refreshed %d, of them healed %d; answered unavailable %d", now.Addr(), master.Addr(), e.refreshed.Load(), e.healed.Load(), e.unavailable.Load())
	t.Logf("after the master was killed: first refresh %v, first revocation %v", e.since(&e.refreshedAt), e.since(&e.revokedAt))
	if took := e.since(&e.refreshedAt); took > backWithin {
		t.Errorf("refreshing works again after %v, want at most %v", took, backWithin)
	}
	if took := e.since(&e.revokedAt); took > backWithin {
		t.Errorf("revoking works again after %v, want at most %v", took, backWithin)
	}
	for i, s := range e.stores {
		if got := s.Stats().MasterChanges; got == 0 {
			t.Errorf("store %d has not noticed the new master", i)
		}
	}
	e.judge(t, open(), now)
}

// election is what apps and an operator do meanwhile, and what they have seen.
type election struct {
	t           *testing.T
	stores      [2]*Store // replicas of Signet
	lives       []*life
	revocations []revoking
	running     sync.WaitGroup

	killed                                  atomic.Int64 // when; nanoseconds
	refreshedAt, revokedAt                  atomic.Int64 // first success that was asked for after that
	refreshed, healed, unavailable, revoked atomic.Int64
}

// life is one session, as its app has seen it.
type life struct {
	token  token
	doomed atomic.Bool // its end was asked for
	ended  atomic.Bool // that was acknowledged
	since  atomic.Bool // refreshed after the fault
}

// revoking ends some sessions.
type revoking struct {
	of []*life
	do func(context.Context, *Store) error
}

const (
	electionUsers   = 20
	electionWorkers = 8
	sessionsPerUser = 5
)

func newElection(t *testing.T, a, b *Store) *election {
	e := &election{t: t, stores: [2]*Store{a, b}}
	if err := a.CreateInstall(t.Context(), store.Install{ID: "install", Schema: Schema}); err != nil { // losses are noted beside it
		t.Fatal(err)
	}
	for n := range electionUsers {
		u := seedUser(t, a)
		var all []*life
		for range sessionsPerUser {
			all = append(all, &life{token: tokenOf(seedSession(t, a, u.ID))})
		}
		e.lives = append(e.lives, all...)
		if r := revocationOf(n, u.ID, all); r.do != nil {
			e.revocations = append(e.revocations, r)
		}
	}
	return e
}

// revocationOf the nth user is of one session, of all, by disabling, by deleting, or none.
func revocationOf(n int, u store.UserID, all []*life) revoking {
	switch n % 5 {
	case 0:
		session := all[0].token.session
		return revoking{all[:1], func(ctx context.Context, s *Store) error {
			_, err := s.RevokeSession(ctx, u, session)
			return err
		}}
	case 1:
		return revoking{all, func(ctx context.Context, s *Store) error {
			_, err := s.RevokeSessions(ctx, u)
			return err
		}}
	case 2:
		return revoking{all, func(ctx context.Context, s *Store) error {
			_, err := s.UpdateUser(ctx, u, func(u *store.User) error { u.Disabled, u.NotBefore = true, presented; return nil })
			return err
		}}
	case 3:
		return revoking{all, func(ctx context.Context, s *Store) error { return s.ReapplyUserDeletion(ctx, u) }}
	default:
		return revoking{}
	}
}

func (e *election) begin(ctx context.Context) {
	for w := range electionWorkers {
		e.running.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				for i := w; i < len(e.lives); i += electionWorkers { // a session has one app
					e.refresh(ctx, e.stores[round%2], e.lives[i])
				}
			}
		})
	}
	e.running.Go(func() {
		for i, r := range e.revocations {
			e.revoke(ctx, e.stores[i%2], r)
		}
	})
}

// refresh presents the session's token, also after the session has ended. After an error the app
// still has the same token, and presents it again when its turn comes.
func (e *election) refresh(ctx context.Context, s *Store, l *life) {
	ended, asked := l.ended.Load(), time.Now().UnixNano()
	next, o, err := l.token.present(ctx, s)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		e.unavailable.Add(1)
		if !errors.Is(err, store.ErrUnavailable) {
			e.t.Errorf("Rotate: got %v, want %v", err, store.ErrUnavailable)
		}
		_ = pause(ctx, 5*time.Millisecond)
	case goesOn(o) && ended:
		e.t.Errorf("a session that was revoked: %v", o)
	case goesOn(o):
		l.token = next
		e.refreshed.Add(1)
		if o == store.Healed {
			e.healed.Add(1)
		}
		if e.note(&e.refreshedAt, asked) {
			l.since.Store(true)
		}
	case !l.doomed.Load():
		e.t.Errorf("a session that nobody has revoked: %v", o)
	}
}

// revoke asks until it is acknowledged.
func (e *election) revoke(ctx context.Context, s *Store, r revoking) {
	for _, l := range r.of {
		l.doomed.Store(true)
	}
	for {
		asked := time.Now().UnixNano()
		err := r.do(ctx, s)
		if err == nil {
			e.note(&e.revokedAt, asked)
			break
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
	for _, l := range r.of {
		l.ended.Store(true)
	}
	e.revoked.Add(1)
	_ = pause(ctx, 50*time.Millisecond) // so that some are left for the election
}

// note keeps the time of the first success after the fault, and reports whether this was after it.
func (e *election) note(first *atomic.Int64, asked int64) bool {
	killed := e.killed.Load()
	if killed == 0 || asked < killed {
		return false
	}
	first.CompareAndSwap(0, time.Now().UnixNano())
	return true
}

func (e *election) since(at *atomic.Int64) time.Duration {
	return time.Duration(at.Load() - e.killed.Load()).Round(time.Millisecond)
}

func (e *election) allRefreshed() bool {
	for _, l := range e.lives {
		if !l.doomed.Load() && !l.since.Load() {
			return false
		}
	}
	return true
}

func (e *election) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	redistest.Wait(t, what, func() error {
		if !reached() {
			return errors.New("not yet")
		}
		return nil
	})
}

// judge asks a store that remembers nothing, and the new master itself.
func (e *election) judge(t *testing.T, fresh *Store, master *redistest.Server) {
	t.Helper()
	var live, ended int
	for _, l := range e.lives {
		there := master.Do("hexists", fresh.deps.Key.Sessions(l.token.user), string(l.token.session[:])) == int64(1)
		if l.ended.Load() {
			ended++
		} else {
			live++
		}
		if there == l.ended.Load() {
			t.Errorf("a session that has ended %t: the master has it %t", l.ended.Load(), there)
		}
		for _, s := range append(e.stores[:], fresh) {
			next, o, _, err := l.token.presentUntil(t.Context(), s)
			if err != nil || goesOn(o) == l.ended.Load() {
				t.Errorf("a session that has ended %t: got %v, %v", l.ended.Load(), o, err)
			}
			l.token = next
		}
	}
	t.Logf("sessions that go on %d, revoked %d, on three stores and the master alike", live, ended)
}
