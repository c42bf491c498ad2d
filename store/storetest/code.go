package storetest

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

// codeExpires is far from now, so that a backend whose marks run out by its own clock keeps them.
func codeExpires() time.Time { return time.Now().Add(time.Hour) }

// code is the session of a code that the user was given at t0, and that is redeemed a minute later.
func code(u store.User, parent store.SessionID) store.Session {
	return store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", ClientEpoch: 2, UserEpoch: u.Epoch, Parent: parent, StartedAt: t0, RotatedAt: t0.Add(mi)}
}

func redeem(t testing.TB, s store.Store, in store.Session) store.Session {
	t.Helper()
	got, _, err := s.RedeemCode(context.Background(), in, ten, codeExpires())
	noError(t, "RedeemCode", err)
	return got
}

func testRedeemCode(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	in := code(store.User{ID: newUserID()}, store.SessionID{})
	_, _, err := s.RedeemCode(ctx, in, ten, codeExpires())
	wantError(t, "RedeemCode of an unknown user", err, store.ErrNotFound)

	u := addUser(t, s)
	in = code(u, store.SessionID{})
	got, user, err := s.RedeemCode(ctx, in, ten, codeExpires())
	noError(t, "RedeemCode", err)
	want := in
	if s.Format() < store.Format2 {
		want.ClientEpoch = 0 // not kept
	}
	equal(t, "RedeemCode", got, want)
	equal(t, "the user it returns", user, u)
	equal(t, "ListSessions", sessions(t, s, u.ID, t0.Add(mi)), []store.Session{want})

	got, _, err = s.RedeemCode(ctx, in, ten, codeExpires())
	wantError(t, "RedeemCode again", err, store.ErrExists)
	equal(t, "the session as it was", got, want)
	equal(t, "what is left", len(sessions(t, s, u.ID, t0)), 0)
	for range 2 {
		got, _, err = s.RedeemCode(ctx, in, ten, codeExpires())
		wantError(t, "RedeemCode after its session was ended", err, store.ErrExists)
		equal(t, "the session", got, store.Session{})
	}

	out := redeem(t, s, code(u, store.SessionID{}))
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, out.ID))
	_, _, err = s.RedeemCode(ctx, out, ten, codeExpires())
	wantError(t, "RedeemCode after a sign-out", err, store.ErrExists)

	over := codeExpires()
	forgotten := code(u, store.SessionID{})
	_, _, err = s.RedeemCode(ctx, forgotten, ten, over)
	noError(t, "RedeemCode", err)
	must[int](t, "Sweep")(s.Sweep(ctx, over.Add(store.AssertionMargin-s1), month))
	_, _, err = s.RedeemCode(ctx, forgotten, ten, over)
	wantError(t, "RedeemCode after a sweep within the margin", err, store.ErrExists)
	s = b.Reopen(t)
	for _, in := range []store.Session{in, out, forgotten} {
		_, _, err = s.RedeemCode(ctx, in, ten, codeExpires())
		wantError(t, "RedeemCode after reopening", err, store.ErrExists)
	}
	if b.OneProcess { // the marks of another run out by its own clock
		must[int](t, "Sweep")(s.Sweep(ctx, over.Add(store.AssertionMargin+2*time.Second), month))
		_, _, err = s.RedeemCode(ctx, forgotten, ten, over)
		noError(t, "RedeemCode after its mark was swept", err)
	}
}

// testCodeEnded: what ends the sessions of a user ends the codes that have not been redeemed yet.
func testCodeEnded(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	refused := func(what string, in store.Session, want error) {
		t.Helper()
		_, _, err := s.RedeemCode(ctx, in, ten, codeExpires())
		wantError(t, "RedeemCode after "+what, err, want)
		equal(t, "sessions", len(sessions(t, s, in.UserID, t0)), 0)
	}
	u := addUser(t, s)
	in := code(u, store.SessionID{})
	in.StartedAt = time.Now().Add(-time.Hour) // a store of format 1 has no epochs, and compares times
	must[int](t, "RevokeSessions")(s.RevokeSessions(ctx, u.ID))
	refused("all sessions were ended", in, store.ErrNotFound)
	in = code(getUser(t, s, u.ID), store.SessionID{})
	in.StartedAt = t0.Add(-time.Hour)
	_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.NotBefore = t0; return nil })
	noError(t, "UpdateUser", err)
	refused("a NotBefore", in, store.ErrNotFound)

	u = addUser(t, s)
	parent := addSession(t, s, u.ID, t0)
	in = code(u, parent.ID)
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, parent.ID))
	refused("the session that it began from was ended", in, store.ErrNotFound)
	disable(t, s, u.ID)
	refused("the user was disabled", code(getUser(t, s, u.ID), store.SessionID{}), store.ErrDisabled)
	noError(t, "DeleteUser", s.DeleteUser(ctx, u.ID))
	_, _, err = s.RedeemCode(ctx, in, ten, codeExpires())
	wantError(t, "RedeemCode after the user was deleted", err, store.ErrNotFound)
}

func testParent(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	u := addUser(t, s)
	browser, other := addSession(t, s, u.ID, t0), addSession(t, s, u.ID, t0.Add(s1))
	one, two := redeem(t, s, code(u, browser.ID)), redeem(t, s, code(u, browser.ID))
	third := redeem(t, s, code(u, other.ID))
	browser.RotatedAt = t0.Add(mi)
	state, err := s.TokenState(ctx, store.TokenRef{UserID: u.ID, SessionID: browser.ID})
	noError(t, "TokenState", err)
	equal(t, "the parent, which was used", state.Session, browser)

	r := rotation(one, 0, t0.Add(2*mi))
	r.ClientEpoch = one.ClientEpoch
	moved, _, o, err := s.Rotate(ctx, r)
	noError(t, "Rotate", err)
	equal(t, "Rotate", []any{o, moved.Parent, moved.Generation}, []any{store.Rotated, browser.ID, uint32(1)})
	equal(t, "RevokeSession of a child: existed", must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, two.ID)), true)
	equal(t, "sessions", len(sessions(t, s, u.ID, t0)), 4)
	equal(t, "RevokeSession of a parent: existed", must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, browser.ID)), true)
	other.RotatedAt = t0.Add(mi)
	equal(t, "what is left", sessions(t, s, u.ID, t0.Add(mi)), []store.Session{third, other})

	// A reuse of the parent's refresh token ends its children too; the end of its lifetime does not.
	u = addUser(t, s)
	browser = addSession(t, s, u.ID, t0)
	child := redeem(t, s, code(u, browser.ID))
	over := rotation(browser, 0, t0.Add(time.Hour))
	over.Lifetimes.Idle = time.Minute
	_, o = rotate(t, s, over)
	equal(t, "Rotate of a parent whose lifetime is over", o, store.Gone)
	equal(t, "what is left", sessions(t, s, u.ID, t0.Add(mi)), []store.Session{child})
	browser = addSession(t, s, u.ID, t0)
	redeem(t, s, code(u, browser.ID))
	for _, want := range []store.Outcome{store.Rotated, store.Rotated, store.Reused} {
		generation := uint32(0)
		if want == store.Rotated {
			generation = getSession(t, s, browser).Generation
		}
		_, o = rotate(t, s, rotation(browser, generation, t0.Add(time.Hour)))
		equal(t, "Rotate of a parent", o, want)
	}
	equal(t, "what is left", sessions(t, s, u.ID, t0.Add(mi)), []store.Session{child})

	// The device of a browser stays with its session when an app's begins from it.
	browser = store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "browser", StartedAt: t0, Device: store.NewDevice("Firefox", "Windows"),
		Address: netip.MustParseAddr("192.0.2.7")}
	browser, _, err = s.StartSession(ctx, browser, ten)
	noError(t, "StartSession", err)
	redeem(t, s, code(u, browser.ID))
	if s.Format() != store.Format1 { // which keeps neither
		equal(t, "the device", getSession(t, s, browser).Device, store.NewDevice("Firefox", "Windows"))
		equal(t, "the address", getSession(t, s, browser).Address, netip.MustParseAddr("192.0.2.7"))
	}

	// The limit ends the oldest with what began from it, and never the session that a new one begins from.
	u = addUser(t, s)
	browser = addSession(t, s, u.ID, t0)
	one = code(u, browser.ID)
	one.StartedAt = t0.Add(s1)
	redeem(t, s, one)
	kept := addSession(t, s, u.ID, t0.Add(time.Hour))
	two = code(u, kept.ID)
	two.StartedAt, two.RotatedAt = t0.Add(2*time.Hour), t0.Add(2*time.Hour)
	_, _, err = s.RedeemCode(ctx, two, store.SessionLimits{PerUser: 3, Absolute: month.Absolute}, codeExpires())
	noError(t, "RedeemCode", err)
	equal(t, "how many are left", len(sessions(t, s, u.ID, t0.Add(2*time.Hour))), 2)
	next := code(u, kept.ID)
	next.StartedAt, next.RotatedAt = t0.Add(3*time.Hour), t0.Add(3*time.Hour)
	_, _, err = s.RedeemCode(ctx, next, store.SessionLimits{PerUser: 1, Absolute: month.Absolute}, codeExpires())
	noError(t, "RedeemCode", err)
	var left []store.SessionID
	for _, session := range sessions(t, s, u.ID, t0.Add(3*time.Hour)) {
		left = append(left, session.ID)
	}
	equal(t, "what is left under a limit of one", left, []store.SessionID{kept.ID, next.ID})

	// Apps that began with one sign-in: the one that was used least recently ends.
	u = addUser(t, s)
	browser = addSession(t, s, u.ID, t0)
	used := map[store.SessionID]bool{browser.ID: true}
	for i := range 6 {
		app := code(u, browser.ID)
		app.StartedAt, app.RotatedAt = t0, t0.Add(time.Duration(i+1)*time.Hour)
		_, _, err = s.RedeemCode(ctx, app, store.SessionLimits{PerUser: 4, Absolute: month.Absolute}, codeExpires())
		noError(t, "RedeemCode", err)
		used[app.ID] = i >= 3
	}
	for _, session := range sessions(t, s, u.ID, t0.Add(6*time.Hour)) {
		equal(t, "a session that is left is one of the last", used[session.ID], true)
	}
}

func getSession(t testing.TB, s store.Store, session store.Session) store.Session {
	t.Helper()
	state, err := s.TokenState(context.Background(), store.TokenRef{UserID: session.UserID, SessionID: session.ID})
	noError(t, "TokenState", err)
	return state.Session
}

// testRedeemRace: of many that redeem one code at once exactly one wins, and the session that it got has ended when all have their
// answers.
func testRedeemRace(t *testing.T, b Backend) {
	const each = 16
	s := b.Store
	u := addUser(t, s)
	browser := addSession(t, s, u.ID, t0)
	var won [4]atomic.Int32
	var wg sync.WaitGroup
	for i := range won {
		in := code(u, browser.ID)
		for range each {
			wg.Go(func() {
				switch _, _, err := s.RedeemCode(context.Background(), in, ten, codeExpires()); {
				case err == nil:
					won[i].Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Errorf("RedeemCode: got %v, want success or ErrExists", err)
				}
			})
		}
	}
	wg.Wait()
	for i := range won {
		equal(t, "how many have redeemed one code", won[i].Load(), int32(1))
	}
	browser.RotatedAt = t0.Add(mi)
	equal(t, "what is left", sessions(t, s, u.ID, t0.Add(mi)), []store.Session{browser})
}

// testRevokeRedeemRace: a session whose parent is ended at the same moment never outlives it.
func testRevokeRedeemRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	for range 8 {
		u := addUser(t, s)
		browser := addSession(t, s, u.ID, t0)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, _, err := s.RedeemCode(ctx, code(u, browser.ID), ten, codeExpires()); err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("RedeemCode against RevokeSession: got %v", err)
				}
			})
		}
		wg.Go(func() {
			_, err := s.RevokeSession(ctx, u.ID, browser.ID)
			noErrorf(t, "RevokeSession", err)
		})
		wg.Wait()
		equal(t, "sessions after RevokeSession", len(sessions(t, s, u.ID, t0)), 0)
	}
}

// testCodeEvents: the event of the one way or of the other is kept with the change, and neither where nothing was changed.
func testCodeEvents(t *testing.T, b Backend) {
	s := b.Store
	in := code(addUser(t, s), store.SessionID{})
	for i, want := range []string{store.EventCode, store.EventCodeReuse, ""} {
		begun := store.Event{At: t0, Type: store.EventCode, Outcome: store.OutcomeOK, RequestID: "begun"}
		again := store.Event{At: t0, Type: store.EventCodeReuse, Outcome: store.Reused.String(), RequestID: "again"}
		_, _, err := s.RedeemCode(store.WithEvent(store.WithEvent(context.Background(), &begun), &again), in, ten, codeExpires())
		if i == 0 {
			noError(t, "RedeemCode", err)
		} else {
			wantError(t, "RedeemCode", err, store.ErrExists)
		}
		equal(t, "which event was kept", []bool{begun.Outbox != "", again.Outbox != ""}, []bool{want == store.EventCode, want == store.EventCodeReuse})
	}
	trail := trailOf(t, b)
	equal(t, "events on the trail", []int{len(trail["begun"]), len(trail["again"])}, []int{1, 1})
}
