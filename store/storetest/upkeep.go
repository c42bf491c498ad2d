package storetest

import (
	"context"
	"testing"
	"time"

	"signet/store"
)

func testHeartbeats(t *testing.T, b Backend) {
	ctx, s, now := context.Background(), b.Store, soon().UTC()
	beats := func(at time.Time) []store.Heartbeat {
		t.Helper()
		return must[[]store.Heartbeat](t, "Beats")(s.Beats(ctx, at))
	}
	equal(t, "none", len(beats(now)), 0)
	two := store.Heartbeat{Replica: "two", KeyringVersion: 7, At: now}
	one := store.Heartbeat{Replica: "one", KeyringVersion: 8, At: now.Add(s1)}
	noError(t, "Beat", s.Beat(ctx, two, mi))
	noError(t, "Beat", s.Beat(ctx, one, mi))
	equal(t, "both, by name", beats(now.Add(2*s1)), []store.Heartbeat{one, two})
	equal(t, "at the end of one", beats(now.Add(mi)), []store.Heartbeat{one})
	two.KeyringVersion, two.At = 9, now.Add(30*s1)
	noError(t, "Beat", s.Beat(ctx, two, mi))
	equal(t, "the latest heartbeat counts", beats(now.Add(mi)), []store.Heartbeat{one, two})
	equal(t, "after the end of all", len(beats(now.Add(time.Hour))), 0)
}

func testSweep(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u := addUser(t, s)
	idle := addSession(t, s, u.ID, t0)
	busy := addSession(t, s, u.ID, t0)
	young := addSession(t, s, u.ID, t0.Add(time.Hour))
	busy, _ = rotate(t, s, rotation(busy, 0, t0.Add(time.Hour)))

	l := store.Lifetimes{Idle: 90 * mi, Absolute: 24 * time.Hour}
	sweep := func(now time.Time) (n int) {
		for range 10 { // each does a bounded amount of work
			n += must[int](t, "Sweep")(s.Sweep(ctx, now, l))
		}
		return n
	}
	equal(t, "swept before anything is over", sweep(t0.Add(90*mi-ms)), 0)
	sweep(t0.Add(90 * mi))
	list := sessions(t, s, u.ID, t0.Add(90*mi))
	equal(t, "how many are left once one is over", len(list), 2)
	for _, left := range list {
		if left != busy && left != young {
			t.Errorf("Sweep left %+v", left)
		}
	}
	state := tokenState(t, s, u.ID, idle.ID)
	equal(t, "the idle one is live", state.Live, false)
	sweep(t0.Add(48 * time.Hour))
	equal(t, "left after the end of all", len(sessions(t, s, u.ID, t0)), 0)

	begin := soon()
	equal(t, "wait", count(t, s, begin, store.Limit{Key: "x", Free: 1, Window: mi}), 0*s1)
	noError(t, "RevokeToken", s.RevokeToken(ctx, "x", begin.Add(mi)))
	sweep(begin.Add(mi - ms))
	equal(t, "a count that still counts", count(t, s, begin, store.Limit{Key: "x", Free: 1, Window: mi}), mi)
	sweep(begin.Add(mi))
	noError(t, "Ping", s.Ping(ctx))
}

// testReopen: acknowledged writes exist when the data are opened again.
func testReopen(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u, client := fullUser("ada"), fullClient("app")
	u.Disabled, u.NotBefore = false, t0
	noError(t, "CreateUser", s.CreateUser(ctx, u))
	noError(t, "CreateClient", s.CreateClient(ctx, client))
	kept, ended := addSession(t, s, u.ID, t0), addSession(t, s, u.ID, t0.Add(s1))
	kept, _ = rotate(t, s, rotation(kept, 0, t0.Add(2*s1)))
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, ended.ID))
	stolen := addSession(t, s, u.ID, t0.Add(s1))
	for _, generation := range []uint32{0, 1, 0} {
		rotate(t, s, rotation(stolen, generation, t0.Add(2*s1)))
	}
	gone := addUser(t, s)
	noError(t, "DeleteUser", s.DeleteUser(ctx, gone.ID))

	s = b.Reopen(t)
	equal(t, "User", getUser(t, s, u.ID), u)
	equal(t, "Client", getClient(t, s, "app"), client)
	equal(t, "sessions", sessions(t, s, u.ID, t0.Add(3*s1)), []store.Session{kept})
	_, err := s.User(ctx, gone.ID)
	wantError(t, "User that was deleted", err, store.ErrNotFound)
	_, o := rotate(t, s, rotation(kept, 0, t0.Add(3*s1)))
	equal(t, "the predecessor after a restart", o, store.Replayed)
}
