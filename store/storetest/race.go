package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"signet/store"
)

func testRotateRace(t *testing.T, b Backend) {
	s := b.Store
	session := addSession(t, s, addUser(t, s).ID, t0)
	const n = 64
	for generation := range uint32(3) {
		outcomes := map[store.Outcome]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				r := rotation(session, generation, t0.Add(time.Second))
				r.MaxReplays = n
				got, _, o, err := s.Rotate(context.Background(), r)
				noErrorf(t, "Rotate", err)
				mu.Lock()
				defer mu.Unlock()
				outcomes[o]++
				if err == nil && got.Generation != generation+1 {
					t.Errorf("got generation %d, want %d: a second line", got.Generation, generation+1)
				}
			})
		}
		wg.Wait()
		equal(t, "outcomes", outcomes, map[store.Outcome]int{store.Rotated: 1, store.Replayed: n - 1})
	}
}

// testRevokeRace: no session that began before a revocation exists after it, in any interleaving.
func testRevokeRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	for range 8 {
		u := addUser(t, s)
		var all []store.Session
		for range 4 {
			all = append(all, addSession(t, s, u.ID, t0))
		}
		var wg sync.WaitGroup
		for _, session := range all {
			wg.Go(func() {
				_, _, o, err := s.Rotate(ctx, rotation(session, 0, t0.Add(time.Second)))
				noErrorf(t, "Rotate", err)
				if o != store.Rotated && o != store.Gone && o != store.Revoked {
					t.Errorf("Rotate against RevokeSessions: got %v", o)
				}
			})
		}
		ended := 0
		wg.Go(func() {
			var err error
			ended, err = s.RevokeSessions(ctx, u.ID)
			noErrorf(t, "RevokeSessions", err)
		})
		wg.Wait()
		equal(t, "sessions after RevokeSessions", len(sessions(t, s, u.ID, t0)), 0)
		equal(t, "sessions that RevokeSessions ended", ended, len(all))
		_, o := rotate(t, s, rotation(all[0], 1, t0.Add(2*time.Second)))
		if o != store.Gone && o != store.Revoked {
			t.Errorf("Rotate after RevokeSessions: got %v", o)
		}
	}
}

// testRevokeStartRace: a session that races with a revocation is either ended by it or begun after it.
func testRevokeStartRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	for range 8 {
		u := addUser(t, s)
		started := make([]store.Session, 8)
		ended := 0
		var wg sync.WaitGroup
		for i := range started {
			wg.Go(func() {
				in := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: t0}
				var err error
				started[i], _, err = s.StartSession(ctx, in, store.SessionLimits{PerUser: 100})
				noErrorf(t, "StartSession", err)
			})
		}
		wg.Go(func() {
			var err error
			ended, err = s.RevokeSessions(ctx, u.ID)
			noErrorf(t, "RevokeSessions", err)
		})
		wg.Wait()
		notBefore := getUser(t, s, u.ID).NotBefore
		left := sessions(t, s, u.ID, t0.Add(time.Second))
		equal(t, "sessions ended and left", ended+len(left), len(started))
		for _, session := range left {
			if session.StartedAt.Before(notBefore) {
				t.Errorf("a session begun at %v is left by a revocation of everything before %v", session.StartedAt, notBefore)
			}
		}
	}
}
