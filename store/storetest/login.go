package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"signet/store"
)

func testLogin(t *testing.T, b Backend) {
	ctx, s, now := context.Background(), b.Store, soon().UTC()
	var last store.Receipt
	begin := func(name string) (time.Duration, store.Credential) {
		t.Helper()
		adm, c, err := s.BeginLogin(ctx, now, newAttempt(at("here", store.Limit{Key: "x", Free: 2, Window: mi})), name)
		noError(t, "BeginLogin", err)
		if adm.Receipt.Places > 0 {
			last = adm.Receipt
		}
		return adm.Wait, c
	}
	u := fullUser("ada")
	u.Disabled, u.NotBefore = false, time.Time{}
	noError(t, "CreateUser", s.CreateUser(ctx, u))
	wait, c := begin("ada")
	fails(t, s, now, last)
	equal(t, "of a user", []any{wait, c}, []any{0 * s1, u.Credential()})
	wait, c = begin("unknown")
	equal(t, "of an unknown user", []any{wait, c}, []any{0 * s1, store.Credential{}})
	fails(t, s, now, last)
	wait, c = begin("ada")
	equal(t, "of a user who has to wait", []any{wait, c}, []any{mi, store.Credential{}})

	in := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: now}
	there := goes(t, s, now, at("there", store.Limit{Key: "x", Free: 1, Window: mi}))
	got, err := s.FinishLogin(ctx, now, there, in, ten)
	noError(t, "FinishLogin", err)
	in.RotatedAt = in.StartedAt
	version := must[string](t, "ClientsVersion")(s.ClientsVersion(ctx))
	equal(t, "the login", got, store.Login{Session: in, User: u, ClientsVersion: version})
	equal(t, "the session kept", sessions(t, s, u.ID, now), []store.Session{in})
	goes(t, s, now, at("there", store.Limit{Key: "x", Free: 1, Window: mi}))

	in.ID, in.UserID = newSessionID(), newUserID()
	_, err = s.FinishLogin(ctx, now, store.Receipt{}, in, ten)
	wantError(t, "FinishLogin of an unknown user", err, store.ErrNotFound)
	disable(t, s, u.ID)
	in.UserID = u.ID
	_, err = s.FinishLogin(ctx, now, last, in, ten)
	wantError(t, "FinishLogin of a disabled user", err, store.ErrDisabled)
}

// testLoginAfterChange: a login is checked against the newest record that was acknowledged, also after concurrent changes.
func testLoginAfterChange(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u := addUser(t, s)
	credential := func() store.Credential {
		t.Helper()
		_, c, err := s.BeginLogin(ctx, soon(), newAttempt(at("here")), u.Username)
		noError(t, "BeginLogin", err)
		return c
	}
	setHash := func(t testing.TB, hash string) {
		_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.PasswordHash = hash; return nil })
		noErrorf(t, "UpdateUser", err)
	}
	for round := range 5 {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { setHash(t, fmt.Sprint("hash ", round, i)) })
		}
		wg.Wait()
		equal(t, "after concurrent changes", credential().PasswordHash, getUser(t, s, u.ID).PasswordHash)
		setHash(t, fmt.Sprint("last ", round))
		equal(t, "after one more", credential().PasswordHash, fmt.Sprint("last ", round))
	}
	disable(t, s, u.ID)
	equal(t, "disabled", credential().Disabled, true)
	_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Disabled = false; return nil })
	noError(t, "UpdateUser", err)
	equal(t, "enabled again", credential().Disabled, false)
	for _, move := range []store.Move{store.MovePending, store.MoveStay, store.MoveNone} {
		_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Move = move; return nil })
		noError(t, "UpdateUser", err)
		equal(t, "where the password is checked", credential().Move, move)
	}
	noError(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
	equal(t, "deleted", credential(), store.Credential{})
	again := store.User{ID: newUserID(), Username: u.Username, PasswordHash: "new"}
	noError(t, "CreateUser", s.CreateUser(ctx, again))
	equal(t, "the name's next user", credential(), again.Credential())
}
