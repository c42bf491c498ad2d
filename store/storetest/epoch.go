package storetest

import (
	"context"
	"testing"
	"time"

	"signet/store"
)

// testSignOuts: the sign-out of a user ends every session that exists. Sessions that begin after it live, also where the
// clocks of the replicas differ.
func testSignOuts(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	ways := map[string]func(u *store.User){
		"signed out":       func(u *store.User) { u.EndSessions() },
		"password changed": func(u *store.User) { u.PasswordHash = "another"; u.EndSessions() },
		"disabled":         func(u *store.User) { u.Disabled = true; u.EndSessions() },
	}
	for name, change := range ways {
		u := addUser(t, s)
		var before []store.Session
		for _, ahead := range []time.Duration{-time.Hour, 0, 40 * time.Second, 50 * time.Minute} {
			before = append(before, addSession(t, s, u.ID, t0.Add(ahead)))
		}
		changed, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { change(u); return nil })
		noError(t, "UpdateUser", err)
		if changed.Disabled {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Disabled = false; return nil })
			noError(t, "UpdateUser", err)
		}
		after := addSession(t, s, u.ID, t0.Add(-time.Minute)) // by a clock that is behind
		equal(t, name+": what is left", sessions(t, s, u.ID, t0), []store.Session{after})
		for _, session := range before {
			_, o := rotate(t, s, rotation(session, 0, session.StartedAt.Add(time.Second)))
			equal(t, name+": a session from before", o, store.Gone)
		}
		_, o := rotate(t, s, rotation(after, 0, t0))
		equal(t, name+": a session from after", o, store.Rotated)
	}
}

// testClientEpochsRise: an update raises the epoch by one, and a new client begins above all that were deleted.
// A store of format 1 has NotBefore instead.
func testClientEpochsRise(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	create := func(id string) store.Client {
		t.Helper()
		noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: id, CreatedAt: t0}))
		return getClient(t, s, id)
	}
	first, other := create("app"), create("other")
	ended, err := s.UpdateClient(ctx, "app", func(c *store.Client) error { c.EndSessions(); return nil })
	noError(t, "UpdateClient", err)
	noError(t, "DeleteClient", s.DeleteClient(ctx, "app", nil))
	again := create("app")
	if s.Format() < store.Format2 {
		equal(t, "epochs in format 1", []uint32{first.Epoch, ended.Epoch, again.Epoch}, []uint32{0, 0, 0})
		if !ended.NotBefore.After(first.NotBefore) || again.NotBefore.IsZero() {
			t.Errorf("NotBefore: got %v, then %v, and made anew %v; want it to rise", first.NotBefore, ended.NotBefore, again.NotBefore)
		}
		return
	}
	equal(t, "epochs: made, raised, made anew, another", []uint32{first.Epoch, ended.Epoch, again.Epoch, other.Epoch}, []uint32{0, 1, 2, 0})
	equal(t, "NotBefore", []time.Time{ended.NotBefore, again.NotBefore}, []time.Time{{}, {}})
	noError(t, "DeleteClient", s.DeleteClient(ctx, "other", nil))
	equal(t, "a new client's epoch", create("third").Epoch, uint32(2))
}
