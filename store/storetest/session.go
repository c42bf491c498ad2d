package storetest

import (
	"context"
	"testing"
	"time"

	"signet/store"
)

// ten is the limit of most cases.
var ten = store.SessionLimits{PerUser: 10, Absolute: month.Absolute}

func testStartSession(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	in := store.Session{ID: newSessionID(), UserID: newUserID(), ClientID: "app", StartedAt: t0.Add(1500 * time.Microsecond)}
	_, _, err := s.StartSession(ctx, in, ten)
	wantError(t, "StartSession of an unknown user", err, store.ErrNotFound)

	u := addUser(t, s)
	in.UserID = u.ID
	want := in
	want.StartedAt = t0.Add(time.Millisecond)
	want.RotatedAt = want.StartedAt
	got, user, err := s.StartSession(ctx, in, ten)
	noError(t, "StartSession", err)
	equal(t, "StartSession", got, want)
	equal(t, "the user it returns", user, u)
	equal(t, "ListSessions", sessions(t, s, u.ID, t0), []store.Session{want})
	_, _, err = s.StartSession(ctx, in, ten)
	wantError(t, "StartSession of a taken id", err, store.ErrExists)

	moved := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: t0,
		Generation: 7, Replays: 2, RotatedAt: t0.Add(time.Hour)} // from another store
	got, _, err = s.StartSession(ctx, moved, ten)
	noError(t, "StartSession", err)
	equal(t, "a session that already has a history", got, moved)

	notBefore := t0.Add(time.Minute)
	u, err = s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.NotBefore = notBefore; return nil })
	noError(t, "UpdateUser", err)
	got = addSession(t, s, u.ID, t0.Add(30*time.Second))
	equal(t, "StartedAt and RotatedAt before NotBefore", []time.Time{got.StartedAt, got.RotatedAt}, []time.Time{notBefore, notBefore})

	disable(t, s, u.ID)
	_, _, err = s.StartSession(ctx, store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: t0}, ten)
	wantError(t, "StartSession of a disabled user", err, store.ErrDisabled)
}

func disable(t testing.TB, s store.Store, id store.UserID) {
	t.Helper()
	_, err := s.UpdateUser(context.Background(), id, func(u *store.User) error { u.Disabled = true; return nil })
	noError(t, "UpdateUser", err)
}

func sessions(t testing.TB, s store.Store, user store.UserID, now time.Time) []store.Session {
	t.Helper()
	list, err := s.ListSessions(context.Background(), user, now, month)
	noError(t, "ListSessions", err)
	return list
}

func testSessionCap(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u, other := addUser(t, s), addUser(t, s)
	kept := addSession(t, s, other.ID, t0.Add(-time.Hour))
	var all []store.Session
	start := func(at time.Time, limit int) {
		in := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: at}
		got, _, err := s.StartSession(ctx, in, store.SessionLimits{PerUser: limit, Absolute: month.Absolute})
		noError(t, "StartSession", err)
		all = append(all, got)
	}
	for i := range 3 {
		start(t0.Add(time.Duration(i)*time.Second), 3)
	}
	equal(t, "three under a limit of three", sessions(t, s, u.ID, t0), all)
	_, o := rotate(t, s, rotation(all[0], 0, t0.Add(4*time.Second))) // used last, and still the oldest
	equal(t, "Rotate", o, store.Rotated)
	start(t0.Add(5*time.Second), 3)
	equal(t, "a fourth ends the oldest", sessions(t, s, u.ID, t0.Add(5*time.Second)), all[1:])
	start(t0.Add(6*time.Second), 1)
	equal(t, "a lowered limit ends all older ones", sessions(t, s, u.ID, t0.Add(6*time.Second)), all[4:])
	start(t0.Add(-time.Second), 1)
	equal(t, "the new session is never the one that ends", sessions(t, s, u.ID, t0), all[5:])
	equal(t, "another user's session", sessions(t, s, other.ID, t0), []store.Session{kept})
}

func testListSessions(t *testing.T, b Backend) {
	s := b.Store
	u := addUser(t, s)
	third, first, second := addSession(t, s, u.ID, t0.Add(2*time.Hour)), addSession(t, s, u.ID, t0), addSession(t, s, u.ID, t0.Add(time.Hour))
	equal(t, "oldest first", sessions(t, s, u.ID, t0.Add(3*time.Hour)), []store.Session{first, second, third})
	l := store.Lifetimes{Idle: 2 * time.Hour, Absolute: 24 * time.Hour}
	list := must[[]store.Session](t, "ListSessions")(s.ListSessions(context.Background(), u.ID, t0.Add(3*time.Hour), l))
	equal(t, "ended ones left out", list, []store.Session{third})
	equal(t, "a user without any", len(sessions(t, s, newUserID(), t0)), 0)
}

func testRevokeSession(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u := addUser(t, s)
	one, two := addSession(t, s, u.ID, t0), addSession(t, s, u.ID, t0.Add(time.Second))
	for _, want := range []bool{true, false} {
		existed, err := s.RevokeSession(ctx, u.ID, one.ID)
		noError(t, "RevokeSession", err)
		equal(t, "existed", existed, want)
	}
	existed := must[bool](t, "RevokeSession")(s.RevokeSession(ctx, newUserID(), two.ID))
	equal(t, "RevokeSession under another user: existed", existed, false)
	equal(t, "what is left", sessions(t, s, u.ID, t0), []store.Session{two})
	_, o := rotate(t, s, rotation(one, 0, t0))
	equal(t, "Rotate of a revoked session", o, store.Gone)
}

func testRevokeSessions(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	_, err := s.RevokeSessions(ctx, newUserID())
	wantError(t, "RevokeSessions of an unknown user", err, store.ErrNotFound)

	u, other := addUser(t, s), addUser(t, s)
	addSession(t, s, u.ID, t0.Add(-time.Hour))
	ahead := addSession(t, s, u.ID, t0.Add(time.Hour)) // by a clock that is ahead of all others
	kept := addSession(t, s, other.ID, t0)
	n, err := s.RevokeSessions(ctx, u.ID)
	noError(t, "RevokeSessions", err)
	equal(t, "RevokeSessions", n, 2)
	_, o := rotate(t, s, rotation(ahead, 0, t0.Add(2*time.Hour)))
	equal(t, "Rotate of a session that began in the future", o, store.Gone)
	equal(t, "what is left", len(sessions(t, s, u.ID, t0)), 0)
	equal(t, "another user's sessions", sessions(t, s, other.ID, t0), []store.Session{kept})

	again := addSession(t, s, u.ID, t0) // a login in the same millisecond, after the revocation
	_, o = rotate(t, s, rotation(again, 0, t0.Add(time.Second)))
	equal(t, "Rotate of a session begun after", o, store.Rotated)
	n = must[int](t, "RevokeSessions")(s.RevokeSessions(ctx, u.ID))
	equal(t, "RevokeSessions again", n, 1)
}
