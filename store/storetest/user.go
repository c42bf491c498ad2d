package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

func fullUser(name string) store.User {
	return store.User{
		ID:           newUserID(),
		Username:     name,
		PasswordHash: "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA",
		Claims:       map[string]json.RawMessage{"roles": json.RawMessage(`["a","b"]`), "n": json.RawMessage(`1`)},
		Disabled:     true,
		Imported:     "digest!",
		Move:         store.MoveDone,
		MovedAt:      t0.Add(-time.Minute),
		Breached:     true,
		Aliases:      []string{name + "@example.com", "zz-" + name},
		NotBefore:    t0.Add(-time.Hour),
		CreatedAt:    t0,
		UpdatedAt:    t0.Add(time.Second),
	}
}

func testUsers(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	ada := fullUser("ada")
	_, err := s.User(ctx, ada.ID)
	wantError(t, "User before it is created", err, store.ErrNotFound)
	_, err = s.UserByName(ctx, "ada")
	wantError(t, "UserByName before it is created", err, store.ErrNotFound)
	wantError(t, "DeleteUser before it is created", s.DeleteUser(ctx, ada.ID), store.ErrNotFound)

	noError(t, "CreateUser", s.CreateUser(ctx, ada))
	equal(t, "User", getUser(t, s, ada.ID), ada)
	equal(t, "UserByName", must[store.User](t, "UserByName")(s.UserByName(ctx, "ada")), ada)

	sameName := fullUser("ada")
	wantError(t, "CreateUser of a taken name", s.CreateUser(ctx, sameName), store.ErrExists)
	_, err = s.User(ctx, sameName.ID)
	wantError(t, "User that was refused for its name", err, store.ErrNotFound)
	sameID := fullUser("bob")
	sameID.ID = ada.ID
	wantError(t, "CreateUser of a taken id", s.CreateUser(ctx, sameID), store.ErrExists)
	equal(t, "UserByName of an alias", must[store.User](t, "UserByName")(s.UserByName(ctx, "zz-ada")), ada)
	asAlias := store.User{ID: newUserID(), Username: "zz-ada"}
	wantError(t, "CreateUser of a name that is an alias", s.CreateUser(ctx, asAlias), store.ErrExists)
	sameAlias := store.User{ID: newUserID(), Username: "max", Aliases: []string{"max2", "ada"}}
	wantError(t, "CreateUser with an alias that is a username", s.CreateUser(ctx, sameAlias), store.ErrExists)
	for _, name := range []string{"max", "max2"} {
		_, err = s.UserByName(ctx, name)
		wantError(t, "UserByName of one that was refused for an alias", err, store.ErrNotFound)
	}
	_, err = s.UserByName(ctx, "bob")
	wantError(t, "UserByName of one that was refused for its id", err, store.ErrNotFound)

	plain := store.User{ID: newUserID(), Username: "plain"}
	noError(t, "CreateUser", s.CreateUser(ctx, plain))
	equal(t, "a user with nothing set", getUser(t, s, plain.ID), plain)

	session := addSession(t, s, plain.ID, t0)
	noError(t, "DeleteUser", s.DeleteUser(ctx, plain.ID))
	_, err = s.UserByName(ctx, "plain")
	wantError(t, "UserByName after it is deleted", err, store.ErrNotFound)
	list, err := s.ListSessions(ctx, plain.ID, t0, month)
	noError(t, "ListSessions", err)
	equal(t, "sessions of a deleted user", len(list), 0)
	again := store.User{ID: newUserID(), Username: "plain"}
	noError(t, "CreateUser of a freed name", s.CreateUser(ctx, again))
	existed, err := s.RevokeSession(ctx, again.ID, session.ID)
	noError(t, "RevokeSession", err)
	equal(t, "a name that is used again inherits a session", existed, false)
	if s.CreateUser(ctx, store.User{ID: newUserID()}) == nil || s.CreateUser(ctx, store.User{Username: "x"}) == nil {
		t.Error("CreateUser without a name or an id: got no error")
	}
}

func testUserUpdates(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	ada := fullUser("ada")
	_, err := s.UpdateUser(ctx, ada.ID, func(*store.User) error { return nil })
	wantError(t, "UpdateUser of an unknown user", err, store.ErrNotFound)
	noError(t, "CreateUser", s.CreateUser(ctx, ada))

	refusal := errors.New("not like this")
	_, err = s.UpdateUser(ctx, ada.ID, func(u *store.User) error {
		u.PasswordHash, u.Claims["n"] = "changed", json.RawMessage(`2`)
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("UpdateUser whose function refuses: got %v, want its own error as it is", err)
	}
	equal(t, "User after a refused update", getUser(t, s, ada.ID), ada)

	want := ada
	want.Claims, want.Disabled = nil, false
	got, err := s.UpdateUser(ctx, ada.ID, func(u *store.User) error {
		u.ID, u.Username, u.Claims, u.Disabled = newUserID(), "eve", nil, false
		return nil
	})
	noError(t, "UpdateUser", err)
	if got.Revision > 0 { // not always in format 1
		want.Revision = 1
	}
	equal(t, "UpdateUser, which keeps id and name", got, want)
	equal(t, "UserByName after the update", must[store.User](t, "UserByName")(s.UserByName(ctx, "ada")), want)

	old, young := addSession(t, s, ada.ID, t0), addSession(t, s, ada.ID, t0.Add(time.Second))
	_, err = s.UpdateUser(ctx, ada.ID, func(u *store.User) error {
		u.NotBefore = young.StartedAt
		return nil
	})
	noError(t, "UpdateUser", err)
	list := must[[]store.Session](t, "ListSessions")(s.ListSessions(ctx, ada.ID, t0.Add(time.Minute), month))
	equal(t, "sessions after NotBefore was raised between them", list, []store.Session{young})
	state := tokenState(t, s, ada.ID, old.ID)
	equal(t, "the older session is live", state.Live, false)
}

func testUserPaging(t *testing.T, b Backend) {
	for _, name := range []string{"bob", "ada", "cy", "zoë"} {
		noError(t, "CreateUser", b.Store.CreateUser(context.Background(), store.User{ID: newUserID(), Username: name}))
	}
	testPages(t, b.Store.ListUsers, func(u store.User) string { return u.Username }, []page{
		{"", 10, []string{"ada", "bob", "cy", "zoë"}},
		{"", 1, []string{"ada"}},
		{"ada", 2, []string{"bob", "cy"}},
		{"b", 1, []string{"bob"}},
		{"zoë", 1, nil},
	})
}

// testCopies changes the arguments and the results of calls, which must not change the store.
func testCopies(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	want, in := fullUser("ada"), fullUser("ada")
	in.ID = want.ID
	noError(t, "CreateUser", s.CreateUser(ctx, in))
	in.Claims["n"][0] = '9'
	out := getUser(t, s, want.ID)
	out.Claims["roles"][1] = 'X'
	_ = append(out.Claims["n"], "999999999999999999999999"...)
	delete(out.Claims, "n")
	equal(t, "User", getUser(t, s, want.ID), want)

	client := fullClient("app")
	noError(t, "CreateClient", s.CreateClient(ctx, client))
	client.Secrets[0].Hash[0], client.Scopes[0], client.JWKS[0] = 9, "changed", 'X'
	got := getClient(t, s, "app")
	got.Secrets[0].Hash[1], got.Grants[0], got.JWKS[0] = 9, "changed", 'X'
	equal(t, "Client", getClient(t, s, "app"), fullClient("app"))

	document := []byte("sealed")
	must[bool](t, "SwapKeyring")(s.SwapKeyring(ctx, 0, 1, document))
	document[0] = 'X'
	_, loaded := loadKeyring(t, s)
	loaded[1] = 'X'
	_, loaded = loadKeyring(t, s)
	equal(t, "the keyring", string(loaded), "sealed")
}

func testCreateRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	var users, clients, installs atomic.Int32
	var wg sync.WaitGroup
	count := func(n *atomic.Int32, what string, err error) {
		if err == nil {
			n.Add(1)
		} else if !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: got %v, want success or ErrExists", what, err)
		}
	}
	for range 8 {
		wg.Go(func() {
			count(&users, "CreateUser", s.CreateUser(ctx, store.User{ID: newUserID(), Username: "ada"}))
			count(&clients, "CreateClient", s.CreateClient(ctx, store.Client{ID: "app"}))
			count(&installs, "CreateInstall", s.CreateInstall(ctx, store.Install{ID: randomName(), Schema: 1}))
		})
	}
	wg.Wait()
	equal(t, "winners (user, client, install)", []int32{users.Load(), clients.Load(), installs.Load()}, []int32{1, 1, 1})
	equal(t, "users", len(must[[]store.User](t, "ListUsers")(s.ListUsers(ctx, "", 10))), 1)
}

// checkNames looks up by every name, and holds the list of users to one.
func checkNames(t *testing.T, s store.Store, want store.User, free ...string) {
	t.Helper()
	ctx := context.Background()
	equal(t, "User", getUser(t, s, want.ID), want)
	for _, name := range want.Names() {
		equal(t, "UserByName of "+name, must[store.User](t, "UserByName")(s.UserByName(ctx, name)), want)
		_, c, err := s.BeginLogin(ctx, t0, store.Attempt{}, name)
		noError(t, "BeginLogin", err)
		equal(t, "credential of "+name, c, want.Credential())
	}
	for _, name := range free {
		_, err := s.UserByName(ctx, name)
		wantError(t, "UserByName of "+name, err, store.ErrNotFound)
		_, c, err := s.BeginLogin(ctx, t0, store.Attempt{}, name)
		noError(t, "BeginLogin", err)
		equal(t, "credential of "+name, c, store.Credential{})
	}
	equal(t, "ListUsers", must[[]store.User](t, "ListUsers")(s.ListUsers(ctx, "", 10)), []store.User{want})
}

func testRenames(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	want := store.User{ID: newUserID(), Username: "ada", Aliases: []string{"ada@example.com"}, PasswordHash: "hash", CreatedAt: t0, UpdatedAt: t0}
	noError(t, "CreateUser", s.CreateUser(ctx, want))
	session := addSession(t, s, want.ID, t0)
	rename := func(what string, change func(*store.User), free ...string) {
		t.Helper()
		got, err := s.RenameUser(ctx, want.ID, func(u *store.User) error { change(u); return nil })
		noError(t, what, err)
		revised := got.Revision > 0
		change(&want)
		want.Revision = got.Revision
		equal(t, what, got, want)
		if revised {
			want = getUser(t, s, want.ID)
		}
		checkNames(t, s, want, free...)
	}
	checkNames(t, s, want)
	rename("RenameUser", func(u *store.User) { u.Username, u.UpdatedAt = "zoe", t0.Add(time.Second) }, "ada")
	rename("RenameUser to an alias", func(u *store.User) { u.Username, u.Aliases = "ada@example.com", nil }, "zoe", "ada")
	rename("RenameUser that keeps the old name", func(u *store.User) { u.Username, u.Aliases = "ada", []string{"ada@example.com"} }, "zoe")
	rename("adding an alias", func(u *store.User) { u.Aliases = []string{"ada@example.com", "countess"} })
	rename("swapping names", func(u *store.User) { u.Username, u.Aliases = "countess", []string{"ada@example.com", "ada"} })
	rename("removing an alias", func(u *store.User) { u.Aliases = []string{"ada"} }, "ada@example.com")

	got, err := s.RenameUser(ctx, want.ID, func(u *store.User) error {
		u.PasswordHash, u.Disabled, u.Epoch, u.Claims = "other", true, 9, map[string]json.RawMessage{"a": json.RawMessage("1")}
		u.Aliases = append(u.Aliases, "ada", u.Username)
		return nil
	})
	noError(t, "RenameUser that changes more", err)
	want.Revision = got.Revision
	checkNames(t, s, want)

	// A password that is changed after a rename counts with every name, at once.
	changed := must[store.User](t, "UpdateUser")(s.UpdateUser(ctx, want.ID, func(u *store.User) error { u.PasswordHash = "new"; return nil }))
	want.PasswordHash, want.Revision = "new", changed.Revision
	checkNames(t, s, want)
	equal(t, "the session is live", tokenState(t, s, want.ID, session.ID).Live, true)

	other := store.User{ID: newUserID(), Username: "ada@example.com", Aliases: []string{"max"}}
	noError(t, "CreateUser with a name that is free again", s.CreateUser(ctx, other))
	for _, taken := range []string{"ada@example.com", "max"} {
		for what, change := range map[string]func(u *store.User){"RenameUser": func(u *store.User) { u.Username = taken },
			"an alias": func(u *store.User) { u.Aliases = append(u.Aliases, "fresh", taken) }} {
			_, err := s.RenameUser(ctx, want.ID, func(u *store.User) error { change(u); return nil })
			wantError(t, what+" to the name of another user", err, store.ErrExists)
		}
	}
	now := getUser(t, s, want.ID)
	want.Revision = now.Revision // may have risen
	equal(t, "User after a rename that was refused", now, want)
	_, err = s.UserByName(ctx, "fresh")
	wantError(t, "UserByName of a name that was refused with another", err, store.ErrNotFound)

	refusal := errors.New("not like this")
	if _, err := s.RenameUser(ctx, want.ID, func(*store.User) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("RenameUser whose function refuses: got %v", err)
	}
	_, err = s.RenameUser(ctx, newUserID(), func(*store.User) error { return nil })
	wantError(t, "RenameUser of nobody", err, store.ErrNotFound)
	if _, err = s.RenameUser(ctx, want.ID, func(u *store.User) error { u.Username = ""; return nil }); err == nil {
		t.Error("RenameUser to no name: got no error")
	}
	noError(t, "DeleteUser", s.DeleteUser(ctx, want.ID))
	for _, name := range want.Names() {
		_, err = s.UserByName(ctx, name)
		wantError(t, "UserByName after it is deleted", err, store.ErrNotFound)
	}
	checkNames(t, s, other, want.Names()...)
	equal(t, "ListUsernames", must[[]string](t, "ListUsernames")(s.ListUsernames(ctx, "", 10)), []string{"ada@example.com"})
}

// testRenameRace: of all who want one name at the same time one gets it, and each user keeps a name.
func testRenameRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	var ids []store.UserID
	for range 6 {
		ids = append(ids, addUser(t, s).ID)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			_, err := s.RenameUser(ctx, id, func(u *store.User) error {
				if i%2 == 0 {
					u.Username = "ada"
				} else {
					u.Aliases = append(u.Aliases, "ada")
				}
				return nil
			})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("RenameUser: got %v, want success or ErrExists", err)
			}
		})
	}
	wg.Go(func() {
		err := s.CreateUser(ctx, store.User{ID: newUserID(), Username: "ada"})
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, store.ErrExists) {
			t.Errorf("CreateUser: got %v, want success or ErrExists", err)
		}
	})
	wg.Wait()
	equal(t, "winners", won.Load(), int32(1))
	holder := must[store.User](t, "UserByName")(s.UserByName(ctx, "ada"))
	for _, u := range must[[]store.User](t, "ListUsers")(s.ListUsers(ctx, "", 10)) {
		equal(t, "has the name", u.HasName("ada"), u.ID == holder.ID)
		equal(t, "UserByName", must[store.User](t, "UserByName")(s.UserByName(ctx, u.Username)).ID, u.ID)
	}
}

// testAliasRace: of all who are created with one alias at the same time one is, and of two of whom each has the other's username as
// an alias at most one. All names of a user who was created lead there, and those of the others lead nowhere.
func testAliasRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	for round := range 12 {
		shared, cross := fmt.Sprintf("shared%d@example.com", round), fmt.Sprintf("cross%d", round)
		all := []store.User{
			{Username: cross + "-a", Aliases: []string{cross + "-b"}},
			{Username: cross + "-b", Aliases: []string{cross + "-a"}},
		}
		for i := range 4 {
			all = append(all, store.User{Username: fmt.Sprintf("user%d-%d", round, i), Aliases: []string{fmt.Sprintf("own%d-%d", round, i), shared}})
		}
		won := make([]bool, len(all))
		var wg sync.WaitGroup
		for i := range all {
			all[i].ID = newUserID()
			wg.Go(func() {
				err := s.CreateUser(ctx, all[i])
				if won[i] = err == nil; err != nil && !errors.Is(err, store.ErrExists) {
					t.Errorf("CreateUser: got %v, want success or ErrExists", err)
				}
			})
		}
		wg.Wait()
		winners := [2]int{}
		for i, u := range all {
			if won[i] {
				winners[min(i/2, 1)]++
			}
			for _, name := range u.Names() {
				got, err := s.UserByName(ctx, name)
				if won[i] && (err != nil || got.ID != u.ID) {
					t.Errorf("UserByName of %s, who was created as %s: got %s, %v", name, u.ID, got.ID, err)
				}
				if !won[i] && err == nil && got.ID == u.ID {
					t.Errorf("UserByName of %s: got a user whose creation was refused", name)
				}
			}
		}
		if winners[0] > 1 || winners[1] != 1 {
			t.Errorf("created: %d of the two whose names cross, %d of those with one alias; want at most 1, and 1", winners[0], winners[1])
		}
	}
}
