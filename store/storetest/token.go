package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

func testTokenState(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u := addUser(t, s)
	session := addSession(t, s, u.ID, t0)
	other := addUser(t, s)
	for _, c := range []struct {
		name string
		ref  store.TokenRef
		want store.TokenState
	}{
		{"client credentials", store.TokenRef{JTI: "a"}, store.TokenState{Live: true}},
		{"user without a session", store.TokenRef{JTI: "a", UserID: u.ID}, store.TokenState{Live: true, User: u}},
		{"user and session", store.TokenRef{JTI: "a", UserID: u.ID, SessionID: session.ID}, store.TokenState{Live: true, User: u, Session: session}},
		{"unknown user", store.TokenRef{JTI: "a", UserID: newUserID()}, store.TokenState{}},
		{"unknown session", store.TokenRef{JTI: "a", UserID: u.ID, SessionID: newSessionID()}, store.TokenState{User: u}},
		{"another user's session", store.TokenRef{JTI: "a", UserID: other.ID, SessionID: session.ID}, store.TokenState{User: other}},
	} {
		got, err := s.TokenState(ctx, c.ref)
		noError(t, c.name, err)
		equal(t, c.name, got, c.want)
	}

	rotate(t, s, rotation(session, 0, t0.Add(time.Minute)))
	disable(t, s, u.ID)
	got := tokenState(t, s, u.ID, session.ID)
	equal(t, "the token of a disabled user is live: the caller decides", []bool{got.Live, got.User.Disabled}, []bool{true, true})
	equal(t, "the session is the one of this moment", got.Session.Generation, uint32(1))
	noError(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
	got = tokenState(t, s, u.ID, session.ID)
	equal(t, "of a deleted user", got, store.TokenState{})
}

func testRevokedTokens(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	isRevoked := func(jti string) bool {
		t.Helper()
		return must[store.TokenState](t, "TokenState")(s.TokenState(ctx, store.TokenRef{JTI: jti})).Revoked
	}
	equal(t, "before", isRevoked("one"), false)
	// Far from now, so that a backend whose records run out by its own clock keeps them.
	until := time.Now().Add(time.Hour)
	noError(t, "RevokeToken", s.RevokeToken(ctx, "one", until))
	noError(t, "RevokeToken again, for less", s.RevokeToken(ctx, "one", until.Add(-30*time.Minute)))
	equal(t, "after", []bool{isRevoked("one"), isRevoked("two")}, []bool{true, false})
	must[int](t, "Sweep")(s.Sweep(ctx, until.Add(-time.Minute), month))
	equal(t, "after a sweep before its end", isRevoked("one"), true)
	s = b.Reopen(t)
	equal(t, "after reopening", isRevoked("one"), true)
	if s.RevokeToken(ctx, "", until) == nil {
		t.Error("RevokeToken without an id: got no error")
	}
}

func newAssertionID() (id store.AssertionID) {
	rand.Read(id[:])
	return id
}

func testAssertions(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	one, two, over := newAssertionID(), newAssertionID(), newAssertionID()
	// Far from now, so that a backend whose records run out by its own clock keeps them.
	until := time.Now().Add(time.Hour)
	noError(t, "UseAssertion", s.UseAssertion(ctx, one, until))
	wantError(t, "UseAssertion again", s.UseAssertion(ctx, one, until), store.ErrExists)
	wantError(t, "UseAssertion again, for longer", s.UseAssertion(ctx, one, until.Add(time.Hour)), store.ErrExists)
	wantError(t, "UseAssertion again, for less", s.UseAssertion(ctx, one, until.Add(-2*time.Hour)), store.ErrExists)
	noError(t, "UseAssertion of another", s.UseAssertion(ctx, two, until))
	near := one
	near[15]++
	noError(t, "UseAssertion of one that differs in the last byte", s.UseAssertion(ctx, near, until))
	noError(t, "UseAssertion of one that has run out", s.UseAssertion(ctx, over, time.Now().Add(-24*time.Hour)))
	wantError(t, "UseAssertion of that again", s.UseAssertion(ctx, over, time.Now().Add(-24*time.Hour)), store.ErrExists)

	must[int](t, "Sweep")(s.Sweep(ctx, until.Add(store.AssertionMargin-s1), month))
	wantError(t, "UseAssertion after a sweep within the margin", s.UseAssertion(ctx, one, until), store.ErrExists)
	s = b.Reopen(t)
	for _, id := range []store.AssertionID{one, two, near} {
		wantError(t, "UseAssertion after reopening", s.UseAssertion(ctx, id, until), store.ErrExists)
	}
	noError(t, "UseAssertion of a new one after reopening", s.UseAssertion(ctx, newAssertionID(), until))
}

// testAssertionRace: of many that present an assertion at once, one is accepted.
func testAssertionRace(t *testing.T, b Backend) {
	const each = 16
	for _, until := range []time.Time{time.Now().Add(time.Minute), time.Now().Add(-time.Hour)} {
		ids := make([]store.AssertionID, 4)
		won := make([]atomic.Int32, len(ids))
		var wg sync.WaitGroup
		for i := range ids {
			ids[i] = newAssertionID()
			for range each {
				wg.Go(func() {
					switch err := b.Store.UseAssertion(context.Background(), ids[i], until); {
					case err == nil:
						won[i].Add(1)
					case !errors.Is(err, store.ErrExists):
						t.Errorf("UseAssertion: got %v, want success or ErrExists", err)
					}
				})
			}
		}
		wg.Wait()
		for i := range won {
			equal(t, "how many have used one assertion", won[i].Load(), int32(1))
		}
	}
}
