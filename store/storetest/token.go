package storetest

import (
	"context"
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
	got := must[store.TokenState](t, "TokenState")(s.TokenState(ctx, store.TokenRef{JTI: "a", UserID: u.ID, SessionID: session.ID}))
	equal(t, "a disabled user is live, and the caller judges", []bool{got.Live, got.User.Disabled}, []bool{true, true})
	equal(t, "the session is the one of this moment", got.Session.Generation, uint32(1))
	noError(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
	got = must[store.TokenState](t, "TokenState")(s.TokenState(ctx, store.TokenRef{JTI: "a", UserID: u.ID, SessionID: session.ID}))
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
